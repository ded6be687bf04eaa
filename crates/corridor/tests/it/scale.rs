//! A table of ten million rows goes through a process that stays small: rows never leave the server.

use std::time::Instant;

use corridor_testbed::Database;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::driver::{corridor_on, database, end};

/// The promise: at any size.
const MEMORY_KIB_MAX: u64 = 64 * 1024;

/// Ten million; one million when the tests are to be quick.
fn row_count() -> i64 {
    match std::env::var_os("CORRIDOR_TEST_QUICK") {
        Some(_) => 1_000_000,
        None => 10_000_000,
    }
}

async fn narrow_rows(label: &str) -> Database {
    let database = database(label).await;
    let client = corridor_testbed::cluster::connect(&database.url).await.unwrap();
    let ddl = format!(
        "create table narrow (id bigint, v int); \
         insert into narrow select i, i % 1000 from generate_series(1, {}) i; \
         alter table narrow add primary key (id); analyze narrow",
        row_count()
    );
    client.batch_execute(&ddl).await.unwrap();
    database
}

/// Runs the binary to its end; returns its last document and the most memory that it ever held.
async fn measured(database: &Database, args: &[&str], code: i32) -> (Value, u64) {
    let begun = Instant::now();
    let mut child = corridor_on(database, &[args, &["--json"]].concat()).start();
    let status = format!("/proc/{}/status", child.id().unwrap());
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let (mut peak_kib, mut last) = (0, Value::Null);
    while let Some(line) = lines.next_line().await.unwrap() {
        // The kernel keeps the highest value; the last look, when the result is out, has seen it all.
        if let Some(kib) = high_water_kib(&status) {
            peak_kib = kib;
        }
        last = serde_json::from_str(&line).unwrap();
        if last["event"] == "operation" || last["event"] == "swapped" {
            println!("{:>6.1} s, {peak_kib} KiB: {line}", begun.elapsed().as_secs_f64());
        }
    }
    println!("{:>6.1} s, {peak_kib} KiB: {last}", begun.elapsed().as_secs_f64());
    end(child).await.expect_code(code);
    assert!(peak_kib > 0, "its memory was never seen");
    (last, peak_kib)
}

fn high_water_kib(status: &str) -> Option<u64> {
    let text = std::fs::read_to_string(status).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

/// Forth, and with some of the rows changed, back.
async fn goes_through(label: &str, shape: &[&str]) {
    let database = narrow_rows(label).await;
    let args = [&["move", "narrow", "--execute", "--auto-cutover"], shape].concat();
    let (last, peak_kib) = measured(&database, &args, 5).await;
    assert_eq!(last["for_what"], "finish", "{last}");
    assert!(peak_kib < MEMORY_KIB_MAX, "{peak_kib} KiB");
    let client = corridor_testbed::cluster::connect(&database.url).await.unwrap();
    let digest = "select count(*), bit_xor(hash_record_extended(row(id, v), 0)) from narrow";
    let wanted = format!(
        "select count(*), bit_xor(hash_record_extended(row(i, (i % 1000)::int), 0)) from generate_series(1::bigint, {}) i",
        row_count()
    );
    let found = client.query_one(digest, &[]).await.unwrap();
    let wanted = client.query_one(&wanted, &[]).await.unwrap();
    let of = |row: &tokio_postgres::Row| (row.get::<_, i64>(0), row.get::<_, i64>(1));
    assert_eq!(of(&found), of(&wanted));

    // One statement that changes a twentieth of the table: the way back takes it along.
    let bulk = "update narrow set v = -v - 1 where id % 20 = 7";
    let changed = client.execute(bulk, &[]).await.unwrap();
    assert_eq!(changed as i64, row_count() / 20);
    let (_, peak_kib) = measured(&database, &["rollback", "narrow"], 0).await;
    assert!(peak_kib < MEMORY_KIB_MAX, "{peak_kib} KiB");
    let negative = "select count(*) from narrow where v < 0";
    let row = client.query_one(negative, &[]).await.unwrap();
    assert_eq!(row.get::<_, i64>(0), row_count() / 20);
}

#[tokio::test]
async fn ten_million_rows_of_the_same_shape_pass_through_a_small_process() {
    goes_through("narrow_same", &["--same-shape"]).await;
}

#[tokio::test]
async fn ten_million_rows_pass_into_partitions_through_a_small_process() {
    goes_through(
        "narrow_hash",
        &["--partition-by", "hash(id)", "--partitions", "16"],
    )
    .await;
}
