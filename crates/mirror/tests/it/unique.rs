//! Unique indexes and other constraints between rows, besides the key.

use crate::bench::{Bench, key};

/// Three ways to say that no two rows have the same slot. The application can defer the last two.
const CONSTRAINTS: [&str; 3] = [
    "create unique index on TABLE (slot)",
    "alter table TABLE add unique (slot) deferrable initially deferred",
    "alter table TABLE add exclude using btree (slot with =) deferrable initially deferred",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_swap_of_unique_values_goes_through_whatever_the_limit() {
    for constraint in CONSTRAINTS {
        swap_of_unique_values(constraint).await;
    }
}

/// Two rows swap their unique values in one transaction; a round with a limit of one sees half of it.
async fn swap_of_unique_values(constraint: &str) {
    let ddl = "create table old (id bigint primary key, slot text); create table new (like old including indexes); \
               insert into old select i, 's' || i from generate_series(1, 30) i";
    let mut bench = Bench::new("unique_swap", ddl, vec![key("id", "bigint")], &["id", "slot"]).await;
    bench.plan(1).await;
    bench.copy_all(10).await;
    bench
        .app
        .batch_execute(&constraint.replace("TABLE", "new"))
        .await
        .unwrap();
    for _ in 0..4 {
        // Each row takes its neighbour's value: no order of the rows gets through one by one.
        bench
            .app
            .batch_execute(
                "begin; create temp table held on commit drop as select id, slot from old where id <= 10; \
                 update old set slot = 'held' || id where id <= 10; \
                 update old o set slot = h.slot from held h where o.id = h.id % 10 + 1; commit",
            )
            .await
            .unwrap();
        let mut rounds = 0;
        while bench.mirror.pending(&*bench.app, 1).await.unwrap() > 0 {
            bench
                .mirror
                .round(&mut bench.writer, &bench.observer, &bench.fence, 1, 0)
                .await
                .unwrap();
            rounds += 1;
            assert!(rounds < 100, "the swap does not get through");
        }
        bench.assert_equal().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chunk_that_meets_a_stale_row_brings_the_pending_changes_first() {
    for constraint in CONSTRAINTS {
        chunk_that_meets_a_stale_row(constraint).await;
    }
}

/// A chunk whose plain insert meets a stale row of the target (the index exists because a truncate came late).
async fn chunk_that_meets_a_stale_row(constraint: &str) {
    let ddl = format!(
        "create table old (id bigint primary key, slot text); create table new (like old including indexes); \
         {}; insert into old select i, 's' || i from generate_series(1, 30) i",
        constraint.replace("TABLE", "new")
    );
    let mut bench = Bench::new("unique_chunk", &ddl, vec![key("id", "bigint")], &["id", "slot"]).await;
    bench.plan(1).await;
    bench.chunk(10).await;
    // 's3' moves from a copied row to one that is not copied yet.
    bench.app.batch_execute("begin; update old set slot = 'gone' where id = 3; update old set slot = 's3' where id = 13; commit").await.unwrap();
    bench.chunk(10).await;
    bench.copy_all(10).await;
    bench.drain().await;
    bench.assert_equal().await;
}
