//! What becomes of the change log while somebody holds an old snapshot. A measurement of some minutes each:
//!
//! ```text
//! cargo bench -p corridor-mirror --bench growth -- stream    a steady stream of writes, rounds beside it
//! cargo bench -p corridor-mirror --bench growth -- dead      what a round passes by when nothing is rotated
//! cargo bench -p corridor-mirror --bench growth -- hour      as many changes as an hour makes, as fast as can be
//! ```
//!
//! From the environment, for `stream`: `HELD` (0: nobody holds a snapshot), `ROTATE` (0: no rotation), `RATE` (writes per second),
//! `SECONDS`, `EVERY`, `ROWS`, `SLOT` (bytes).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)] // it prints, and panics when it cannot go on

#[allow(dead_code)] // shared with the tests, which use all of it
#[path = "../tests/it/bench.rs"]
mod bench;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use corridor_mirror::Caretaker;
use corridor_pg::Session;

use self::bench::{Bench, session};

/// Rows that one statement of the writers updates.
const BULK: u64 = 100;
const WRITERS: u64 = 2;
const SIZE: &str = "select coalesce(sum(pg_total_relation_size(inhrelid)), 0)::bigint \
    from pg_inherits where inhparent = 'corridor.change_7_fwd'::regclass";

fn env(name: &str, default: u64) -> u64 {
    std::env::var(name)
        .ok()
        .and_then(|v| v.parse().ok())
        .unwrap_or(default)
}

/// Nobody who looks at the log later than now sees dead rows of it go.
async fn hold_horizon(url: &str) -> Session {
    let holder = session(url, "holder").await;
    holder
        .batch_execute("set idle_in_transaction_session_timeout = 0; set statement_timeout = 0")
        .await
        .unwrap();
    holder
        .batch_execute("begin isolation level repeatable read; select count(*) from public.old")
        .await
        .unwrap();
    holder
}

async fn mebibytes(eyes: &Session) -> f64 {
    eyes.query_one(SIZE, &[]).await.unwrap().get::<_, i64>(0) as f64 / f64::from(1 << 20)
}

/// What a look for the first change takes, which passes by all dead ones.
async fn read_ms(eyes: &Session) -> f64 {
    let begun = Instant::now();
    eyes.batch_execute(
        "set enable_seqscan = off; select id from corridor.change_7_fwd where id >= 0 order by id limit 1",
    )
    .await
    .unwrap();
    begun.elapsed().as_secs_f64() * 1e3
}

async fn write(
    url: String,
    writer: u64,
    rows: u64,
    rate: u64,
    end: Arc<AtomicBool>,
    written: Arc<AtomicU64>,
) {
    let app = session(&url, "app").await;
    let begun = Instant::now();
    let mut statements = 0;
    while !end.load(Ordering::Relaxed) {
        // Every row once, in an order that comes back to a page only after a long time.
        let from = (WRITERS * statements + writer) * 7919 * BULK % rows;
        let sql =
            format!("update public.old set v = 'x{statements}' where id > {from} and id <= {from} + {BULK}");
        app.execute(&sql, &[]).await.unwrap();
        statements += 1;
        written.fetch_add(BULK, Ordering::Relaxed);
        let due = Duration::from_secs_f64((statements * BULK * WRITERS) as f64 / rate as f64);
        if let Some(rest) = due.checked_sub(begun.elapsed()) {
            tokio::time::sleep(rest).await;
        }
    }
}

/// A steady stream of writes, and rounds beside it.
async fn stream() {
    let (rows, rate) = (env("ROWS", 2_000_000), env("RATE", 5_000));
    let is_rotating = env("ROTATE", 1) == 1;
    let mut bench = Bench::simple("growth", rows as i64).await;
    bench.plan(1).await;
    bench.copy_all(100_000).await;
    let holder = match env("HELD", 1) {
        1 => Some(hold_horizon(&bench.url).await),
        _ => None,
    };
    let (end, written) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let writers: Vec<_> = (0..WRITERS)
        .map(|w| {
            tokio::spawn(write(
                bench.url.clone(),
                w,
                rows,
                rate,
                end.clone(),
                written.clone(),
            ))
        })
        .collect();
    let eyes = session(&bench.url, "eyes").await;
    let (begun, mut last) = (Instant::now(), Instant::now());
    let (mut took, mut forgotten, mut first_id) = (Vec::new(), 0, 0);
    let (mut caretaker, mut largest) = (Caretaker::new(env("SLOT", 8 << 20)), 0f64);
    println!("s\twritten\tforgotten\tpending\tlog_MiB\tlargest_MiB\trounds\tmedian_ms\tmax_ms\tread_ms");
    while begun.elapsed() < Duration::from_secs(env("SECONDS", 120)) {
        let round = bench
            .mirror
            .round(&mut bench.writer, &bench.observer, &bench.fence, 20_000, first_id)
            .await
            .unwrap();
        took.push(round.elapsed_ms);
        forgotten += round.refreshed;
        if is_rotating {
            first_id = round.next_id;
            caretaker.note(round.refreshed);
            let (writer, fence) = (&mut bench.writer, &bench.fence);
            bench.mirror.rotate(writer, fence, &mut caretaker).await.unwrap();
        }
        if round.is_drained {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        if last.elapsed() > Duration::from_secs(env("EVERY", 10)) {
            last = Instant::now();
            let size = mebibytes(&eyes).await;
            largest = largest.max(size);
            took.sort_unstable();
            let all = written.load(Ordering::Relaxed);
            println!(
                "{:.0}\t{all}\t{forgotten}\t{}\t{size:.1}\t{largest:.1}\t{}\t{}\t{}\t{:.1}",
                begun.elapsed().as_secs_f64(),
                all.saturating_sub(forgotten),
                took.len(),
                took[took.len() / 2],
                took[took.len() - 1],
                read_ms(&eyes).await
            );
            took.clear();
        }
    }
    end.store(true, Ordering::Relaxed);
    for writer in writers {
        writer.await.unwrap();
    }
    drop(holder);
}

/// What the dead rows cost that stay when nothing rotates.
async fn dead() {
    let mut bench = Bench::simple("growth_dead", 100_000).await;
    bench.plan(1).await;
    bench.copy_all(100_000).await;
    let holder = hold_horizon(&bench.url).await;
    let eyes = session(&bench.url, "eyes").await;
    println!("dead\tlog_MiB\tround_ms_of_1000\tread_ms");
    let (mut dead, mut from) = (0u64, 0);
    for more in [0, 100_000, 900_000, 4_000_000, 15_000_000u64] {
        if dead + more > env("DEAD", 20_000_000) {
            break;
        }
        let fill =
            format!("insert into corridor.change_7_fwd_s0 (k1) select -i from generate_series(1, {more}) i");
        bench
            .app
            .batch_execute(&format!("set statement_timeout = 0; {fill}"))
            .await
            .unwrap();
        bench
            .app
            .batch_execute("delete from corridor.change_7_fwd")
            .await
            .unwrap();
        dead += more;
        let mut took = Vec::new();
        for _ in 0..5 {
            from = (from + 1_000) % 99_000;
            let sql = format!("update public.old set v = 'y' where id > {from} and id <= {from} + 1000");
            bench.app.batch_execute(&sql).await.unwrap();
            let round = bench.round().await;
            assert_eq!(round.refreshed, 1_000);
            took.push(round.elapsed_ms);
        }
        took.sort_unstable();
        println!(
            "{dead}\t{:.1}\t{}\t{:.1}",
            mebibytes(&eyes).await,
            took[2],
            read_ms(&eyes).await
        );
    }
    drop(holder);
}

/// As many changes as an hour of 5,000 writes per second makes, as fast as they can be forgotten: of keys that neither table
/// has, so that nothing but the log has work.
async fn hour() {
    const STEP: u64 = 20_000;
    let mut bench = Bench::simple("growth_hour", 100_000).await;
    bench.plan(1).await;
    bench.copy_all(100_000).await;
    let holder = hold_horizon(&bench.url).await;
    let eyes = session(&bench.url, "eyes").await;
    let (mut caretaker, mut first_id, mut turns) = (Caretaker::new(env("SLOT", 8 << 20)), 0, 0);
    let (mut largest, mut took, mut current) = (0f64, Vec::new(), 0);
    let all = env("CHANGES", 18_000_000);
    println!("changes\tturns\tlog_MiB\tlargest_MiB\tmedian_ms\tmax_ms\tread_ms");
    for done in (STEP..=all).step_by(STEP as usize) {
        let slot: i32 = eyes
            .query_one("select slot from corridor.slot_7_fwd where is_current", &[])
            .await
            .unwrap()
            .get(0);
        turns += u64::from(slot != current);
        current = slot;
        let fill = format!(
            "insert into corridor.change_7_fwd_s{slot} (k1) select -i from generate_series(1, {STEP}) i"
        );
        bench.app.batch_execute(&fill).await.unwrap();
        let (writer, fence) = (&mut bench.writer, &bench.fence);
        let round = bench
            .mirror
            .round(writer, &bench.observer, fence, 20_000, first_id)
            .await
            .unwrap();
        first_id = round.next_id;
        took.push(round.elapsed_ms);
        caretaker.note(round.refreshed);
        bench.mirror.rotate(writer, fence, &mut caretaker).await.unwrap();
        largest = largest.max(mebibytes(&eyes).await);
        if done % (all / 6) < STEP {
            took.sort_unstable();
            println!(
                "{done}\t{turns}\t{:.1}\t{largest:.1}\t{}\t{}\t{:.1}",
                mebibytes(&eyes).await,
                took[took.len() / 2],
                took[took.len() - 1],
                read_ms(&eyes).await
            );
            took.clear();
        }
    }
    drop(holder);
}

#[tokio::main]
async fn main() {
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|a| !a.starts_with("--"))
        .collect();
    for what in &wanted {
        match what.as_str() {
            "stream" => stream().await,
            "dead" => dead().await,
            "hour" => hour().await,
            other => panic!("{other}: stream, dead or hour"),
        }
    }
    if wanted.is_empty() {
        println!("nothing was asked for: stream, dead or hour");
    }
}
