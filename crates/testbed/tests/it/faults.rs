//! The proxy cuts where it was told to, and the traffic's ledger stays exact through it.

use std::time::Duration;

use corridor_testbed::Cluster;
use corridor_testbed::cluster::connect;
use corridor_testbed::faults::{Cut, FaultProxy, kill_at_random};
use corridor_testbed::traffic::{KeyType, Mix, StatementMode, Table, Traffic, TrafficOptions};

#[tokio::test]
async fn a_commit_is_cut_off_before_it_arrives_or_after_it_is_done() {
    let cluster = Cluster::shared(15).await;
    let database = cluster.fresh_database("commit").await.unwrap();
    let direct = connect(&database.url).await.unwrap();
    direct.batch_execute("create table t (x int)").await.unwrap();
    let proxy = FaultProxy::start(cluster.port()).unwrap();
    let url = proxy.url(&database.url).unwrap();
    for (i, (cut, is_kept)) in [(Cut::BeforePassing, false), (Cut::AfterDone, true)]
        .into_iter()
        .enumerate()
    {
        let mut client = connect(&url).await.unwrap();
        proxy.cut_at("commit", 1, cut);
        for x in 0..2 {
            let transaction = client.transaction().await.unwrap();
            transaction
                .execute("insert into t values ($1)", &[&(x + 10 * i as i32)])
                .await
                .unwrap();
            // The first passes.
            assert_eq!(transaction.commit().await.is_err(), x == 1);
        }
        proxy.wait_until_sprung(i as u64 + 1).await;
        let expected = if is_kept { 3 } else { 1 };
        let rows: i64 = direct
            .query_one("select count(*) from t", &[])
            .await
            .unwrap()
            .get(0);
        assert_eq!(rows, expected, "{cut:?}");
    }
}

#[tokio::test]
async fn a_prepared_statement_is_cut_off_when_it_is_executed() {
    let cluster = Cluster::shared(15).await;
    let database = cluster.fresh_database("prepared").await.unwrap();
    let direct = connect(&database.url).await.unwrap();
    direct.batch_execute("create table t (x int)").await.unwrap();
    let proxy = FaultProxy::start(cluster.port()).unwrap();
    let client = connect(&proxy.url(&database.url).unwrap()).await.unwrap();
    let insert = client.prepare("INSERT INTO t VALUES ($1)").await.unwrap();
    client.execute(&insert, &[&1]).await.unwrap();
    proxy.cut_at("insert into t", 0, Cut::AfterDone);
    // Prepared before the trap was set, so the proxy does not know its text; this one it does.
    client.execute(&insert, &[&2]).await.unwrap();
    let insert = client.prepare("INSERT INTO t VALUES ($1)").await.unwrap();
    assert!(client.execute(&insert, &[&3]).await.is_err());
    assert_eq!(proxy.sprung(), 1);
    let rows: i64 = direct
        .query_one("select count(*) from t", &[])
        .await
        .unwrap()
        .get(0);
    assert_eq!(rows, 3);
}

#[tokio::test]
async fn a_stalled_connection_stands_and_a_refusing_proxy_lets_nobody_in() {
    let cluster = Cluster::shared(15).await;
    let proxy = FaultProxy::start(cluster.port()).unwrap();
    let url = proxy.url(&cluster.url("postgres")).unwrap();
    let client = connect(&url).await.unwrap();
    proxy.stall(true);
    let select = client.query_one("select 1", &[]);
    tokio::pin!(select);
    let early = tokio::time::timeout(Duration::from_millis(100), &mut select).await;
    assert!(early.is_err(), "an answer came through a stalled proxy");
    proxy.stall(false);
    select.await.unwrap();
    proxy.refuse(true);
    assert!(connect(&url).await.is_err());
    client.query_one("select 1", &[]).await.unwrap();
    proxy.refuse(false);
    proxy.cut_all();
    assert!(client.query_one("select 1", &[]).await.is_err());
    connect(&url).await.unwrap();
}

/// Traffic on which commits and single statements lose their answers all the time, in both ways.
#[tokio::test]
async fn lost_answers_leave_the_ledger_exact() {
    let cluster = Cluster::shared(15).await;
    let database = cluster.fresh_database("lost answers").await.unwrap();
    let proxy = FaultProxy::start(cluster.port()).unwrap();
    let url = proxy.url(&database.url).unwrap();
    for mode in [StatementMode::Simple, StatementMode::Prepared] {
        let table = Table::ledger(&format!("t_{mode:?}"), KeyType::Uuid, 1_000);
        table.create(&database.url).await.unwrap();
        let options = TrafficOptions {
            mix: Mix::nasty(),
            mode,
            ..TrafficOptions::new(table.clone())
        };
        let traffic = Traffic::start(&url, options).await.unwrap();
        let before = proxy.sprung();
        let statements = ["commit", "update", "insert", "delete"];
        for i in 0..40 {
            let cut = if i % 4 == 0 {
                Cut::BeforePassing
            } else {
                Cut::AfterDone
            };
            proxy.cut_at(statements[i as usize % 3 * (i as usize % 2)], 2, cut);
            proxy.wait_until_sprung(before + i + 1).await;
        }
        let ledger = traffic.stop().await.unwrap();
        let comparison = ledger.compare(&database.url, &table.name).await.unwrap();
        assert!(comparison.is_exact(), "{mode:?}: {comparison}");
        assert_eq!(comparison.ambiguous_rows, 0);
        assert!(ledger.errors["connection"].count >= 40, "{:?}", ledger.errors);
    }
}

/// A server process that lost its client in the middle of a slow commit still commits. A ledger that looked at the rows
/// before that was over would note the opposite of what happens.
#[tokio::test]
async fn a_commit_that_outlives_its_connection_leaves_the_ledger_exact() {
    let cluster = Cluster::shared(15).await;
    let database = cluster.fresh_database("slow commits").await.unwrap();
    let table = Table::ledger("t", KeyType::BigInt, 100);
    table.create(&database.url).await.unwrap();
    let direct = connect(&database.url).await.unwrap();
    direct
        .batch_execute(
            "create function slow() returns trigger language plpgsql as \
             $$ begin perform pg_sleep(0.05); return null; end $$; \
             create constraint trigger slow after update on t deferrable initially deferred \
             for each row execute function slow()",
        )
        .await
        .unwrap();
    let proxy = FaultProxy::start(cluster.port()).unwrap();
    let options = TrafficOptions {
        mix: Mix {
            update: 1,
            ..Mix::none()
        },
        ..TrafficOptions::new(table)
    };
    let traffic = Traffic::start(&proxy.url(&database.url).unwrap(), options)
        .await
        .unwrap();
    for i in 1..=20 {
        proxy.cut_at("update", 3, Cut::AfterPassing);
        proxy.wait_until_sprung(i).await;
    }
    let ledger = traffic.stop().await.unwrap();
    let comparison = ledger.compare(&database.url, "t").await.unwrap();
    assert!(comparison.is_exact(), "{comparison}");
}

#[tokio::test]
async fn a_process_is_killed_or_found_to_have_ended() {
    let mut random = fastrand::Rng::with_seed(7);
    let mut sleeper = tokio::process::Command::new("sleep").arg("60").spawn().unwrap();
    let span = Duration::from_millis(10)..Duration::from_millis(30);
    let killed = kill_at_random(&mut sleeper, span, &mut random).await.unwrap();
    assert!(killed.was_running && killed.after >= Duration::from_millis(10));
    let mut quick = tokio::process::Command::new("sh")
        .args(["-c", "exit 5"])
        .spawn()
        .unwrap();
    let span = Duration::from_secs(20)..Duration::from_secs(30);
    let killed = kill_at_random(&mut quick, span, &mut random).await.unwrap();
    assert_eq!((killed.was_running, killed.exit_code), (false, Some(5)));
}

/// Neither side of a silenced connection hears anything, not even that the other one is gone; new ones are served.
#[tokio::test]
async fn a_silenced_connection_stands_and_says_nothing() {
    let cluster = Cluster::shared(15).await;
    let database = cluster.fresh_database("silence").await.unwrap();
    let direct = connect(&database.url).await.unwrap();
    let proxy = FaultProxy::start(cluster.port()).unwrap();
    let url = proxy.url(&database.url).unwrap();
    let named = |name: &str| format!("{url}?application_name={name}");
    let deaf = connect(&named("deaf%20one")).await.unwrap();
    let other = connect(&named("other")).await.unwrap();
    let row = deaf.query_one("select pg_backend_pid()", &[]).await.unwrap();
    let pid: i32 = row.get(0);
    assert_eq!(proxy.silence("deaf one"), 1);
    assert_eq!(proxy.silence("deaf one"), 0, "it is silent already");
    other.batch_execute("select 1").await.unwrap();
    connect(&named("deaf%20one"))
        .await
        .unwrap()
        .batch_execute("select 1")
        .await
        .unwrap();

    let asked = tokio::spawn(async move { deaf.batch_execute("select 2").await });
    direct
        .query_one("select pg_terminate_backend($1, 10000)", &[&pid])
        .await
        .unwrap();
    // Long enough for what the server's side said to arrive, if it did.
    other.batch_execute("select pg_sleep(0.5)").await.unwrap();
    assert!(!asked.is_finished());
    proxy.cut_all();
    assert!(asked.await.unwrap().is_err());
}
