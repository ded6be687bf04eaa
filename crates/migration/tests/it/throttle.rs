use std::collections::BTreeMap;
use std::time::Duration;

use corridor_migration::setting::Settings;
use corridor_migration::throttle::{Leave, Reading, Readings, Sampler, Signal, decide};
use corridor_pg::Session;
use corridor_testbed::{Cluster, ClusterOptions};
use tokio::time::timeout;

use crate::{MAJOR, fresh, session};

const PATIENCE: Duration = Duration::from_secs(30);

fn settings(pairs: &[(&str, &str)]) -> Settings {
    let stored: BTreeMap<String, String> = pairs.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
    Settings::resolve(&stored).unwrap()
}

fn figure(readings: &Readings, signal: Signal) -> f64 {
    match readings.get(signal) {
        Some(Reading::Measured { figure }) => *figure,
        other => panic!("{signal}: {other:?}"),
    }
}

fn reasons(readings: &Readings, settings: &Settings) -> Vec<Signal> {
    match decide(readings, &settings.limits, Duration::ZERO, Duration::from_secs(5)) {
        Leave::Go => Vec::new(),
        Leave::Hold { reasons } => reasons.iter().map(|r| r.signal).collect(),
    }
}

#[tokio::test]
async fn a_quiet_server_lets_us_go() {
    let database = fresh("quiet").await;
    let one = session(&database.url, "throttle", "m").await;
    let settings = settings(&[("throttle.oldest_transaction_s", "3600")]);
    let mut sampler = Sampler::new();
    let readings = sampler.sample(&one, &settings).await;
    assert_eq!(figure(&readings, Signal::ReplicaLagMs), 0.0);
    assert_eq!(figure(&readings, Signal::LockWaiters), 0.0);
    assert_eq!(figure(&readings, Signal::SlotRetainedBytes), 0.0);
    figure(&readings, Signal::ActivePerCore);
    figure(&readings, Signal::OldestTransactionS);
    assert!(matches!(
        readings.get(Signal::WalBytesPerS),
        Some(Reading::Absent { .. })
    ));
    assert!(readings.get(Signal::Custom).is_none());
    assert!(reasons(&readings, &settings).is_empty(), "{readings:?}");
}

/// Samples until `signal` is above `floor`: what the server shows of others' sessions comes with a delay.
async fn sample_until(session: &Session, settings: &Settings, signal: Signal, floor: f64) -> Readings {
    let mut sampler = Sampler::new();
    timeout(PATIENCE, async {
        loop {
            let readings = sampler.sample(session, settings).await;
            if matches!(readings.get(signal), Some(Reading::Measured { figure }) if *figure > floor) {
                return readings;
            }
        }
    })
    .await
    .unwrap_or_else(|_| panic!("{signal} never rose above {floor}"))
}

#[tokio::test]
async fn those_who_wait_for_locks_hold_us_but_ours_do_not_count() {
    let database = fresh("waiters").await;
    let cluster = Cluster::shared(MAJOR).await;
    let holder = cluster.connect(&database.name).await.unwrap();
    holder.batch_execute("create table t (id int)").await.unwrap();
    holder
        .batch_execute("begin; lock table t in access exclusive mode")
        .await
        .unwrap();
    let ours = session(&database.url, "copy", "m").await;
    let ours = tokio::spawn(async move { ours.batch_execute("lock table public.t").await.is_err() });
    let waiter = cluster.connect(&database.name).await.unwrap();
    let waiter = tokio::spawn(async move { waiter.batch_execute("select * from t").await });
    let one = session(&database.url, "throttle", "m").await;
    let settings = settings(&[
        ("throttle.lock_waiters", "0"),
        ("throttle.active_per_core", "0"),
        ("throttle.cores", "2"),
    ]);
    let readings = sample_until(&one, &settings, Signal::LockWaiters, 0.0).await;
    assert_eq!(figure(&readings, Signal::LockWaiters), 1.0);
    assert!(
        figure(&readings, Signal::ActivePerCore) >= 0.5,
        "it is active while it waits"
    );
    assert_eq!(
        reasons(&readings, &settings),
        [Signal::LockWaiters, Signal::ActivePerCore]
    );
    holder.batch_execute("commit").await.unwrap();
    waiter.await.unwrap().unwrap();
    ours.await.unwrap();
}

#[tokio::test]
async fn wal_old_transactions_and_slots_are_measured() {
    // A cluster of its own: WAL, slots and transactions are the whole server's.
    let options = ClusterOptions::new(MAJOR).setting("wal_level", "logical");
    let cluster = Cluster::start(options).await.unwrap();
    let database = cluster.fresh_database("wal").await.unwrap();
    let client = cluster.connect(&database.name).await.unwrap();
    client
        .batch_execute("create table t (x text); select pg_create_physical_replication_slot('s', true)")
        .await
        .unwrap();
    let old = cluster.connect(&database.name).await.unwrap();
    old.batch_execute("begin; select 1").await.unwrap();
    let one = session(&database.url, "throttle", "m").await;
    let settings = settings(&[
        ("throttle.wal_bytes_per_s", "1000"),
        ("throttle.slot_retained_bytes", "100000"),
        ("throttle.oldest_transaction_s", "0"),
    ]);
    let mut sampler = Sampler::new();
    let first = sampler.sample(&one, &settings).await;
    assert!(
        reasons(&first, &settings).contains(&Signal::WalBytesPerS),
        "a set limit holds until it is known"
    );
    client
        .batch_execute("insert into t select repeat('x', 1000) from generate_series(1, 5000)")
        .await
        .unwrap();
    let readings = sampler.sample(&one, &settings).await;
    assert!(
        figure(&readings, Signal::WalBytesPerS) > 1_000_000.0,
        "{readings:?}"
    );
    assert!(
        figure(&readings, Signal::SlotRetainedBytes) > 1_000_000.0,
        "{readings:?}"
    );
    assert!(
        figure(&readings, Signal::OldestTransactionS) > 0.0,
        "{readings:?}"
    );
    assert_eq!(
        reasons(&readings, &settings),
        [
            Signal::OldestTransactionS,
            Signal::WalBytesPerS,
            Signal::SlotRetainedBytes
        ]
    );
    drop(old);
}

#[tokio::test]
async fn the_users_own_query_is_read_only_bounded_and_degrades_by_itself() {
    let database = fresh("custom").await;
    let one = session(&database.url, "throttle", "m").await;
    one.batch_execute("create table public.t as select 41 + 1 as queue")
        .await
        .unwrap();
    let mut sampler = Sampler::new();
    let mut with = async |query: &str| {
        let settings = settings(&[("throttle.custom", "40"), ("throttle.custom.query", query)]);
        let readings = sampler.sample(&one, &settings).await;
        // Whatever happens to it, the others are measured.
        figure(&readings, Signal::SlotRetainedBytes);
        assert_eq!(reasons(&readings, &settings), [Signal::Custom], "{query}");
        readings.get(Signal::Custom).unwrap().clone()
    };
    assert_eq!(
        with("select queue from public.t -- mine").await,
        Reading::Measured { figure: 42.0 }
    );
    assert_eq!(
        with("select 1000000.5::numeric;").await,
        Reading::Measured { figure: 1_000_000.5 }
    );
    for (query, why) in [
        (
            "with d as (delete from public.t returning 1) select count(*) from d",
            "WITH",
        ),
        ("select nextval('public.s')", "does not exist"),
        ("select pg_sleep(5)::text::float8", "statement timeout"),
        ("select 1, 2", "one column"),
        ("select null::int", "NULL"),
        ("select generate_series(1, 2)", "one row"),
        ("select 1; commit", "multiple commands"),
        ("commit", ""),
        ("select 1) as c (figure); drop table public.t; --", ""),
        ("select 'x'", "22P02"),
    ] {
        match with(query).await {
            Reading::Failed { why: said } => assert!(said.contains(why), "{query}: {said}"),
            other => panic!("{query}: {other:?}"),
        }
    }
    assert_eq!(
        with("").await,
        Reading::Absent {
            why: "throttle.custom.query is not set".into()
        }
    );
    one.query_one("select queue from public.t", &[]).await.unwrap();
}

#[tokio::test]
async fn without_pg_monitor_a_default_limit_passes_and_a_set_one_holds() {
    let database = fresh("monitor").await;
    let cluster = Cluster::shared(MAJOR).await;
    let admin = cluster.connect(&database.name).await.unwrap();
    let role = format!("plain_{}", database.name);
    admin
        .batch_execute(&format!("create role {role} login"))
        .await
        .unwrap();
    let plain = session(
        &database.url.replace("postgres@", &format!("{role}@")),
        "throttle",
        "m",
    )
    .await;
    let mut sampler = Sampler::new();
    let by_default = settings(&[]);
    let readings = sampler.sample(&plain, &by_default).await;
    let Some(Reading::Absent { why }) = readings.get(Signal::ActivePerCore) else {
        panic!("{readings:?}");
    };
    assert!(why.contains("pg_monitor"), "{why}");
    figure(&readings, Signal::LockWaiters);
    assert!(reasons(&readings, &by_default).is_empty());
    let set = settings(&[("throttle.active_per_core", "4")]);
    assert_eq!(reasons(&readings, &set), [Signal::ActivePerCore]);

    admin
        .batch_execute(&format!("grant pg_monitor to {role}"))
        .await
        .unwrap();
    let readings = sampler.sample(&plain, &set).await;
    figure(&readings, Signal::ActivePerCore);
}

#[tokio::test]
async fn a_connection_that_is_gone_holds_everything() {
    let database = fresh("gone").await;
    let one = session(&database.url, "throttle", "m").await;
    let cluster = Cluster::shared(MAJOR).await;
    let admin = cluster.connect(&database.name).await.unwrap();
    admin
        .execute("select pg_terminate_backend($1, 10000)", &[&one.backend_pid()])
        .await
        .unwrap();
    let settings = settings(&[]);
    let readings = Sampler::new().sample(&one, &settings).await;
    assert_eq!(
        reasons(&readings, &settings).len(),
        settings.limits.iter().count()
    );
}

#[tokio::test]
async fn the_applications_statements_are_timed_and_ours_are_not() {
    let options = ClusterOptions::new(MAJOR).setting("shared_preload_libraries", "pg_stat_statements");
    let cluster = Cluster::start(options).await.unwrap();
    let database = cluster.fresh_database("statements").await.unwrap();
    let one = session(&database.url, "throttle", "m").await;
    let on = settings(&[("throttle.statement_mean_ms", "20")]);
    let readings = Sampler::new().sample(&one, &on).await;
    assert!(matches!(
        readings.get(Signal::StatementMeanMs),
        Some(Reading::Absent { .. })
    ));
    assert_eq!(
        reasons(&readings, &on),
        [Signal::StatementMeanMs],
        "a limit that was set is never passed over"
    );

    let client = cluster.connect(&database.name).await.unwrap();
    client
        .batch_execute("create schema stats; create extension pg_stat_statements schema stats")
        .await
        .unwrap();
    let mut sampler = Sampler::new();
    sampler.sample(&one, &on).await;
    sampler.sample(&one, &on).await;
    client
        .batch_execute("/* corridor */ select pg_sleep(0.3)")
        .await
        .unwrap();
    let readings = sampler.sample(&one, &on).await;
    assert!(
        figure(&readings, Signal::StatementMeanMs) < 20.0,
        "ours do not count: {readings:?}"
    );
    client.batch_execute("select pg_sleep(0.1), 'app'").await.unwrap();
    let readings = sampler.sample(&one, &on).await;
    assert!(figure(&readings, Signal::StatementMeanMs) >= 20.0, "{readings:?}");
    assert_eq!(reasons(&readings, &on), [Signal::StatementMeanMs]);
}

/// A replica that stops replaying while writes go on: its lag grows past the limit and holds the copy; when it replays
/// again, the copy is let go.
#[tokio::test]
async fn a_replica_that_falls_behind_holds_us_until_it_is_back() {
    let cluster = Cluster::start(ClusterOptions::new(MAJOR)).await.unwrap();
    let database = cluster.fresh_database("lag").await.unwrap();
    let replica = cluster.replica("behind").await.unwrap();
    let client = cluster.connect(&database.name).await.unwrap();
    client.batch_execute("create table t (x int)").await.unwrap();
    replica.wait_until_caught_up(&cluster).await.unwrap();
    let one = session(&database.url, "throttle", "m").await;
    let settings = settings(&[("throttle.replica_lag_ms", "400")]);
    let mut sampler = Sampler::new();
    let readings = sampler.sample(&one, &settings).await;
    assert!(reasons(&readings, &settings).is_empty(), "{readings:?}");

    replica.pause_replay().await.unwrap();
    let mut seen = Vec::new();
    timeout(PATIENCE, async {
        while seen.last().is_none_or(|lag| *lag <= 800.0) {
            client.batch_execute("insert into t values (1)").await.unwrap();
            let readings = sampler.sample(&one, &settings).await;
            let lag = figure(&readings, Signal::ReplicaLagMs);
            let holds = reasons(&readings, &settings) == [Signal::ReplicaLagMs];
            assert_eq!(holds, lag > 400.0, "{readings:?}");
            seen.push(lag);
        }
    })
    .await
    .unwrap_or_else(|_| panic!("the lag does not grow: {:?}", seen.last()));
    assert!(
        seen.iter().any(|lag| *lag > 400.0 && *lag < 800.0),
        "it jumps: {seen:?}"
    );

    replica.resume_replay().await.unwrap();
    timeout(PATIENCE, async {
        while !reasons(&sampler.sample(&one, &settings).await, &settings).is_empty() {
            client.batch_execute("insert into t values (1)").await.unwrap();
        }
    })
    .await
    .expect("it lets go");
}

/// A commit that waits for a synchronous standby is not heard of by anybody else. The sampler writes nothing, so it is
/// not stuck with it: it says what stands still, and for how long.
#[tokio::test]
async fn a_stalled_synchronous_standby_holds_us_and_not_the_sampler() {
    let cluster = Cluster::start(ClusterOptions::new(MAJOR)).await.unwrap();
    let database = cluster.fresh_database("stalled").await.unwrap();
    let replica = cluster.replica("sync").await.unwrap();
    let client = cluster.connect(&database.name).await.unwrap();
    for sql in [
        "create table t (x int)",
        "alter system set synchronous_standby_names = 'sync'",
        "select pg_reload_conf()",
    ] {
        client.batch_execute(sql).await.unwrap();
    }
    let one = session(&database.url, "throttle", "m").await;
    timeout(PATIENCE, async {
        let sql = "select sync_state = 'sync' from pg_stat_replication where application_name = 'sync'";
        while !one.query_one(sql, &[]).await.unwrap().get::<_, bool>(0) {}
    })
    .await
    .expect("it is the synchronous one");

    replica.pause_replay().await.unwrap();
    let writer = tokio::spawn(async move {
        client
            .batch_execute("set synchronous_commit = remote_apply; insert into t values (1)")
            .await
    });
    let settings = settings(&[
        ("throttle.replica_lag_ms", "1000"),
        ("throttle.oldest_transaction_s", "1"),
    ]);
    let begun = std::time::Instant::now();
    let readings = sample_until(&one, &settings, Signal::ReplicaLagMs, 1_000.0).await;
    assert!(begun.elapsed() > Duration::from_millis(900), "{readings:?}");
    let readings = sample_until(&one, &settings, Signal::OldestTransactionS, 1.0).await;
    assert_eq!(
        reasons(&readings, &settings),
        [Signal::ReplicaLagMs, Signal::OldestTransactionS]
    );
    assert!(!writer.is_finished());

    replica.resume_replay().await.unwrap();
    timeout(PATIENCE, writer)
        .await
        .expect("the commit comes back")
        .unwrap()
        .unwrap();
}
