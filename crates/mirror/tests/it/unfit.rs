//! Rows that the target cannot take: named before the work ends, or noted and passed over.

use std::time::{Duration, Instant};

use crate::bench::{Bench, fixed, key, spec};
use crate::mapping::valued;
use corridor_mirror::trial::try_rows;
use corridor_mirror::{Digest, MirrorSpec};

const DDL: &str = "create table old (id bigint primary key, v text, mail text); \
     create table new (id int primary key, n int not null check (n < 1000), mail text unique); \
     insert into old select i, i::text, 'm' || i from generate_series(1, 100) i";

fn narrow(is_noting_unfit: bool) -> MirrorSpec {
    let mut spec = spec("7_fwd", "old", "new", vec![key("id", "bigint")], &["mail"]);
    spec.columns.push(valued(
        "id",
        Digest::Native,
        "s.id::integer",
        "s.id::integer",
        &["id"],
    ));
    spec.columns.push(valued(
        "n",
        Digest::Native,
        "s.v::integer",
        "s.v::integer",
        &["v"],
    ));
    spec.is_noting_unfit = is_noting_unfit;
    spec
}

/// One of each kind: a cast, a range, a null, a check.
const FOUR: &str = "update old set v = 'x' where id = 11; update old set id = 3000000000 where id = 12; \
                    update old set v = null where id = 13; update old set v = '5000' where id = 14";

#[tokio::test(flavor = "multi_thread")]
async fn a_chunk_names_the_rows_and_leaves_no_trace() {
    let mut bench = Bench::of("unfit_chunk", DDL, narrow(false)).await;
    bench.plan(1).await;
    bench.app.batch_execute(FOUR).await.unwrap();
    let copy = async |bench: &mut Bench| {
        bench
            .mirror
            .copy_chunk(&mut bench.writer, &bench.fence, 0, &mut fixed(1_000))
            .await
    };
    let fault = copy(&mut bench).await.unwrap_err();
    assert_eq!(fault.code().id, "MIR-001");
    let words = fault.to_string();
    for part in [
        "4 rows",
        "(11): invalid input syntax for type integer: \"x\" (22P02)",
        "(3000000000): integer out of range (22003)",
        "(13): null value in column \"n\"",
        "(14): new row for relation \"new\" violates check",
    ] {
        assert!(words.contains(part), "{part}: {words}");
    }
    let left: i64 = bench
        .app
        .query_one(
            "select (select count(*) from new) + (select count(*) from corridor.unfit_7_fwd)",
            &[],
        )
        .await
        .unwrap()
        .get(0);
    assert_eq!(left, 0);
    // Put right, it goes on.
    bench
        .app
        .batch_execute("update old set v = '1', id = case when id > 1000 then 12 else id end where id > 1000 or id in (11, 13, 14)")
        .await
        .unwrap();
    while !copy(&mut bench).await.unwrap().is_lane_done {}
    bench.drain().await;
    let rows: i64 = bench
        .app
        .query_one("select count(*) from new", &[])
        .await
        .unwrap()
        .get(0);
    assert_eq!(rows, 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_round_names_the_rows_and_forgets_no_change() {
    let mut bench = Bench::of("unfit_round", DDL, narrow(false)).await;
    bench.plan(1).await;
    bench.copy_all(1_000).await;
    let round = async |bench: &mut Bench| {
        bench
            .mirror
            .round(&mut bench.writer, &bench.observer, &bench.fence, 1_000, 0)
            .await
    };
    bench.app.batch_execute(FOUR).await.unwrap();
    bench
        .app
        .batch_execute("update old set mail = 'm2' where id = 3")
        .await
        .unwrap();
    let fault = round(&mut bench).await.unwrap_err();
    assert_eq!(fault.code().id, "MIR-001");
    // With every change of one snapshot taken in, two rows with one mail are unfit too.
    bench
        .app
        .batch_execute("update old set v = '7', id = case when id > 1000 then 12 else id end where id > 1000 or id in (11, 13, 14)")
        .await
        .unwrap();
    let fault = round(&mut bench).await.unwrap_err();
    assert_eq!(fault.code().id, "MIR-001");
    assert!(fault.to_string().contains("(3): duplicate key value"), "{fault}");
    bench
        .app
        .batch_execute("update old set mail = 'm33' where id = 3")
        .await
        .unwrap();
    bench
        .app
        .batch_execute("update old set mail = 'm3' where id = 33")
        .await
        .unwrap();
    bench.drain().await;
    let equal: bool = bench
        .app
        .query_one(
            "select not exists (select id, v::int, mail from old except select id, n, mail from new)",
            &[],
        )
        .await
        .unwrap()
        .get(0);
    assert!(equal);
}

/// For the way back: what does not fit is noted, and everything else goes on.
#[tokio::test(flavor = "multi_thread")]
async fn noted_rows_are_passed_over_explained_and_come_back() {
    let mut bench = Bench::of("unfit_noted", DDL, narrow(true)).await;
    bench.plan(1).await;
    bench.copy_all(1_000).await;
    bench.app.batch_execute(FOUR).await.unwrap();
    bench
        .app
        .batch_execute("update old set v = '2' where id = 20; update old set mail = 'm2' where id = 3")
        .await
        .unwrap();
    bench.drain().await;
    let rows = bench.mirror.unfit(&*bench.app, 10).await.unwrap();
    let keys: Vec<&str> = rows.iter().map(|row| row.key[0].as_str()).collect();
    assert_eq!(keys, ["3", "11", "13", "14", "3000000000"]);
    let fault = bench.mirror.check_all_fit(&*bench.app, false).await.unwrap_err();
    assert_eq!(fault.code().id, "MIR-008");
    assert!(fault.to_string().contains("4 rows"), "{fault}");

    // They are explained, and the rest is equal.
    let lane = bench.mirror.lanes(&*bench.app).await.unwrap().remove(0);
    let checked = bench
        .mirror
        .verify_next(&mut bench.writer, &bench.fence, 1, &lane, &mut fixed(1_000))
        .await
        .unwrap();
    assert_eq!(
        (checked.differing_keys, checked.pending_keys, checked.rows),
        (0, 5, 95)
    );

    // What stood in the way of 3 goes, and nothing is written to 3 itself.
    bench
        .app
        .batch_execute("update old set mail = 'other' where id = 2")
        .await
        .unwrap();
    bench.drain().await;
    let rows = bench.mirror.unfit(&*bench.app, 10).await.unwrap();
    assert_eq!(rows.len(), 4, "{rows:?}");
    // One deleted, one put right.
    bench.app.batch_execute("delete from old where id = 11; update old set v = '9' where id in (13, 14); delete from old where id > 1000").await.unwrap();
    bench.drain().await;
    bench.mirror.check_all_fit(&*bench.app, true).await.unwrap();
    let equal: bool = bench
        .app
        .query_one(
            "select not exists (select id, v::int, mail from old except select id, n, mail from new) \
             and not exists (select id, n, mail from new except select id, v::int, mail from old)",
            &[],
        )
        .await
        .unwrap()
        .get(0);
    assert!(equal);
}

/// After a truncate the copy itself passes over what does not fit.
#[tokio::test(flavor = "multi_thread")]
async fn a_chunk_notes_too() {
    let mut bench = Bench::of("unfit_noted_chunk", DDL, narrow(true)).await;
    bench.plan(1).await;
    bench.app.batch_execute(FOUR).await.unwrap();
    bench
        .app
        .batch_execute("update old set mail = 'm2' where id = 3")
        .await
        .unwrap();
    bench.copy_all(1_000).await;
    bench.drain().await;
    let noted = bench.mirror.unfit(&*bench.app, 10).await.unwrap().len();
    let rows: i64 = bench
        .app
        .query_one("select count(*) from new", &[])
        .await
        .unwrap()
        .get(0);
    assert_eq!((noted, rows), (5, 95));
}

/// Before there is a target: rows are tried in a temporary table, as many as the time allows, and nothing stays.
#[tokio::test(flavor = "multi_thread")]
async fn rows_are_tried_until_the_time_is_over() {
    let mut bench = Bench::of("unfit_trial", DDL, narrow(false)).await;
    bench.app.batch_execute(FOUR).await.unwrap();
    bench
        .app
        .batch_execute(
            "insert into old select i, '1', null from generate_series(1000, 20000) i; update old set v = 'late' where id = 19000; \
             create function slow(v text) returns int immutable language plpgsql as $$ begin \
             perform pg_catalog.pg_sleep(0.002); return v::int; end $$",
        )
        .await
        .unwrap();
    let mut spec = narrow(false);
    spec.target =
        corridor_pg::QualifiedName::new(crate::bench::ident("pg_temp"), crate::bench::ident("tried"));
    let attempt = async |bench: &mut Bench, spec: &MirrorSpec, limit_ms: u64| {
        let tx = bench
            .writer
            .begin(corridor_pg::Isolation::ReadCommitted)
            .await
            .unwrap();
        tx.batch_execute("create temporary table tried (like public.new including constraints)")
            .await
            .unwrap();
        let tried = try_rows(&tx, spec, Duration::from_millis(limit_ms))
            .await
            .unwrap();
        tx.rollback().await.unwrap();
        tried
    };
    let tried = attempt(&mut bench, &spec, 60_000).await;
    assert!(tried.is_whole && tried.rows == 19_101, "{tried:?}");
    let keys: Vec<&str> = tried.unfit.iter().map(|row| row.key[0].as_str()).collect();
    assert_eq!(keys, ["11", "13", "14", "19000", "3000000000"]);

    // Two milliseconds a row: some rows, and then the time is over.
    bench
        .app
        .batch_execute("delete from old where id in (11, 13, 14) or id > 3000; update old set v = '1'")
        .await
        .unwrap();
    for column in &mut spec.columns {
        if let Some(value) = column.value.as_mut().filter(|_| column.name.as_str() == "n") {
            value.sql = "public.slow(s.v)".into();
        }
    }
    let begun = Instant::now();
    let tried = attempt(&mut bench, &spec, 1_500).await;
    assert!(
        !tried.is_whole && (200..2_000).contains(&tried.rows) && tried.unfit.is_empty(),
        "{tried:?}"
    );
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
}
