//! `corridor watch`: it keeps figures, one at a time, over restarts, and with exactly the rights that it asks for.

use corridor_testbed::cluster::connect;
use corridor_testbed::{Cluster, ClusterOptions, Database, Mode};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_postgres::Client;

use crate::driver::{Run, corridor, corridor_on, database};
use crate::stage::Worker;

async fn number(client: &Client, sql: &str) -> i64 {
    client.query_one(sql, &[]).await.unwrap().get(0)
}

async fn watch_once(database: &Database) -> Run {
    corridor_on(database, &["watch", "--once"]).run().await
}

#[tokio::test]
async fn once_keeps_what_a_check_then_reads() {
    let database = database("once").await;
    let client = connect(&database.url).await.unwrap();
    for _ in 0..2 {
        let run = watch_once(&database).await.expect_code(0);
        assert_eq!(run.stdout, "");
        assert!(run.stderr.contains(" figures in "), "{}", run.stderr);
    }
    let kept = "select count(distinct at) from corridor.sample where resolution = 0";
    assert_eq!(number(&client, kept).await, 2);
    // A week of the counter, and the check has an opinion instead of "not enough".
    client
        .batch_execute(
            "insert into corridor.series (metric, object) values ('oid_counter', '') on conflict do nothing;
             insert into corridor.sample (resolution, at, series_id, first, last, low, high, count)
             select 1, t, s.id, 1, 1, 1, 1, 1
             from corridor.series s,
                  generate_series(date_trunc('hour', now()) - interval '7 days', now() - interval '1 hour', '1 hour') t
             where s.metric = 'oid_counter'",
        )
        .await
        .unwrap();
    let run = corridor_on(&database, &["check", "--json"]).run().await;
    assert!([0, 1].contains(&run.code), "{}", run.stderr);
    assert_eq!(number(&client, kept).await, 2, "a check writes nothing");
    // A history that somebody holds is left out, at once.
    client
        .batch_execute("begin; lock table corridor.sample in access exclusive mode")
        .await
        .unwrap();
    let begun = std::time::Instant::now();
    let run = corridor_on(&database, &["check", "--json", "--only", "toast"])
        .run()
        .await;
    assert!([0, 1].contains(&run.code), "{}", run.stderr);
    assert!(begun.elapsed().as_secs() < 10);
}

#[tokio::test]
async fn a_second_one_waits_and_takes_over() {
    let database = database("turns").await;
    let client = connect(&database.url).await.unwrap();
    let mut first = Worker::start(&database, &["watch", "--interval", "1", "--only", "toast"]);
    first.until(|v| v["event"] == "checked").await;
    let mut second = Worker::start(&database, &["watch", "--interval", "1", "--only", "toast"]);
    let waiting = second.until(|v| v["event"] == "waiting").await;
    let pid = first.child.id().unwrap().to_string();
    assert!(
        waiting["holder"].as_str().unwrap().ends_with(&format!(" {pid}")),
        "{waiting}"
    );
    // For cron there is nothing to do meanwhile.
    let run = watch_once(&database).await.expect_code(0);
    assert!(run.stderr.contains("waits: watch@"), "{}", run.stderr);
    // It dies without a word, and its time runs out.
    first.child.kill().await.unwrap();
    client
        .batch_execute("update corridor.collector set beat_at = beat_at - interval '40 seconds'")
        .await
        .unwrap();
    second.until(|v| v["event"] == "checked").await;
    // Told to leave it frees the way: the next one does not wait.
    second.signal("TERM").await;
    let run = crate::driver::end(second.child).await;
    assert_eq!(run.code, 143, "{}", run.stderr);
    let held = "select count(*) from corridor.collector where holder is not null";
    assert_eq!(number(&client, held).await, 0);
    watch_once(&database).await.expect_code(0);
}

#[tokio::test]
async fn it_outlives_a_restart_of_the_server() {
    let cluster = Cluster::start(ClusterOptions::new(15)).await.unwrap();
    let database = cluster.fresh_database("restart").await.unwrap();
    let mut watch = Worker::start(&database, &["watch", "--interval", "1", "--only", "toast"]);
    watch.until(|v| v["event"] == "checked").await;
    cluster.stop(Mode::Immediate).await.unwrap();
    let failed = watch.until(|v| v["event"] == "failed").await;
    assert!(
        failed["why"].as_str().is_some_and(|why| !why.is_empty()),
        "{failed}"
    );
    cluster.start_again().await.unwrap();
    watch.until(|v| v["event"] == "checked").await;
    watch.signal("INT").await;
    assert_eq!(crate::driver::end(watch.child).await.code, 130);
}

#[tokio::test]
async fn the_grants_that_it_asks_for_are_enough() {
    let database = database("rights").await;
    let admin = connect(&database.url).await.unwrap();
    let role = format!("collector_{}", database.name);
    admin
        .batch_execute(&format!("create role {role} login"))
        .await
        .unwrap();
    let url = database.url.replace("postgres@", &format!("{role}@"));
    let once = || corridor(&["watch", "--once", "--database", &url]).run();
    let run = once().await.expect_code(4).expect_fault("PG-007");
    let text = run.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
    let grant = format!("grant create on database {} to {role}", database.name);
    assert!(text.contains(&grant), "{text}");
    // The schema belongs to somebody else: other grants.
    watch_once(&database).await.expect_code(0);
    let run = once().await.expect_code(4);
    let text = run.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
    let from = text.find("it needs: ").unwrap() + 10;
    for grant in text[from..]
        .split(';')
        .map(str::trim)
        .filter(|part| part.starts_with("grant "))
    {
        admin.batch_execute(grant).await.unwrap();
    }
    once().await.expect_code(0);
    admin
        .batch_execute(&format!("drop owned by {role}; drop role {role}"))
        .await
        .unwrap();
}

#[tokio::test]
async fn what_can_never_work_is_said_at_once() {
    corridor(&["watch", "--once", "--only", "toasd"])
        .run()
        .await
        .expect_code(2)
        .expect_fault("CLI-001");
    let run = corridor(&[
        "watch",
        "--database",
        "postgres://nobody@127.0.0.1:1/none?connect_timeout=1",
        "--once",
    ])
    .run()
    .await;
    assert_eq!(run.code, 3, "{}", run.stderr);
}

/// Answers 200 to every request and hands its body over.
async fn receiver() -> (String, tokio::sync::mpsc::UnboundedReceiver<Value>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/alerts", listener.local_addr().unwrap());
    let (sender, bodies) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while stream.read_buf(&mut request).await.unwrap() > 0 {
                let text = String::from_utf8_lossy(&request);
                let body = text
                    .split_once("\r\n\r\n")
                    .map(|(_, body)| body)
                    .unwrap_or_default();
                if let Ok(body) = serde_json::from_str(body) {
                    stream
                        .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                        .await
                        .unwrap();
                    sender.send(body).unwrap();
                    break;
                }
            }
        }
    });
    (address, bodies)
}

#[tokio::test]
async fn an_address_is_told_once_and_when_it_is_over() {
    let database = database("webhook").await;
    let client = connect(&database.url).await.unwrap();
    client
        .batch_execute("create table public.twice as select 1 as id from generate_series(1, 2)")
        .await
        .unwrap();
    let made = client
        .batch_execute("create unique index concurrently twice_id on public.twice (id)")
        .await;
    assert!(made.is_err(), "it stays behind, invalid");
    let (address, mut bodies) = receiver().await;
    let mut watch = Worker::start(
        &database,
        &[
            "watch",
            "--interval",
            "1",
            "--only",
            "indexes",
            "--webhook",
            &address,
        ],
    );
    watch.until(|v| v["event"] == "checked").await;
    let checked = watch
        .until(|v| v["event"] == "told" || v["event"] == "checked")
        .await;
    assert_eq!(checked["event"], "told", "with the second check: {checked}");
    let body = bodies.recv().await.unwrap();
    assert_eq!(
        (&body["event"], &body["database"]),
        (&json!("alerts"), &json!(database.name))
    );
    let alert = &body["alerts"][0];
    assert_eq!(
        (&alert["event"], &alert["code"]),
        (&json!("raised"), &json!("LIM-045")),
        "{body}"
    );
    client.batch_execute("drop index public.twice_id").await.unwrap();
    watch.until(|v| v["event"] == "told").await;
    let body = bodies.recv().await.unwrap();
    assert_eq!(body["alerts"][0]["event"], "cleared", "{body}");
    assert!(bodies.try_recv().is_err(), "nothing else");
    watch.signal("INT").await;
    assert_eq!(crate::driver::end(watch.child).await.code, 130);
}
