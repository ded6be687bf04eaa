//! The TOAST incident: it slows inserts, it can be held, and it ends.

use std::time::{Duration, Instant};

use corridor_testbed::toast::{HoldOptions, ToastRun, exhaust_toast_ids};
use corridor_testbed::traffic::{Mix, Table, Traffic, TrafficOptions};
use corridor_testbed::{Cluster, ClusterOptions, Servers};

/// How long a value that goes out of line takes to insert.
#[expect(clippy::unwrap_used, reason = "a test")]
async fn insert_ms(client: &tokio_postgres::Client, id: i64) -> f64 {
    let started = Instant::now();
    client
        .execute(
            "insert into persons (team_id, id, uuid, properties) select 0, $1, gen_random_uuid(), \
             jsonb_build_object('blob', string_agg(md5(i::text), '')) from generate_series(1, 80) i",
            &[&id],
        )
        .await
        .unwrap();
    started.elapsed().as_secs_f64() * 1000.0
}

#[tokio::test]
async fn a_run_of_used_ids_slows_an_insert_and_is_then_left_behind() {
    for installation in Servers::find() {
        let major = installation.major;
        let cluster = Cluster::start(ClusterOptions::new(major)).await.unwrap();
        Table::persons("persons", 1_000)
            .create(&cluster.url("postgres"))
            .await
            .unwrap();
        let run = exhaust_toast_ids(&cluster, "postgres", "persons", 60_000)
            .await
            .unwrap();
        assert!(run.ids() >= 60_000, "{major}: {run:?}");
        let client = cluster.connect("postgres").await.unwrap();
        // The first insert of a session also fills its caches: let that be another.
        client.execute("select count(*) from persons", &[]).await.unwrap();
        let sick_ms = insert_ms(&client, 1_000_000).await;
        let mut healthy: Vec<f64> = Vec::new();
        for id in 0..21 {
            healthy.push(insert_ms(&client, 2_000_000 + id).await);
        }
        healthy.sort_by(f64::total_cmp);
        let healthy_ms = healthy[healthy.len() / 2];
        println!("PostgreSQL {major}: {run:?}, sick {sick_ms:.2} ms, healthy {healthy_ms:.2} ms");
        assert!(
            sick_ms > 20.0 * healthy_ms,
            "{major}: {sick_ms} ms, {healthy_ms} ms"
        );
    }
}

#[tokio::test]
async fn the_incident_is_held_as_long_as_wanted() {
    let cluster = Cluster::start(ClusterOptions::new(15)).await.unwrap();
    let url = cluster.url("postgres");
    let table = Table {
        large_percent: 100,
        ..Table::persons("persons", 2_000)
    };
    table.create(&url).await.unwrap();
    let run: ToastRun = exhaust_toast_ids(&cluster, "postgres", "persons", 170_000)
        .await
        .unwrap();
    let options = TrafficOptions {
        mix: Mix {
            update: 1,
            ..Mix::none()
        },
        ..TrafficOptions::new(table)
    };
    let hold = run
        .hold(
            &cluster,
            HoldOptions {
                depth_ids: 60_000,
                free_ids_per_pass: 4,
            },
        )
        .unwrap();
    let traffic = Traffic::start(&url, options).await.unwrap();
    while hold.passes() < 30 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let held = traffic.snapshot();
    let held_s = held.elapsed_ms as f64 / 1000.0;
    assert!(!hold.is_void());
    drop(hold);
    let writes = held.writes;
    traffic.wait_for_writes(writes + 1_000).await;
    let free_s = traffic.snapshot().elapsed_ms as f64 / 1000.0 - held_s;
    println!("held: {writes} writes in {held_s:.2} s; then 1000 in {free_s:.2} s");
    let (held_rate, free_rate) = (writes as f64 / held_s, 1000.0 / free_s);
    assert!(
        free_rate > 5.0 * held_rate,
        "{held_rate} and {free_rate} writes/s"
    );
    let ledger = traffic.stop().await.unwrap();
    let comparison = ledger.compare(&url, "persons").await.unwrap();
    assert!(
        comparison.is_exact() && ledger.errors.is_empty(),
        "{comparison} {:?}",
        ledger.errors
    );
}
