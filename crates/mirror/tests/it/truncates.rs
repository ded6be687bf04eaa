//! A truncate of the source is captured and replayed.

use crate::bench::{Bench, fixed, key};

#[tokio::test(flavor = "multi_thread")]
async fn a_truncate_amid_the_copy_starts_it_again() {
    let mut bench = Bench::simple("truncate_amid", 30).await;
    bench.plan(1).await;
    bench.chunk(10).await;
    bench.app.batch_execute("update old set v = 'x' where id = 1; truncate old; insert into old values (5, 'after'), (99, 'after')").await.unwrap();
    let round = bench.round().await;
    assert!(round.is_truncated && !round.is_drained);
    assert!(
        bench
            .mirror
            .replay_truncate(&mut bench.writer, &bench.fence)
            .await
            .unwrap()
    );
    assert!(!bench.mirror.is_copied(&*bench.app).await.unwrap());
    bench.copy_all(10).await;
    bench.drain().await;
    bench.assert_equal().await;
    assert!(
        !bench
            .mirror
            .replay_truncate(&mut bench.writer, &bench.fence)
            .await
            .unwrap()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_truncate_after_the_copy_is_replayed_too() {
    let mut bench = Bench::simple("truncate_after", 30).await;
    bench.plan(1).await;
    bench.copy_all(10).await;
    bench
        .app
        .batch_execute("truncate old; insert into old values (1, 'after')")
        .await
        .unwrap();
    assert!(bench.round().await.is_truncated);
    assert!(
        bench
            .mirror
            .replay_truncate(&mut bench.writer, &bench.fence)
            .await
            .unwrap()
    );
    bench.copy_all(10).await;
    bench.drain().await;
    bench.assert_equal().await;
}

/// A chunk that meets a stale row wants the pending changes first; when a truncate is among them, that comes before.
#[tokio::test(flavor = "multi_thread")]
async fn a_chunk_with_a_conflict_gives_way_to_a_truncate() {
    let ddl = "create table old (id bigint primary key, slot text unique); create table new (like old including indexes); \
               insert into old select i, 's' || i from generate_series(1, 30) i";
    let mut bench = Bench::new(
        "truncate_conflict",
        ddl,
        vec![key("id", "bigint")],
        &["id", "slot"],
    )
    .await;
    bench.plan(1).await;
    bench.chunk(10).await;
    bench
        .app
        .batch_execute("truncate old; insert into old values (25, 's5'), (26, 's26')")
        .await
        .unwrap();
    let fault = bench
        .mirror
        .copy_chunk(&mut bench.writer, &bench.fence, 0, &mut fixed(10))
        .await
        .unwrap_err();
    assert_eq!(fault.code().id, "MIR-004", "{fault}");
    assert!(
        bench
            .mirror
            .replay_truncate(&mut bench.writer, &bench.fence)
            .await
            .unwrap()
    );
    bench.copy_all(10).await;
    bench.drain().await;
    bench.assert_equal().await;
}
