//! The change log under a held horizon: an old snapshot keeps every dead row, and the log stays small all the same.

use std::time::Duration;

use corridor_testbed::faults::{Cut, FaultProxy};
use corridor_testbed::traffic::{Mix, Traffic, TrafficOptions};
use corridor_testbed::{Cluster, Database};

use crate::driver::end;
use crate::stage::{SHAPE, Stage, Worker};

const SLOT_BYTES: i64 = 65_536;
/// Slots are looked at once a second, so they get larger than they should be.
const LOG_BYTES_MAX: i64 = 10 * SLOT_BYTES;
/// Three times as much: a change takes some 65 bytes.
const CHANGES: i64 = 3 * LOG_BYTES_MAX / 65;

/// The bytes of all rows in the log, and how many changes were ever written.
async fn log(stage: &Stage) -> (i64, i64) {
    let sql = "select (select sum(pg_relation_size(inhrelid))::bigint from pg_inherits \
               where inhparent = 'corridor.change_1_fwd'::regclass), last_value from corridor.change_id_1_fwd";
    let row = stage.client.query_one(sql, &[]).await.unwrap();
    (row.get(0), row.get(1))
}

/// More traffic: as it comes, and with statements of many rows.
async fn busy(stage: Stage) -> Stage {
    let ledger = stage.traffic.stop().await.unwrap();
    let options = TrafficOptions {
        mix: Mix {
            bulk: 10,
            ..Mix::ingestion()
        },
        rate_per_s: Some(400.0),
        bulk_rows: 100,
        ..TrafficOptions::continuing(ledger)
    };
    let traffic = Traffic::start(&stage.database.url, options).await.unwrap();
    Stage { traffic, ..stage }
}

/// Follows the log until `changes` more were written. The answer: its largest size.
async fn follow(stage: &Stage, changes: i64) -> i64 {
    let (mut largest, begun) = log(stage).await;
    loop {
        let (bytes, written) = log(stage).await;
        largest = largest.max(bytes);
        if written - begun >= changes {
            return largest;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A worker is killed after it has sent the capture to another slot and before it has emptied the old one; the next one
/// goes on. The horizon is held all the time.
#[tokio::test]
async fn the_log_stays_small_while_the_horizon_is_held() {
    let stage = busy(Stage::new("rotation").await).await;
    let small = format!("log.slot_max_bytes={SLOT_BYTES}");
    let settings = ["--set", &small, "--set", "lease.ttl_ms=1000"];
    let args = [&["move", "persons", "--execute"], SHAPE, &settings].concat();
    stage.run(&args).await.expect_code(5);
    let holder = corridor_testbed::cluster::connect(&stage.database.url)
        .await
        .unwrap();
    holder
        .batch_execute("begin isolation level repeatable read; select count(*) from persons")
        .await
        .unwrap();

    let cluster = Cluster::shared(15).await;
    let proxy = FaultProxy::start(cluster.port()).unwrap();
    let through = Database {
        name: stage.database.name.clone(),
        url: proxy.url(&stage.database.url).unwrap(),
    };
    for kill in 1..=2 {
        proxy.cut_at("truncate only corridor.change_1_fwd_s", 0, Cut::BeforePassing);
        let worker = Worker::start(&through, &["resume", "persons"]);
        proxy.wait_until_sprung(kill).await;
        worker.signal("KILL").await;
        assert_eq!(end(worker.child).await.code, 137);
    }
    let full: i64 = stage
        .client
        .query_one("select count(*) from corridor.slot_1_fwd where not is_current and pg_relation_size('corridor.change_1_fwd_s' || slot) > 0", &[])
        .await
        .unwrap()
        .get(0);
    assert!(full > 0, "killed before it had emptied a slot");

    let worker = Worker::start(&stage.database, &["resume", "persons"]);
    // What has gathered while nobody was there goes first.
    let settled = async {
        while log(&stage).await.0 > LOG_BYTES_MAX / 2 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), settled)
        .await
        .expect("the log does not shrink");
    let largest = follow(&stage, CHANGES).await;
    assert!(largest < LOG_BYTES_MAX, "{largest} bytes in the log");
    let dead: i64 = stage
        .client
        .query_one("select count(*) from corridor.change_1_fwd", &[])
        .await
        .unwrap()
        .get(0);
    assert!(dead < 2_000, "{dead} changes wait");

    holder.batch_execute("commit").await.unwrap();
    stage.run(&["cutover", "persons"]).await.expect_code(0);
    assert_eq!(stage.kind().await, "p");
    stage.run(&["finish", "persons"]).await.expect_code(0);
    assert_eq!(worker.end().await.0, 0);
    stage.settle().await;
}
