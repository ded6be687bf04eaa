//! Measures the TOAST incident: `cargo run --release -p corridor-testbed --example incident -- [major [rows [run [clients [rate]]]]]`.
#![allow(clippy::print_stdout, reason = "an example prints")]

use std::time::{Duration, Instant};

use corridor_testbed::toast::{HoldOptions, fill_toast_run};
use corridor_testbed::traffic::{Summary, Table, Traffic, TrafficOptions};
use corridor_testbed::{Cluster, ClusterOptions, Result};

fn show(phase: &str, s: &Summary) {
    println!(
        "{phase:<28} {:>8.0} writes/s  p50 {:>8.2} ms  p99 {:>8.2} ms  max {:>8.2} ms  read p99 {:>7.2} ms  errors {}",
        s.writes_per_s, s.write_p50_ms, s.write_p99_ms, s.write_max_ms, s.read_p99_ms, s.errors
    );
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1).filter_map(|a| a.parse::<u64>().ok());
    let major = arguments.next().unwrap_or(15) as u32;
    let rows = arguments.next().unwrap_or(1_000_000);
    let run_ids = arguments.next().unwrap_or(300_000) as u32;
    let clients = arguments.next().unwrap_or(8);
    let rate_per_s = arguments.next().map(|rate| rate as f64);

    let started = Instant::now();
    let cluster = Cluster::start(ClusterOptions::new(major)).await?;
    println!("cluster: {:?}", started.elapsed());
    let url = cluster.url("postgres");
    let table = Table::persons("persons", rows);
    let started = Instant::now();
    table.create(&url).await?;
    println!("{rows} rows: {:?}", started.elapsed());
    let run = fill_toast_run(&url, "persons", run_ids).await?;
    println!("run: {run:?}");
    let client = cluster.connect("postgres").await?;
    for (what, is_walk) in [
        ("healthy", false),
        ("healthy", false),
        ("through the whole run", true),
    ] {
        if is_walk {
            cluster.oid_counter()?.set(run.first_id)?;
        }
        let started = Instant::now();
        client
            .batch_execute(
                "insert into persons select -2, count(*), '00000000-0000-0000-0000-000000000000', jsonb_build_object('x', \
                 (select string_agg(md5(i::text), '') from generate_series(1, 80) i)) from persons where team_id = -2",
            )
            .await
            .map_err(|source| corridor_testbed::Error::Postgres {
                doing: "writing a large value".to_owned(),
                source,
            })?;
        println!("one write of a large value, {what}: {:?}", started.elapsed());
    }

    let options = TrafficOptions {
        clients,
        rate_per_s,
        ..TrafficOptions::new(table)
    };
    let traffic = Traffic::start(&url, options).await?;
    let phase = async |name: &str, seconds: u64| {
        let from = Instant::now() + Duration::from_secs(1);
        tokio::time::sleep(Duration::from_secs(seconds + 1)).await;
        show(name, &traffic.summary(from, Instant::now()));
    };
    phase("healthy", 5).await;

    let counter = cluster.oid_counter()?;
    let from = Instant::now();
    counter.set(run.first_id)?;
    while (run.first_id..=run.last_id).contains(&counter.get()?) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    println!("one walk through the run under traffic: {:?}", from.elapsed());
    for depth in [run_ids / 10, run_ids / 3, run_ids - 20_000] {
        let hold = run.hold(
            &cluster,
            HoldOptions {
                depth_ids: depth,
                free_ids_per_pass: clients as u32,
            },
        )?;
        phase(&format!("held, depth {depth}"), 5).await;
        println!(
            "  {} passes, waiting {:.0} ms",
            hold.passes(),
            traffic.snapshot().waiting_max_ms
        );
    }
    phase("let go", 5).await;
    let ledger = traffic.stop().await?;
    let started = Instant::now();
    let comparison = ledger.compare(&url, "persons").await?;
    println!(
        "{comparison}; compared in {:?}; errors {:?}",
        started.elapsed(),
        ledger.errors
    );
    Ok(())
}
