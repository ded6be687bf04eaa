use std::sync::Arc;
use std::time::Duration;

use corridor_migration::heart::connector;
use corridor_migration::lease::{Tenure, take};
use corridor_migration::store::{self, logs};
use corridor_migration::{Heart, Lease, Pulse, Vitals};
use corridor_pg::{Isolation, Session};
use serde_json::json;
use tokio::sync::{Barrier, watch};
use tokio::time::timeout;

use crate::{LONG, Stage, grow_old, options, session, stage};

/// For what must happen, but nobody promises when.
const PATIENCE: Duration = Duration::from_secs(30);

async fn until(pulse: &mut watch::Receiver<Pulse>, wanted: Pulse) {
    timeout(PATIENCE, pulse.wait_for(|now| *now == wanted))
        .await
        .expect("in time")
        .unwrap();
}

#[tokio::test]
async fn a_living_worker_keeps_it_and_is_named() {
    let s = stage("held").await;
    let mut other = session(&s.database.url, "test", "m").await;
    let fault = take(&mut other, s.migration.id, "second@here 2", LONG)
        .await
        .unwrap_err();
    assert_eq!(fault.code().id, "MIG-009");
    assert!(fault.detail().contains("first@here 1"), "{fault}");
    let fault = take(&mut other, 4_711, "second@here 2", LONG).await.unwrap_err();
    assert_eq!(fault.code().id, "MIG-003");
}

#[tokio::test]
async fn it_is_the_holders_promise_that_counts() {
    // A newcomer with a short ttl must not think a holder with a long one dead.
    let s = stage("promise").await;
    s.session
        .execute("update corridor.heartbeat set at = at - interval '5 s'", &[])
        .await
        .unwrap();
    let mut other = session(&s.database.url, "test", "m").await;
    let taken = take(
        &mut other,
        s.migration.id,
        "second@here 2",
        Duration::from_secs(1),
    )
    .await;
    assert_eq!(taken.unwrap_err().code().id, "MIG-009");
}

#[tokio::test]
async fn a_released_one_can_be_taken_at_once() {
    let s = stage("released").await;
    assert!(s.lease.release(&s.session).await.unwrap());
    assert!(!s.lease.release(&s.session).await.unwrap(), "only once");
    let mut other = session(&s.database.url, "test", "m").await;
    let second = take(&mut other, s.migration.id, "second@here 2", LONG)
        .await
        .unwrap();
    assert_eq!(second.fence().epoch, s.lease.fence().epoch + 1);
    assert_eq!(second.taken_over_from, None);
    assert!(!s.lease.release(&s.session).await.unwrap(), "not ours any more");
    assert!(
        !s.lease.beat(&s.session, &Vitals::default()).await.unwrap(),
        "lost"
    );
    let tenure = Tenure::look(&*other, s.migration.id).await.unwrap();
    assert_eq!(tenure.holder.as_deref(), Some("second@here 2"));
    assert!(tenure.is_alive);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_eight_that_take_at_the_same_instant_one_wins() {
    let s = stage("race").await;
    let id = s.migration.id;
    const TAKERS: usize = 8;
    const ROUNDS: i64 = 60;
    let barrier = Arc::new(Barrier::new(TAKERS + 1));
    let mut tasks = Vec::new();
    for taker in 0..TAKERS {
        let mut session = session(&s.database.url, "take", "m").await;
        let barrier = Arc::clone(&barrier);
        tasks.push(tokio::spawn(async move {
            let mut won = Vec::new();
            for round in 0..ROUNDS {
                barrier.wait().await;
                match take(&mut session, id, &format!("taker-{taker}@here {round}"), LONG).await {
                    Ok(lease) => won.push(lease.fence().epoch),
                    Err(fault) => assert_eq!(fault.code().id, "MIG-009", "{fault}"),
                }
                barrier.wait().await;
            }
            won
        }));
    }
    for round in 0..ROUNDS {
        // In turn a lease that was released, and one whose worker died.
        if round % 2 == 0 {
            s.session
                .execute("update corridor.lease set holder = null, taken_at = null", &[])
                .await
                .unwrap();
        } else {
            grow_old(&s.session, id).await;
        }
        barrier.wait().await;
        barrier.wait().await;
    }
    let mut epochs = Vec::new();
    for task in tasks {
        epochs.extend(task.await.unwrap());
    }
    epochs.sort_unstable();
    let first = s.lease.fence().epoch;
    assert_eq!(
        epochs,
        (first + 1..=first + ROUNDS).collect::<Vec<_>>(),
        "one winner a round"
    );
}

/// A worker whose process is gone, while the server still has its session in the middle of a write.
async fn stalled(s: &Stage, application: &str) -> Session {
    let writer = session(&s.database.url, application, "m").await;
    writer
        .batch_execute("create table public.written (who text)")
        .await
        .unwrap();
    writer.batch_execute("begin").await.unwrap();
    writer
        .execute(
            "select 1 from corridor.lease where migration_id = $1 and epoch = $2 for share",
            &[&s.migration.id, &s.lease.fence().epoch],
        )
        .await
        .unwrap();
    writer
        .batch_execute("insert into public.written values ('dead')")
        .await
        .unwrap();
    writer
}

async fn write_fenced(session: &mut Session, lease: &Lease) {
    let tx = session.begin(Isolation::ReadCommitted).await.unwrap();
    lease.fence().hold(&tx).await.unwrap();
    tx.batch_execute("insert into public.written values ('living')")
        .await
        .unwrap();
    store::note(&tx, lease, "wrote", None, &json!({})).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a_dead_workers_stalled_transaction_cannot_commit_after_the_take_over() {
    let s = stage("stalled").await;
    let dead = stalled(&s, "copy").await;
    grow_old(&s.session, s.migration.id).await;
    let mut other = session(&s.database.url, "control", "m").await;
    let second = take(&mut other, s.migration.id, "second@here 2", LONG)
        .await
        .unwrap();
    assert_eq!(second.ended_backends, [dead.backend_pid()]);
    assert!(dead.batch_execute("commit").await.is_err());
    write_fenced(&mut other, &second).await;
    let rows = other.query("select who from public.written", &[]).await.unwrap();
    let who: Vec<&str> = rows.iter().map(|r| r.get(0)).collect();
    assert_eq!(who, ["living"]);
    let entries = logs(&*other, s.migration.id, 0, 100).await.unwrap();
    let taken = entries.iter().find(|e| e.event == "taken_over").unwrap();
    assert_eq!(taken.detail["from"], "first@here 1");
    assert_eq!(taken.detail["ended_backends"], json!([dead.backend_pid()]));
}

#[tokio::test]
async fn a_transaction_that_ends_in_time_is_left_to_end() {
    let s = stage("in_time").await;
    let dead = stalled(&s, "copy").await;
    grow_old(&s.session, s.migration.id).await;
    let mut other = session(&s.database.url, "control", "m").await;
    let other_pid = other.backend_pid();
    let id = s.migration.id;
    let taking = tokio::spawn(async move { take(&mut other, id, "second@here 2", LONG).await });
    // Until it waits for the row.
    wait_until_blocked(&s.session, other_pid).await;
    dead.batch_execute("commit").await.unwrap();
    let second = taking.await.unwrap().unwrap();
    assert!(second.ended_backends.is_empty());
    let row = s
        .session
        .query_one("select who from public.written", &[])
        .await
        .unwrap();
    assert_eq!(
        row.get::<_, &str>(0),
        "dead",
        "it was the owner when it committed"
    );
}

async fn wait_until_blocked(session: &Session, pid: i32) {
    timeout(PATIENCE, async {
        loop {
            let blocked: bool = session
                .query_one("select cardinality(pg_blocking_pids($1)) > 0", &[&pid])
                .await
                .unwrap()
                .get(0);
            if blocked {
                return;
            }
        }
    })
    .await
    .expect("it waits for the row");
}

#[tokio::test]
async fn a_worker_that_comes_back_to_life_while_it_is_taken_over_keeps_it() {
    let s = stage("revived").await;
    let dead = stalled(&s, "copy").await;
    grow_old(&s.session, s.migration.id).await;
    let mut other = session(&s.database.url, "control", "m").await;
    let other_pid = other.backend_pid();
    let id = s.migration.id;
    let taking = tokio::spawn(async move { take(&mut other, id, "second@here 2", LONG).await });
    wait_until_blocked(&s.session, other_pid).await;
    assert!(s.lease.beat(&s.session, &Vitals::default()).await.unwrap());
    dead.batch_execute("commit").await.unwrap();
    assert_eq!(taking.await.unwrap().unwrap_err().code().id, "MIG-009");
}

/// A worker that died between taking the row and committing holds it as nobody else does.
#[tokio::test]
async fn a_worker_that_died_while_it_took_the_lease_is_ended_too() {
    let s = stage("half_taken").await;
    let dead = session(&s.database.url, "control", "m").await;
    dead.batch_execute("begin; update corridor.lease set taken_at = clock_timestamp()")
        .await
        .unwrap();
    s.session
        .batch_execute("update corridor.heartbeat set ttl_ms = 1, at = at - interval '1 s'")
        .await
        .unwrap();
    let mut other = session(&s.database.url, "control", "m").await;
    let second = take(&mut other, s.migration.id, "second@here 2", LONG)
        .await
        .unwrap();
    assert_eq!(second.ended_backends, [dead.backend_pid()]);
}

/// Whoever else locks the row, however much it looks like us, is not ended.
#[tokio::test]
async fn nobody_elses_session_is_ended() {
    let s = stage("others").await;
    let application = options(&s.database.url)
        .connect(&corridor_pg::ApplicationName::new("copy", "m"))
        .await
        .unwrap();
    application
        .batch_execute("set application_name = 'psql'; begin; select * from corridor.lease for share")
        .await
        .unwrap();
    let neighbour = session(&s.database.url, "copy", "m-2").await;
    neighbour
        .batch_execute("begin; select * from corridor.lease for share")
        .await
        .unwrap();
    let bystander = session(&s.database.url, "copy", "m").await;
    bystander
        .batch_execute("begin; select * from corridor.migration")
        .await
        .unwrap();
    let dead = stalled(&s, "copy").await;
    grow_old(&s.session, s.migration.id).await;
    let mut other = session(&s.database.url, "control", "m").await;
    let dead_pid = dead.backend_pid();
    let id = s.migration.id;
    let taking = tokio::spawn(async move { take(&mut other, id, "second@here 2", LONG).await });
    // The dead one goes, the others stay and block, until they leave by themselves.
    timeout(PATIENCE, async {
        while !dead.is_closed() {
            let _ = dead.simple_query("select 1").await;
        }
    })
    .await
    .expect("the dead worker's backend is ended");
    for session in [&application, &neighbour, &bystander] {
        session.batch_execute("select 1; commit").await.unwrap();
    }
    assert_eq!(taking.await.unwrap().unwrap().ended_backends, [dead_pid]);
}

/// What the dead worker left belongs to a role whose sessions ours may not end. They are waited for, then named; nothing
/// is forced, and the lease stays as it was until they are gone.
#[tokio::test]
async fn leftovers_that_we_may_not_end_are_named_after_the_budget() {
    let s = stage("not_ours").await;
    let id = s.migration.id;
    let dead = stalled(&s, "copy").await;
    let role = format!("successor_{}", s.database.name);
    s.session
        .batch_execute(&format!(
            "create role {role} login; grant usage on schema corridor to {role}; \
             grant select, insert, update, delete on all tables in schema corridor to {role}; \
             grant usage on all sequences in schema corridor to {role}"
        ))
        .await
        .unwrap();
    grow_old(&s.session, id).await;
    let url = s.database.url.replace("postgres@", &format!("{role}@"));
    let mut other = session(&url, "control", "m").await;
    let begun = std::time::Instant::now();
    let fault = take(&mut other, id, "second@here 2", LONG).await.unwrap_err();
    let waited = begun.elapsed();
    assert_eq!(
        (fault.code().id, fault.code().exit.code()),
        ("MIG-010", 5),
        "{fault}"
    );
    assert!((30..40).contains(&waited.as_secs()), "{waited:?}");
    let who = format!("{} (role postgres, {})", dead.backend_pid(), dead.name().as_str());
    assert!(fault.detail().contains(&who), "{who}: {fault}");
    let tenure = Tenure::look(&*other, id).await.unwrap();
    assert_eq!(tenure.epoch, s.lease.fence().epoch);
    assert_eq!(tenure.holder.as_deref(), Some("first@here 1"));

    // It was not ended, and may still commit: it is the owner.
    dead.batch_execute("commit").await.unwrap();
    let second = take(&mut other, id, "second@here 2", LONG).await.unwrap();
    assert!(second.ended_backends.is_empty());
    assert_eq!(second.fence().epoch, s.lease.fence().epoch + 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_heart_beats_reconnects_and_hears_of_its_loss() {
    let s = stage("heart").await;
    let id = s.migration.id;
    s.lease.release(&s.session).await.unwrap();
    let mut worker = session(&s.database.url, "control", "m").await;
    let lease = take(&mut worker, id, "heart@here 3", LONG).await.unwrap();
    let connector = connector(options(&s.database.url), "heart", "m");
    let heart = Heart::start(connector, lease, Duration::from_millis(50));
    heart.report(Vitals {
        backend_pids: vec![worker.backend_pid()],
        progress: json!({ "rows": 1 }),
    });
    wait_for_progress(&s.session, id, json!({ "rows": 1 })).await;
    // The connection breaks; the heart makes a new one.
    let ended: i64 = s
        .session
        .query_one(
            "select count(pg_terminate_backend(pid)) from pg_stat_activity \
             where application_name = 'corridor:heart:m' and datname = current_database()",
            &[],
        )
        .await
        .unwrap()
        .get(0);
    assert_eq!(ended, 1);
    heart.report_with(|vitals| vitals.progress = json!({ "rows": 2 }));
    wait_for_progress(&s.session, id, json!({ "rows": 2 })).await;
    assert_eq!(heart.pulse_now(), Pulse::Alive);

    let mut pulse = heart.pulse();
    s.session
        .batch_execute("update corridor.lease set holder = null, taken_at = null")
        .await
        .unwrap();
    let mut other = session(&s.database.url, "control", "m").await;
    take(&mut other, id, "other@here 4", LONG).await.unwrap();
    until(&mut pulse, Pulse::Lost).await;
}

async fn wait_for_progress(session: &Session, migration_id: i64, wanted: serde_json::Value) {
    timeout(PATIENCE, async {
        while Tenure::look(&**session, migration_id).await.unwrap().progress != wanted {}
    })
    .await
    .expect("a beat comes through");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_heart_that_cannot_beat_is_stale_in_time_and_recovers() {
    let s = stage("stale").await;
    let id = s.migration.id;
    s.lease.release(&s.session).await.unwrap();
    let mut worker = session(&s.database.url, "control", "m").await;
    let lease = take(&mut worker, id, "heart@here 3", Duration::from_millis(600))
        .await
        .unwrap();
    let heart = Heart::start_for(connector(options(&s.database.url), "heart", "m"), lease);
    let mut pulse = heart.pulse();
    // Its beats hang on the row: as good as a network that swallows everything.
    s.session
        .batch_execute("begin; select * from corridor.heartbeat for update")
        .await
        .unwrap();
    until(&mut pulse, Pulse::Stale).await;
    let age: f64 = worker
        .query_one(
            "select extract(epoch from clock_timestamp() - at)::float8 * 1000 from corridor.heartbeat",
            &[],
        )
        .await
        .unwrap()
        .get(0);
    assert!(age >= 100.0, "not before it had to: {age}");
    s.session.batch_execute("commit").await.unwrap();
    until(&mut pulse, Pulse::Alive).await;
    heart.stop().await;
}
