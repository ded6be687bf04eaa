//! A table with traffic on it, a worker in a process of its own, and a brake.
//!
//! The brake: a throttle signal of one's own, `select count(*) from gate`, limit 0. While `gate` has a row the copy is
//! held, certainly and for as long as the test wants.

use std::ops::Range;
use std::time::Duration;

use corridor_testbed::Database;
use corridor_testbed::traffic::{Mix, Table, Traffic, TrafficOptions};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio_postgres::Client;

use crate::driver::{Run, corridor_on, database, end};

const ROWS: u64 = 4_000;
pub(crate) const BRAKE: &[&str] = &[
    "--set",
    "throttle.custom=0",
    "--set",
    "throttle.custom.query=select count(*) from public.gate",
    "--set",
    "throttle.interval_ms=100",
    "--set",
    "lease.ttl_ms=2000",
];
pub(crate) const SHAPE: &[&str] = &["--partition-by", "hash(team_id)", "--partitions", "4"];

/// A table with traffic on it.
pub(crate) struct Stage {
    pub(crate) database: Database,
    pub(crate) client: Client,
    pub(crate) traffic: Traffic,
}

impl Stage {
    pub(crate) async fn new(label: &str) -> Stage {
        Stage::with_rows(label, ROWS).await
    }

    pub(crate) async fn with_rows(label: &str, rows: u64) -> Stage {
        Stage::set_up(label, rows, "").await
    }

    /// `setup` is run before the traffic begins.
    pub(crate) async fn set_up(label: &str, rows: u64, setup: &str) -> Stage {
        let database = database(label).await;
        Table::persons("persons", rows)
            .create(&database.url)
            .await
            .unwrap();
        let client = corridor_testbed::cluster::connect(&database.url).await.unwrap();
        client
            .batch_execute(&format!("{setup}; create table gate (); analyze persons"))
            .await
            .unwrap();
        let options = TrafficOptions {
            clients: 2,
            mix: Mix::ingestion(),
            rate_per_s: Some(200.0),
            ..TrafficOptions::new(Table::persons("persons", rows))
        };
        let traffic = Traffic::start(&database.url, options).await.unwrap();
        Stage {
            database,
            client,
            traffic,
        }
    }

    pub(crate) async fn close_gate(&self) {
        self.client
            .batch_execute("insert into gate default values")
            .await
            .unwrap();
    }

    pub(crate) async fn open_gate(&self) {
        self.client.batch_execute("delete from gate").await.unwrap();
    }

    pub(crate) async fn run(&self, args: &[&str]) -> Run {
        corridor_on(&self.database, args).run().await
    }

    /// `corridor move --execute`, with JSON lines.
    pub(crate) fn start_move(&self, more: &[&str]) -> Worker {
        Worker::start(
            &self.database,
            &[&["move", "persons", "--execute"], SHAPE, BRAKE, more].concat(),
        )
    }

    /// A move that is held amid the copy.
    pub(crate) async fn held_move(&self) -> Worker {
        self.close_gate().await;
        let mut worker = self.start_move(&[]);
        worker.until_held().await;
        worker
    }

    /// The status, as soon as it is so: a heartbeat comes every few hundred milliseconds.
    pub(crate) async fn status_when(&self, is_so: impl Fn(&Value) -> bool) -> Value {
        let search = async {
            loop {
                let status = self.status().await;
                if is_so(&status) {
                    return status;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(60), search)
            .await
            .expect("it never came to that")
    }

    pub(crate) async fn until_ready(&self) {
        self.status_when(|s| s["waits_for"] == "cutover").await;
    }

    pub(crate) async fn status(&self) -> Value {
        self.run(&["status", "persons", "--json"])
            .await
            .expect_code(0)
            .json()
    }

    pub(crate) async fn kind(&self) -> String {
        let row = self.client.query_one(
            "select relkind::text from pg_class where oid = 'persons'::regclass",
            &[],
        );
        row.await.unwrap().get(0)
    }

    /// Every acknowledged write is in the table, and no error came to the application.
    pub(crate) async fn settle(self) -> (Database, Client) {
        let ledger = self.traffic.stop().await.unwrap();
        assert!(ledger.errors.is_empty(), "{:?}", ledger.errors);
        let comparison = ledger.compare(&self.database.url, "persons").await.unwrap();
        assert!(comparison.is_exact(), "{comparison}");
        (self.database, self.client)
    }
}

/// A worker in a process of its own, and what it says.
pub(crate) struct Worker {
    pub(crate) child: Child,
    pub(crate) lines: Lines<BufReader<ChildStdout>>,
}

impl Worker {
    pub(crate) fn start(database: &Database, args: &[&str]) -> Worker {
        let mut child = corridor_on(database, &[args, &["--json"]].concat()).start();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Worker { child, lines }
    }

    /// Reads until the line that `is_it`; the end of the output before it fails the test.
    pub(crate) async fn until(&mut self, is_it: impl Fn(&Value) -> bool) -> Value {
        let search = async {
            let mut seen = String::new();
            while let Some(line) = self.lines.next_line().await.unwrap() {
                let value: Value = serde_json::from_str(&line).unwrap();
                assert_eq!(value["version"], 1, "{line}");
                if is_it(&value) {
                    return value;
                }
                seen.push_str(&line);
                seen.push('\n');
            }
            panic!("it ended before that; it said\n{seen}");
        };
        tokio::time::timeout(Duration::from_secs(60), search)
            .await
            .expect("it never came")
    }

    /// The copy has begun, and the brake holds it.
    pub(crate) async fn until_held(&mut self) {
        self.until(|v| v["event"] == "operation" && v["name"] == "copy")
            .await;
        // Said again with every sample while it lasts.
        self.until(|v| v["event"] == "throttle" && v["reasons"].as_array().is_some_and(|r| !r.is_empty()))
            .await;
    }

    pub(crate) async fn signal(&self, signal: &str) {
        let pid = self.child.id().unwrap().to_string();
        let sent = Command::new("kill")
            .args(["-s", signal, &pid])
            .status()
            .await
            .unwrap();
        assert!(sent.success());
    }

    /// Kills it with SIGKILL; false when it had ended before. What it says is read, so that it never waits for us.
    pub(crate) async fn kill_at_random(
        mut self,
        within: Range<Duration>,
        random: &mut fastrand::Rng,
    ) -> bool {
        let lines = &mut self.lines;
        let read = async { while let Ok(Some(_)) = lines.next_line().await {} };
        let killed = corridor_testbed::faults::kill_at_random(&mut self.child, within, random);
        tokio::join!(read, killed).1.unwrap().was_running
    }

    /// Its last document, and its exit code.
    pub(crate) async fn end(mut self) -> (i32, Value) {
        let last = self.until(|v| v.get("outcome").is_some()).await;
        let run = end(self.child).await;
        (run.code, last)
    }
}
