//! The change log is rotated: what was forgotten leaves it while somebody holds the horizon, and nothing is lost by it.

use corridor_mirror::{Caretaker, Mirror};
use corridor_pg::Session;
use corridor_pg::fence::Fence;

use crate::bench::{Bench, fixed, session};

/// As if the slots were full with the first change, and as a worker does that has just come.
async fn rotate(bench: &mut Bench) {
    let mut caretaker = Caretaker::new(1);
    let (writer, fence) = (&mut bench.writer, &bench.fence);
    bench.mirror.rotate(writer, fence, &mut caretaker).await.unwrap();
}

async fn copied(label: &str) -> Bench {
    let mut bench = Bench::simple(label, 30).await;
    bench.plan(2).await;
    bench.copy_all(10).await;
    bench
}

/// `0: 8192, 1: 0*`: the slots with the bytes of their rows; a star: the current one.
async fn slots(bench: &Bench) -> String {
    let sql = "select string_agg(slot || ': ' || pg_relation_size('corridor.change_7_fwd_s' || slot) \
               || case when is_current then '*' else '' end, ', ' order by slot) from corridor.slot_7_fwd";
    bench.app.query_one(sql, &[]).await.unwrap().get(0)
}

async fn write(app: &Session, sql: &str) {
    app.batch_execute(&format!("set search_path = public; {sql}"))
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_forgotten_leaves_the_log_while_the_horizon_is_held() {
    let mut bench = copied("rotation_horizon").await;
    let holder = session(&bench.url, "holder").await;
    write(
        &holder,
        "begin isolation level repeatable read; select count(*) from old",
    )
    .await;
    for turn in 0..6 {
        write(
            &bench.app,
            &format!("update old set v = 'turn {turn}'; delete from old where id = {turn}"),
        )
        .await;
        bench.drain().await;
        rotate(&mut bench).await;
        let wanted = match turn % 2 {
            0 => "0: 8192, 1: 0*",
            _ => "0: 0*, 1: 8192",
        };
        assert_eq!(slots(&bench).await, wanted);
        bench.assert_equal().await;
    }
    let dead: i64 = bench
        .app
        .query_one("select count(*) from corridor.change_7_fwd", &[])
        .await
        .unwrap()
        .get(0);
    assert_eq!(dead, 0);
}

/// A transaction that has written into a slot keeps it from being emptied, seen or not.
#[tokio::test(flavor = "multi_thread")]
async fn a_slot_with_an_open_transaction_is_not_emptied() {
    let mut bench = copied("rotation_open").await;
    let late = session(&bench.url, "late").await;
    write(&late, "begin; update old set v = 'late' where id = 1").await;
    rotate(&mut bench).await;
    assert_eq!(slots(&bench).await, "0: 8192, 1: 0*");
    bench.drain().await;
    rotate(&mut bench).await; // nothing to be seen in it, and it is held
    assert_eq!(slots(&bench).await, "0: 8192, 1: 0*");
    late.batch_execute("update public.old set v = 'later' where id = 2; commit")
        .await
        .unwrap();
    assert_eq!(slots(&bench).await, "0: 8192, 1: 8192*");
    rotate(&mut bench).await; // it is free, and something is in it
    assert_eq!(slots(&bench).await, "0: 8192, 1: 8192*");
    assert_eq!(bench.round().await.refreshed, 2);
    rotate(&mut bench).await;
    assert_eq!(slots(&bench).await, "0: 0*, 1: 8192");
    bench.assert_equal().await;
}

/// The slot looks empty; then its writer commits, while we wait for it. So it is looked at again, under its lock.
#[tokio::test(flavor = "multi_thread")]
async fn what_commits_at_the_last_moment_is_seen() {
    let mut bench = copied("rotation_last").await;
    let late = session(&bench.url, "late").await;
    write(
        &late,
        "begin; update old set v = 'late' where id = 1; delete from old where id = 2",
    )
    .await;
    rotate(&mut bench).await;
    let mut caring = session(&bench.url, "caring").await;
    let mut caretaker = Caretaker::new(1).patient(20_000);
    let emptying = bench.mirror.rotate(&mut caring, &bench.fence, &mut caretaker);
    let meanwhile = async {
        bench.until_waiting("caring").await;
        late.batch_execute("commit").await.unwrap();
    };
    tokio::join!(emptying, meanwhile).0.unwrap();
    assert_eq!(slots(&bench).await, "0: 8192, 1: 0*");
    assert_eq!(bench.round().await.refreshed, 2);
    bench.assert_equal().await;
}

/// A transaction that was prepared keeps its slot too, although its session is gone.
#[tokio::test(flavor = "multi_thread")]
async fn a_slot_with_a_prepared_transaction_is_not_emptied() {
    let mut bench = copied("rotation_prepared").await;
    let late = session(&bench.url, "late").await;
    write(
        &late,
        "begin; update old set v = 'late' where id = 1; prepare transaction 'rotation'",
    )
    .await;
    drop(late);
    for _ in 0..2 {
        rotate(&mut bench).await;
        assert_eq!(slots(&bench).await, "0: 8192, 1: 0*");
    }
    bench
        .app
        .batch_execute("commit prepared 'rotation'")
        .await
        .unwrap();
    bench.drain().await;
    rotate(&mut bench).await;
    assert_eq!(slots(&bench).await, "0: 0, 1: 0*");
    bench.assert_equal().await;
}

/// A session that has not heard of the switch when it comes to write: its change is in the old slot, and is found there.
#[tokio::test(flavor = "multi_thread")]
async fn a_late_writer_is_not_missed() {
    let mut bench = copied("rotation_late").await;
    write(&bench.app, "update old set v = 'x' where id = 1").await;
    bench.drain().await;
    rotate(&mut bench).await;
    rotate(&mut bench).await;
    assert_eq!(slots(&bench).await, "0: 0, 1: 0*");
    let late = "begin; update old set v = 'late' where id = 2; \
                delete from corridor.change_7_fwd_s1; insert into corridor.change_7_fwd_s0 (k1) values (2); commit";
    write(&bench.app, late).await;
    assert_eq!(bench.mirror.pending(&*bench.app, 10).await.unwrap(), 1);
    rotate(&mut bench).await;
    assert_eq!(bench.mirror.pending(&*bench.app, 10).await.unwrap(), 1);
    bench.drain().await;
    bench.assert_equal().await;
}

/// A dump locks every table that it finds. New slots are made beside it, and take turns.
#[tokio::test(flavor = "multi_thread")]
async fn slots_that_are_held_get_company() {
    let mut bench = copied("rotation_dump").await;
    let dump = session(&bench.url, "dump").await;
    write(
        &dump,
        "begin isolation level repeatable read; lock table corridor.change_7_fwd in access share mode",
    )
    .await;
    for turn in 0..6 {
        write(&bench.app, &format!("update old set v = 'turn {turn}'")).await;
        bench.drain().await;
        rotate(&mut bench).await;
    }
    assert_eq!(slots(&bench).await, "0: 8192, 1: 8192, 2: 0*, 3: 8192");
    dump.batch_execute("commit").await.unwrap();
    rotate(&mut bench).await;
    assert_eq!(slots(&bench).await, "0: 0, 1: 0, 2: 0*, 3: 0");
    write(&bench.app, "truncate old; insert into old values (7, 'after')").await;
    assert!(bench.round().await.is_truncated);
    rotate(&mut bench).await;
    assert_eq!(slots(&bench).await, "0: 0*, 1: 0, 2: 8192, 3: 0");
    let replayed = bench
        .mirror
        .replay_truncate(&mut bench.writer, &bench.fence)
        .await;
    assert!(replayed.unwrap());
    bench.copy_all(10).await;
    bench.assert_equal().await;
    for sql in bench.mirror.spec().drop_trigger_statements(&[]) {
        bench.app.batch_execute(&sql).await.unwrap();
    }
    for sql in bench.mirror.spec().drop_statements() {
        bench.app.batch_execute(&sql).await.unwrap();
    }
    let left: i64 = bench
        .app
        .query_one(
            "select count(*) from pg_class where relname like '%7\\_fwd%'",
            &[],
        )
        .await
        .unwrap()
        .get(0);
    assert_eq!(left, 0, "all slots go with the log");
}

/// The triggers are the same ones after a switch: nobody takes it for a capture that was switched off and on.
#[tokio::test(flavor = "multi_thread")]
async fn a_switch_leaves_the_triggers_alone() {
    let mut bench = copied("rotation_triggers").await;
    let before = bench.mirror.capture_digest(&*bench.app).await.unwrap();
    write(&bench.app, "update old set v = 'x'").await;
    rotate(&mut bench).await;
    assert_eq!(slots(&bench).await, "0: 8192, 1: 0*");
    assert_eq!(bench.mirror.capture_digest(&*bench.app).await.unwrap(), before);
    bench.mirror.check_capture(&*bench.app, 1).await.unwrap();
}

/// Comparisons hold the log one after the other, without a gap. Who empties a slot queues between two of them.
#[tokio::test(flavor = "multi_thread")]
async fn comparisons_let_a_slot_be_emptied_between_two() {
    let mut bench = copied("rotation_compare").await;
    write(&bench.app, "update old set v = 'x'").await;
    bench.drain().await;
    rotate(&mut bench).await;
    assert_eq!(slots(&bench).await, "0: 8192, 1: 0*");
    let lane = bench.mirror.lanes(&*bench.app).await.unwrap().remove(0);
    // A comparison that comes to the table of its results and waits there.
    let locker = session(&bench.url, "locker").await;
    let stall = "begin; lock table corridor.check_7_fwd in share mode";
    locker.batch_execute(stall).await.unwrap();
    let mut comparer = session(&bench.url, "comparer").await;
    let (mirror, fence) = (&bench.mirror, &bench.fence);
    let mut caretaker = Caretaker::new(1);
    let (mut sizer, mut caring) = (fixed(1_000), session(&bench.url, "caring").await);
    let comparison = mirror.verify_next(&mut comparer, fence, 1, &lane, &mut sizer);
    let meanwhile = async {
        bench.until_waiting("comparer").await;
        mirror.rotate(&mut caring, fence, &mut caretaker).await.unwrap();
        assert_eq!(slots(&bench).await, "0: 8192, 1: 0*");
        locker.batch_execute("commit").await.unwrap();
    };
    assert!(tokio::join!(comparison, meanwhile).0.unwrap().is_lane_done);
    // The next one would wait; the caretaker has its turn, a second after its last look.
    crate::bench::until(async || {
        mirror.rotate(&mut caring, fence, &mut caretaker).await.unwrap();
        slots(&bench).await == "0: 0, 1: 0*"
    })
    .await;
    let checked = mirror.verify_next(&mut comparer, fence, 2, &lane, &mut sizer);
    assert!(checked.await.unwrap().is_lane_done);
}

/// A comparison's snapshot sees changes that are forgotten and whose slot would be emptied while it reads: it would take
/// explained differences for faults. It has locked the log, so nobody empties it.
#[tokio::test(flavor = "multi_thread")]
async fn a_comparison_is_not_robbed_of_its_explanations() {
    let mut bench = copied("rotation_robbed").await;
    write(&bench.app, "update old set v = 'explained' where id in (3, 4)").await;
    let lane = bench.mirror.lanes(&*bench.app).await.unwrap().remove(0);
    // Under a lease of its own, so that it can be stopped at it: there its snapshot is taken.
    bench
        .app
        .batch_execute("insert into corridor.lease values (8, 1)")
        .await
        .unwrap();
    let locker = session(&bench.url, "locker").await;
    let stall = "begin; select from corridor.lease where migration_id = 8 for update";
    locker.batch_execute(stall).await.unwrap();
    let mut comparer = session(&bench.url, "comparer").await;
    // A worker of another process: nothing but the database keeps the two apart.
    let other = Mirror::new(bench.mirror.spec().clone());
    let fence = Fence {
        migration_id: 8,
        epoch: 1,
    };
    let comparison = tokio::spawn(async move {
        let mut sizer = fixed(1_000);
        let checked = other
            .verify_next(&mut comparer, &fence, 1, &lane, &mut sizer)
            .await;
        checked.unwrap()
    });
    bench.until_waiting("comparer").await;
    rotate(&mut bench).await;
    bench.drain().await;
    rotate(&mut bench).await;
    assert_eq!(slots(&bench).await, "0: 8192, 1: 0*");
    locker.batch_execute("rollback").await.unwrap();
    let checked = comparison.await.unwrap();
    assert_eq!((checked.pending_keys, checked.differing_keys), (2, 0));
    rotate(&mut bench).await;
    assert_eq!(slots(&bench).await, "0: 0, 1: 0*");
    bench.assert_equal().await;
}
