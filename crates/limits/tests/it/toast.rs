//! TOAST ids, on servers of their own: the counter of object ids is the cluster's.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use corridor_limits::apply::{execute, plan};
use corridor_limits::fault::TOAST_IDS;
use corridor_limits::probe::Scope;
use corridor_limits::{Finding, Past, Point, Remedy, Runway, Severity};
use corridor_pg::ConnectOptions;
use corridor_testbed::toast::{HoldOptions, exhaust_toast_ids};
use corridor_testbed::traffic::{Table, Traffic, TrafficOptions};
use corridor_testbed::{Cluster, ClusterOptions};
use tokio_postgres::Client;

use crate::scene::{check, check_with, find, majors};

/// `rows` rows with 64 values out of line each, their ids in one run. Returns the first id.
pub(crate) async fn fill(client: &Client, table: &str, rows: i32) -> u32 {
    let columns: Vec<String> = (0..64).map(|n| format!("c{n} text")).collect();
    let external: Vec<String> = (0..64)
        .map(|n| format!("alter c{n} set storage external"))
        .collect();
    let values: Vec<String> = (0..64).map(|_| "repeat('x', 40)".to_owned()).collect();
    client
        .batch_execute(&format!(
            "create table {table} (id bigint primary key, {}); alter table {table} {}; \
             alter table {table} set (toast_tuple_target = 128, autovacuum_enabled = off, toast.autovacuum_enabled = off); \
             insert into {table} select i, {} from generate_series(1, {rows}) i",
            columns.join(", "),
            external.join(", "),
            values.join(", "),
        ))
        .await
        .unwrap();
    u32::try_from(of_ids(client, table, "min").await).unwrap()
}

/// The least or the largest id of a table's TOAST relation.
pub(crate) async fn of_ids(client: &Client, table: &str, which: &str) -> i64 {
    let sql = format!("select reltoastrelid::regclass::text from pg_class where oid = '{table}'::regclass");
    let toast: String = client.query_one(&sql, &[]).await.unwrap().get(0);
    let sql = format!("select {which}(chunk_id::int8) from {toast}");
    client.query_one(&sql, &[]).await.unwrap().get(0)
}

/// The run ahead, its length and its distance are what they are, and the advice follows the facts: dead values, then a vacuum.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_ahead_is_found_where_it_is_on_every_major() {
    for major in majors() {
        let cluster = Cluster::start(ClusterOptions::new(major)).await.unwrap();
        let database = cluster.fresh_database("toast").await.unwrap();
        let client = cluster.connect(&database.name).await.unwrap();
        let first = fill(&client, "public.wide", 1_000).await;
        client.batch_execute("vacuum public.wide").await.unwrap();
        drop(client);
        let before = first - 5_000;
        cluster.reset_wal_next_oid(before).await.unwrap();

        let report = check(&database.url, &["toast"], &Scope::default()).await;
        assert_eq!(report.degraded, [], "PostgreSQL {major}");
        let finding = find(&report, "LIM-001", "public.wide").unwrap();
        assert_eq!(finding.severity, Severity::Warning, "{finding:?}");
        let stretch = finding
            .facts
            .iter()
            .find(|f| f.name == "next stretch of used ids")
            .unwrap();
        // The counter goes on a little: each connection and each relation may take ids, up to the next checkpoint's batch.
        let (ids, from) = stretch
            .text
            .strip_prefix("about ")
            .unwrap()
            .split_once(" ids from ")
            .unwrap();
        let ids: u32 = ids.replace(',', "").parse().unwrap();
        let from: u32 = from.split(',').next().unwrap().parse().unwrap();
        assert!(ids.abs_diff(64_000) <= 128, "{stretch:?}");
        assert!(from.abs_diff(first) <= 64, "{stretch:?}, truth {first}");
        assert!(matches!(finding.runway, Runway::NotEnough { .. }));
        assert_eq!(finding.advice.as_ref().unwrap().way, "watch");

        // A history of the counter: 5,000 ids an hour. So the wall is an hour ahead.
        let mut past = Past::default();
        for hour in 0..48 {
            let at_s = report.at_s - f64::from(48 - hour) * 3_600.0;
            let value = f64::from(before) - f64::from(48 - hour) * 5_000.0;
            past.push("oid_counter", "", Point { at_s, value });
        }
        let report = check_with(&database.url, &["toast"], &Scope::default(), &past).await;
        let finding = find(&report, "LIM-001", "public.wide").unwrap();
        assert_eq!(finding.severity, Severity::Critical);
        let days = finding.runway.days_mid().unwrap();
        assert!(days < 0.06, "{:?}", finding.runway);
        // All wide rows would fit into a page of their own, but the target was set by hand: 128 is not raised.
        assert_eq!(finding.advice.as_ref().unwrap().way, "inline", "{finding:?}");

        // Dead values hold their ids: then a vacuum is the way.
        let client = cluster.connect(&database.name).await.unwrap();
        client
            .batch_execute("delete from public.wide where id > 400")
            .await
            .unwrap();
        drop(client);
        let mut way = String::new();
        for _ in 0..50 {
            let report = check_with(&database.url, &["toast"], &Scope::default(), &past).await;
            let advice = report.findings.first().and_then(|f| f.advice.clone());
            way = advice.map(|a| a.way.to_owned()).unwrap_or_default();
            if way == "vacuum" {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        assert_eq!(way, "vacuum", "PostgreSQL {major}");
    }
}

/// The incident: clients insert, and each of them walks through 150,000 used ids. Named within three seconds.
#[tokio::test(flavor = "multi_thread")]
async fn writers_who_search_are_found_while_they_do() {
    let cluster = Cluster::start(ClusterOptions::new(15)).await.unwrap();
    let database = cluster.fresh_database("incident").await.unwrap();
    let table = Table::persons("persons", 2_000);
    table.create(&database.url).await.unwrap();
    let run = exhaust_toast_ids(&cluster, &database.name, "persons", 200_000)
        .await
        .unwrap();
    let hold = run
        .hold(
            &cluster,
            HoldOptions {
                depth_ids: 150_000,
                free_ids_per_pass: 4,
            },
        )
        .unwrap();
    let traffic = Traffic::start(&database.url, TrafficOptions::new(table))
        .await
        .unwrap();
    traffic.wait_for_writes(50).await;
    let mut begun = std::time::Instant::now();
    let mut report = check(&database.url, &["toast"], &Scope::default()).await;
    // For some milliseconds of each round the counter stands among free ids: a look may fall into them, two do not.
    if find(&report, "LIM-001", "public.persons").is_none() {
        begun = std::time::Instant::now();
        report = check(&database.url, &["toast"], &Scope::default()).await;
    }
    assert!(begun.elapsed().as_secs_f64() < 4.0, "{:?}", begun.elapsed());
    let finding = find(&report, "LIM-001", "public.persons").unwrap();
    assert_eq!(finding.severity, Severity::Critical, "{finding:#?}");
    assert_eq!(finding.runway, Runway::Reached);
    assert!(
        finding.headline.starts_with("writers search"),
        "{}",
        finding.headline
    );
    drop(hold);
    traffic.stop().await.unwrap();

    // When it is over, it is over.
    cluster.reset_wal_next_oid(run.last_id + 1_000_000).await.unwrap();
    let report = check(&database.url, &["toast"], &Scope::default()).await;
    assert!(
        report.findings.iter().all(|f| f.severity < Severity::Critical),
        "{report:#?}"
    );
}

/// A role that may not read TOAST relations is told so, in a word, and the rest of the check goes on.
#[tokio::test(flavor = "multi_thread")]
async fn without_the_right_it_says_what_is_missing() {
    let cluster = Cluster::shared(15).await;
    let database = cluster.fresh_database("toast_rights").await.unwrap();
    let client = cluster.connect(&database.name).await.unwrap();
    fill(&client, "public.wide", 300).await;
    client
        .batch_execute(
            "do $$ begin create role watcher login; exception when duplicate_object then null; end $$; \
             grant pg_monitor to watcher",
        )
        .await
        .unwrap();
    client.batch_execute("vacuum public.wide").await.unwrap();
    let url = format!(
        "postgres://watcher@127.0.0.1:{}/{}",
        cluster.port(),
        database.name
    );
    let report = check(&url, &["toast"], &Scope::default()).await;
    let degraded = report.degraded.first().unwrap();
    assert!(degraded.why.contains("permission denied"), "{degraded:?}");
    assert!(degraded.what.contains("public.wide") && degraded.remedy.contains("pg_read_all_data"));
    client
        .batch_execute("grant pg_read_all_data to watcher")
        .await
        .unwrap();
    let report = check(&url, &["toast"], &Scope::default()).await;
    assert_eq!(report.degraded, []);
    client
        .batch_execute("revoke pg_read_all_data from watcher")
        .await
        .unwrap();
}

/// Both quick ways out of a wall, on a server of their own: the counter behind the used ids of every database, beside writers;
/// and the storage parameter, which waits for its lock within its budget.
#[tokio::test(flavor = "multi_thread")]
async fn the_ways_out_that_are_one_statement_have_their_effect() {
    let cluster = Cluster::start(ClusterOptions::new(15)).await.unwrap();
    let one = cluster.fresh_database("jump_one").await.unwrap();
    let two = cluster.fresh_database("jump_two").await.unwrap();
    let client = cluster.connect(&one.name).await.unwrap();
    let other = cluster.connect(&two.name).await.unwrap();
    let first = fill(&client, "public.wide", 1_500).await;
    // Right behind it, in another database.
    fill(&other, "public.wide", 1_500).await;
    let end = of_ids(&other, "public.wide", "max").await;
    drop((client, other));
    cluster.reset_wal_next_oid(first - 2_000).await.unwrap();
    let scope = Scope::default();
    let report = check(&one.url, &["toast"], &scope).await;
    let finding = find(&report, "LIM-001", "public.wide").unwrap();
    let connect = ConnectOptions::from_process(Some(&one.url)).unwrap();

    let jump = plan(finding, Some("jump")).unwrap();
    let effect = execute(&connect, &jump, |_| ()).await.unwrap();
    assert!(effect.proof.contains("the counter went from"), "{effect:?}");
    let client = cluster.connect(&two.name).await.unwrap();
    let at = "select pg_nextoid('pg_class', 'oid', 'pg_class_oid_index')::int8";
    let at: i64 = client.query_one(at, &[]).await.unwrap().get(0);
    assert!(
        at > end,
        "the counter is at {at}, the other database's ids end at {end}"
    );
    assert!(
        find(
            &check(&one.url, &["toast"], &scope).await,
            "LIM-001",
            "public.wide"
        )
        .is_none()
    );

    // The lock is not free at first; nobody waits behind us for longer than the budget.
    let inline = plan(finding, Some("inline")).unwrap();
    let holder = cluster.connect(&one.name).await.unwrap();
    holder
        .batch_execute("begin; lock table public.wide in share update exclusive mode")
        .await
        .unwrap();
    let steps_back = std::sync::atomic::AtomicU32::new(0);
    let done = execute(&connect, &inline, |_| {
        steps_back.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    });
    let release = async {
        tokio::time::sleep(std::time::Duration::from_millis(400)).await;
        holder.batch_execute("rollback").await.unwrap();
    };
    let (effect, ()) = tokio::join!(done, release);
    assert!(effect.unwrap().proof.contains("8160"));
    assert!(steps_back.into_inner() >= 1);

    // What is no statement is refused.
    let fault = plan(finding, Some("move")).unwrap_err();
    assert_eq!(fault.code().id, "LIM-901");
}

/// Three clients that insert values out of line until they are told to stop: when each insert was done, and how long it took.
async fn writers(cluster: &Cluster, database: &str, is_over: &AtomicBool) -> Vec<(Instant, f64)> {
    let took = Mutex::new(Vec::new());
    let one = async || {
        let client = cluster.connect(database).await.unwrap();
        let insert = client
            .prepare("insert into public.busy (value) values (repeat('x', 3000))")
            .await
            .unwrap();
        while !is_over.load(Ordering::Relaxed) {
            let begun = Instant::now();
            client.execute(&insert, &[]).await.unwrap();
            let ms = begun.elapsed().as_secs_f64() * 1_000.0;
            took.lock().unwrap().push((Instant::now(), ms));
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::join!(one(), one(), one());
    took.into_inner().unwrap()
}

/// Ids before the stretch, so that the jump takes some seconds.
const APPROACH: u32 = 800_000;

/// Beside writers it goes on and they hardly feel it; when their writes get slow, whatever the reason, it holds, says why, and
/// goes on when they are well.
#[tokio::test(flavor = "multi_thread")]
async fn a_jump_holds_when_writes_get_slower() {
    let cluster = Cluster::start(ClusterOptions::new(15)).await.unwrap();
    let database = cluster.fresh_database("jump_throttle").await.unwrap();
    let client = cluster.connect(&database.name).await.unwrap();
    client
        .batch_execute(
            "create table busy (id bigserial, value text); alter table busy alter value set storage external;
             create table slow (is_slow bool); insert into slow values (false);
             create function slow_down() returns trigger language plpgsql as
                 'begin if (select is_slow from slow) then perform pg_sleep(0.4); end if; return new; end';
             create trigger slow_down before insert on busy for each row execute function slow_down()",
        )
        .await
        .unwrap();
    let counter = cluster.oid_counter().unwrap();
    let first = counter.get().unwrap() + APPROACH;
    let mut finding = Finding::new(&TOAST_IDS, "public.busy", Severity::Warning, "");
    finding.remedies = vec![Remedy::Jump { first, ids: 200_000 }];
    let jump = plan(&finding, Some("jump")).unwrap();
    let connect = ConnectOptions::from_process(Some(&database.url)).unwrap();
    let is_over = AtomicBool::new(false);
    let heard = Mutex::new(Vec::new());
    let at = || f64::from(counter.get().unwrap());
    let script = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let begun = Instant::now();
        let apply = execute(&connect, &jump, |news| {
            heard.lock().unwrap().push(news.to_owned())
        });
        let disturb = async {
            tokio::time::sleep(Duration::from_millis(1_500)).await;
            let fast = (at(), Instant::now());
            client
                .batch_execute("update slow set is_slow = true")
                .await
                .unwrap();
            tokio::time::sleep(Duration::from_millis(1_000)).await;
            let held = (at(), Instant::now());
            tokio::time::sleep(Duration::from_millis(2_000)).await;
            let after = at();
            client
                .batch_execute("update slow set is_slow = false")
                .await
                .unwrap();
            (fast, held, after)
        };
        let (effect, marks) = tokio::join!(apply, disturb);
        let ended = Instant::now();
        is_over.store(true, Ordering::Relaxed);
        (begun, ended, effect.unwrap(), marks)
    };
    let (took, (begun, ended, effect, (fast, held, after))) =
        tokio::join!(writers(&cluster, &database.name, &is_over), script);

    assert!(at() > f64::from(first) + 200_000.0);
    let heard = heard.into_inner().unwrap();
    let why = heard
        .iter()
        .find(|news| news.contains("the application's slowest write is at work for"));
    assert!(
        why.is_some_and(|news| news.starts_with("pausing for ")),
        "{heard:#?}"
    );
    assert!(
        effect.proof.contains("pauses for writes that had become slower"),
        "{effect:?}"
    );
    let quantile = |from: Instant, to: Instant| {
        let mut ms: Vec<f64> = took
            .iter()
            .filter(|(at, _)| (from..to).contains(at))
            .map(|t| t.1)
            .collect();
        ms.sort_by(f64::total_cmp);
        (ms.len(), ms[ms.len() / 2], ms[ms.len() * 95 / 100])
    };
    let before = quantile(begun - Duration::from_millis(800), begun);
    let during = quantile(begun, fast.1);
    // Ids in a second: while it went, and while it was held (each pause learns a little of what is usual now).
    let rate_fast =
        (fast.0 - f64::from(first) + f64::from(APPROACH)) / fast.1.duration_since(begun).as_secs_f64();
    let rate_held = (after - held.0) / 2.0;
    let all = ended.duration_since(begun);
    let figures = format!(
        "median and 95 % of writes before {before:.1?} and during {during:.1?}; ids a second {rate_fast:.0}, held \
         {rate_held:.0}; {all:?}; {}",
        effect.proof
    );
    assert!(rate_held < rate_fast / 2.0, "{figures}\n{heard:#?}");
    assert!(during.1 < 5.0 * before.1 + 10.0, "{figures}");
}
