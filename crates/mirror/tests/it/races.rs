//! Writes that race a chunk, arranged so that each run takes exactly the dangerous order.

use crate::bench::{Bench, STALL, fixed, key, session, spec, until};
use corridor_mirror::Mirror;
use corridor_pg::fence::Fence;

/// Copies lane 0 in the background and returns when the chunk stands still in front of row 5.
async fn chunk_in_flight(bench: &Bench, gatekeeper: &corridor_pg::Session) -> tokio::task::JoinHandle<()> {
    gatekeeper
        .batch_execute("select pg_advisory_lock(42)")
        .await
        .unwrap();
    let mut copier = session(&bench.url, "copier").await;
    let mirror = Mirror::new(bench.mirror.spec().clone());
    let task = tokio::spawn(async move {
        let fence = Fence {
            migration_id: 7,
            epoch: 1,
        };
        mirror
            .copy_chunk(&mut copier, &fence, 0, &mut fixed(10))
            .await
            .unwrap();
    });
    bench.until_waiting("copier").await;
    task
}

/// The known wrong ways "trigger sync with an unlocked backfill", "backfill with do update" and "forgetting the
/// change of a chunk in flight": a write that the chunk's snapshot cannot see must survive the chunk.
#[tokio::test(flavor = "multi_thread")]
async fn a_write_during_the_chunk_is_left_until_the_chunk_has_committed() {
    for write in [
        "delete from old where id = 5",
        "update old set v = 'newer' where id = 5",
        "update old set v = null where id = 5",
        "update old set id = 500 where id = 5",
        "delete from old where id = 5; insert into old values (5, 'again')",
    ] {
        let mut bench = Bench::simple("races_flight", 30).await;
        bench.app.batch_execute(STALL).await.unwrap();
        bench.plan(1).await;
        let gatekeeper = session(&bench.url, "gatekeeper").await;
        let chunk = chunk_in_flight(&bench, &gatekeeper).await;
        bench.app.batch_execute(write).await.unwrap();
        let round = bench.round().await;
        assert!(round.left >= 1, "{write}: {round:?}");
        gatekeeper
            .batch_execute("select pg_advisory_unlock(42)")
            .await
            .unwrap();
        chunk.await.unwrap();
        bench.copy_all(10).await;
        bench.drain().await;
        bench.assert_equal().await;
    }
}

/// The known wrong way "copied judged outside of the snapshot". The round's snapshot is older than the chunk's commit,
/// and its look at the ledger comes after it. Judged by the newer ledger, the round would find nothing to delete and
/// forget the change: a ghost row.
#[tokio::test(flavor = "multi_thread")]
async fn copied_is_judged_in_the_snapshot_of_the_round() {
    let mut bench = Bench::simple("races_snapshot", 30).await;
    bench.app.batch_execute(STALL).await.unwrap();
    bench.plan(1).await;
    let gatekeeper = session(&bench.url, "gatekeeper").await;
    let chunk = chunk_in_flight(&bench, &gatekeeper).await;
    bench
        .app
        .batch_execute("delete from old where id = 5")
        .await
        .unwrap();

    // The round takes its snapshot, then waits for the log: it has the table's lock before, but not yet this index's.
    let locker = session(&bench.url, "locker").await;
    locker
        .batch_execute("begin; reindex index corridor.change_7_fwd_s0_pkey")
        .await
        .unwrap();
    let mirror = Mirror::new(bench.mirror.spec().clone());
    let (mut writer, observer) = (
        session(&bench.url, "applier").await,
        session(&bench.url, "watcher").await,
    );
    let round = tokio::spawn(async move {
        let fence = Fence {
            migration_id: 7,
            epoch: 1,
        };
        mirror
            .round(&mut writer, &observer, &fence, 100, 0)
            .await
            .unwrap()
    });
    bench.until_waiting("applier").await;

    gatekeeper
        .batch_execute("select pg_advisory_unlock(42)")
        .await
        .unwrap();
    chunk.await.unwrap();
    locker.batch_execute("commit").await.unwrap();
    let round = round.await.unwrap();
    assert_eq!(
        (round.refreshed, round.forgotten, round.left),
        (0, 0, 1),
        "{round:?}"
    );

    bench.copy_all(10).await;
    bench.drain().await;
    bench.assert_equal().await;
}

/// A change whose key no chunk has claimed is forgotten, and the chunk that comes later brings it.
#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_a_range_that_has_not_begun_is_forgotten_and_not_lost() {
    let mut bench = Bench::simple("races_unstarted", 30).await;
    bench.plan(1).await;
    bench.chunk(10).await;
    bench
        .app
        .batch_execute("update old set v = 'newer' where id in (3, 25); delete from old where id = 28")
        .await
        .unwrap();
    let round = bench.round().await;
    assert_eq!(
        (round.refreshed, round.forgotten, round.left),
        (1, 2, 0),
        "{round:?}"
    );
    bench.copy_all(10).await;
    bench.drain().await;
    bench.assert_equal().await;
}

/// The known wrong way "id > last seen": a transaction takes its place in the log early and commits late.
#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_commits_late_is_not_passed_over() {
    let mut bench = Bench::simple("races_late", 30).await;
    bench.plan(1).await;
    bench.copy_all(10).await;
    let slow = session(&bench.url, "slow").await;
    slow.batch_execute("begin; update public.old set v = 'late' where id = 1")
        .await
        .unwrap();
    bench
        .app
        .batch_execute("update old set v = 'early' where id = 2")
        .await
        .unwrap();
    bench.drain().await;
    slow.batch_execute("commit").await.unwrap();
    bench.drain().await;
    bench.assert_equal().await;
}

/// The known wrong way "two lanes refreshing one key": lanes are disjoint and cover the whole key space.
#[tokio::test(flavor = "multi_thread")]
async fn lanes_are_disjoint_and_cover_everything() {
    let ddl = "create table old (a text collate \"C\", b int, v text, primary key (a, b)); create table new (like old including indexes); \
               insert into old select 'k' || i % 500, i, 'v' || i from generate_series(1, 60000) i; analyze old";
    let mut bench = Bench::new(
        "races_lanes",
        ddl,
        vec![
            corridor_mirror::KeyColumn {
                collation: Some(corridor_pg::QualifiedName::new(
                    crate::bench::ident("pg_catalog"),
                    crate::bench::ident("C"),
                )),
                ..key("a", "text")
            },
            key("b", "integer"),
        ],
        &["a", "b", "v"],
    )
    .await;
    let lanes = bench.plan(8).await;
    assert!(lanes >= 6, "{lanes} lanes");
    let all = bench.mirror.lanes(&*bench.app).await.unwrap();
    assert_eq!(all[0].range.from, None);
    assert_eq!(all[lanes - 1].range.to, None);
    for pair in all.windows(2) {
        assert_eq!(pair[0].range.to, pair[1].range.from);
    }
    bench.copy_all(5_000).await;
    bench.assert_equal().await;
    let rows: Vec<i64> = bench
        .mirror
        .lanes(&*bench.app)
        .await
        .unwrap()
        .iter()
        .map(|l| l.rows)
        .collect();
    let (least, most) = (rows.iter().min().unwrap(), rows.iter().max().unwrap());
    assert!(most < &(least * 4), "uneven lanes: {rows:?}");
}

/// The known wrong way "a ledger that is written after the data": when the ledger cannot be written, no row is.
#[tokio::test(flavor = "multi_thread")]
async fn rows_and_ledger_are_one_transaction() {
    let mut bench = Bench::simple("races_ledger", 30).await;
    bench.plan(1).await;
    bench
        .app
        .batch_execute("alter table corridor.chunk_7_fwd add check (rows < 0) not valid")
        .await
        .unwrap();
    let refused = bench
        .mirror
        .copy_chunk(&mut bench.writer, &bench.fence, 0, &mut fixed(10))
        .await;
    assert!(refused.is_err());
    let copied: i64 = bench
        .app
        .query_one("select count(*) from new", &[])
        .await
        .unwrap()
        .get(0);
    assert_eq!(copied, 0);
    bench
        .app
        .batch_execute("alter table corridor.chunk_7_fwd drop constraint chunk_7_fwd_rows_check")
        .await
        .unwrap();
    bench.copy_all(10).await;
    bench.assert_equal().await;
}

/// The known wrong way "one global trigger function name for two moves".
#[tokio::test(flavor = "multi_thread")]
async fn two_mirrors_do_not_share_a_function() {
    let mut bench = Bench::simple("races_two", 30).await;
    bench
        .app
        .batch_execute("create table old2 (id bigint primary key, v text); create table new2 (like old2 including indexes); insert into old2 values (1, 'x')")
        .await
        .unwrap();
    let second = Mirror::new(spec(
        "8_fwd",
        "old2",
        "new2",
        vec![key("id", "bigint")],
        &["id", "v"],
    ));
    for sql in second
        .spec()
        .create_statements()
        .iter()
        .chain(&second.spec().trigger_statements(&[]))
    {
        bench.app.batch_execute(sql).await.unwrap();
    }
    bench.plan(1).await;
    second
        .plan_lanes(&mut bench.writer, &bench.fence, 1)
        .await
        .unwrap();
    bench.copy_all(10).await;
    second
        .copy_chunk(&mut bench.writer, &bench.fence, 0, &mut fixed(10))
        .await
        .unwrap();
    bench
        .app
        .batch_execute("update old set v = 'one' where id = 1; update old2 set v = 'two' where id = 1")
        .await
        .unwrap();
    assert_eq!(bench.mirror.pending(&*bench.app, 10).await.unwrap(), 1);
    assert_eq!(second.pending(&*bench.app, 10).await.unwrap(), 1);
    bench.drain().await;
    second
        .round(&mut bench.writer, &bench.observer, &bench.fence, 10, 0)
        .await
        .unwrap();
    bench.assert_equal().await;
    let v: String = bench
        .app
        .query_one("select v from new2", &[])
        .await
        .unwrap()
        .get(0);
    assert_eq!(v, "two");
}

/// The known wrong way "triggers that are not ENABLE ALWAYS": a subscriber's apply passes ordinary ones by.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_subscription_applies_is_captured() {
    let mut bench = Bench::simple("races_replica", 30).await;
    bench.plan(1).await;
    bench.copy_all(10).await;
    bench
        .app
        .batch_execute("set session_replication_role = replica; update old set v = 'applied' where id = 4; reset session_replication_role")
        .await
        .unwrap();
    bench.drain().await;
    bench.assert_equal().await;
}

/// The known wrong way "statement triggers on a partitioned source": a write, or a truncate, straight to a partition.
#[tokio::test(flavor = "multi_thread")]
async fn what_goes_straight_to_a_partition_is_captured() {
    let mut bench = Bench::simple("races_partition", 3).await;
    bench
        .app
        .batch_execute(
            "create table parts (id bigint primary key, v text) partition by hash (id); \
             create table p0 partition of parts for values with (modulus 2, remainder 0); \
             create table p1 partition of parts for values with (modulus 2, remainder 1); \
             create table flat (like parts including indexes); insert into parts select i, 'v' from generate_series(1, 100) i",
        )
        .await
        .unwrap();
    let leaves = [crate::bench::name("p0"), crate::bench::name("p1")];
    let mirror = Mirror::new(spec(
        "9_rev",
        "parts",
        "flat",
        vec![key("id", "bigint")],
        &["id", "v"],
    ));
    for sql in mirror
        .spec()
        .create_statements()
        .iter()
        .chain(&mirror.spec().trigger_statements(&leaves))
    {
        bench.app.batch_execute(sql).await.unwrap();
    }
    mirror
        .plan_lanes(&mut bench.writer, &bench.fence, 1)
        .await
        .unwrap();
    mirror
        .copy_chunk(&mut bench.writer, &bench.fence, 0, &mut fixed(1_000))
        .await
        .unwrap();
    bench
        .app
        .batch_execute("update p0 set v = 'direct'; delete from p1 where id < 20; update parts set id = id + 1000 where id between 30 and 60")
        .await
        .unwrap();
    mirror
        .round(&mut bench.writer, &bench.observer, &bench.fence, 10_000, 0)
        .await
        .unwrap();
    let same = "select (select count(*) from (table parts except table flat) r), (select count(*) from (table flat except table parts) r)";
    let row = bench.app.query_one(same, &[]).await.unwrap();
    assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1)), (0, 0));
    bench.app.batch_execute("truncate p1").await.unwrap();
    assert!(
        mirror
            .replay_truncate(&mut bench.writer, &bench.fence)
            .await
            .unwrap()
    );
    for sql in mirror
        .spec()
        .drop_trigger_statements(&leaves)
        .iter()
        .chain(&mirror.spec().drop_statements())
    {
        bench.app.batch_execute(sql).await.unwrap();
    }
    until(async || {
        bench
            .app
            .query_one(
                "select count(*) from pg_trigger where tgname like 'corridor%9_rev%'",
                &[],
            )
            .await
            .unwrap()
            .get::<_, i64>(0)
            == 0
    })
    .await;
}

/// Found by the model (`crates/model`): a round of all changes holds off the chunks of its process, but not the one whose
/// connection was lost with its commit on the way. What such a chunk has claimed may not be forgotten.
#[tokio::test(flavor = "multi_thread")]
async fn a_round_of_all_changes_leaves_what_a_lost_chunk_may_bring() {
    let mut bench = Bench::simple("races_lost_chunk", 30).await;
    bench.app.batch_execute(STALL).await.unwrap();
    bench.plan(1).await;
    let gatekeeper = session(&bench.url, "gatekeeper").await;
    // A mirror of its own: the gate of ours knows nothing of this chunk, as of one whose client has given it up.
    let chunk = chunk_in_flight(&bench, &gatekeeper).await;
    bench
        .app
        .batch_execute("delete from old where id in (5, 25)")
        .await
        .unwrap();
    let round = bench
        .mirror
        .round_alone(&mut bench.writer, &bench.fence)
        .await
        .unwrap();
    assert_eq!((round.left, round.forgotten), (1, 1), "{round:?}");
    assert!(!round.is_drained);
    gatekeeper
        .batch_execute("select pg_advisory_unlock(42)")
        .await
        .unwrap();
    chunk.await.unwrap();
    bench.copy_all(10).await;
    bench.drain().await;
    bench.assert_equal().await;
}

/// Found by the model: a claim on an old look at the lane would take the lane back to before a chunk that has committed
/// meanwhile, and the changes of that chunk's keys would be forgotten as "not started".
#[tokio::test(flavor = "multi_thread")]
async fn a_claim_on_an_old_look_is_refused() {
    let mut bench = Bench::simple("races_old_look", 30).await;
    bench.app.batch_execute(STALL).await.unwrap();
    bench.plan(1).await;
    let gatekeeper = session(&bench.url, "gatekeeper").await;
    let chunk = chunk_in_flight(&bench, &gatekeeper).await; // 1..=10
    bench
        .app
        .batch_execute("delete from old where id < 8")
        .await
        .unwrap();
    let doorkeeper = session(&bench.url, "doorkeeper").await;
    doorkeeper
        .batch_execute("begin; select from corridor.lane_7_fwd for update")
        .await
        .unwrap();
    gatekeeper
        .batch_execute("select pg_advisory_unlock(42)")
        .await
        .unwrap();
    // The first chunk waits to write the ledger, the second copier has looked and waits to claim.
    bench.until_waiting("copier").await;
    let mut second = session(&bench.url, "second").await;
    let (mirror, fence) = (Mirror::new(bench.mirror.spec().clone()), bench.fence);
    let late = tokio::spawn(async move {
        let mut sizer = fixed(2);
        mirror
            .copy_chunk(&mut second, &fence, 0, &mut sizer)
            .await
            .unwrap()
    });
    bench.until_waiting("second").await;
    bench
        .app
        .batch_execute("delete from old where id in (8, 9)")
        .await
        .unwrap();
    doorkeeper.batch_execute("commit").await.unwrap();
    chunk.await.unwrap();
    let late = late.await.unwrap();
    assert_eq!((late.rows, late.is_lane_done), (0, false));
    bench
        .app
        .batch_execute("delete from old where id = 10")
        .await
        .unwrap();
    bench.drain().await;
    bench.copy_all(10).await;
    bench.drain().await;
    bench.assert_equal().await;
}
