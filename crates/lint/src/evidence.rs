//! What a live database adds: figures of a table, and what they make of the time under a lock.
//!
//! [`Live`] is plain data. [`read`](mod@read) fills it in a few statements, whatever the number of tables.

pub mod read;

use std::collections::BTreeMap;

use crate::facts::Fact;
use crate::finding::Evidence;
use crate::ir::Name;
use crate::usage::Between;

/// One table.
#[derive(Debug, Clone, Default)]
pub struct Figures {
    /// Heap and TOAST.
    pub table_bytes: u64,
    /// All of its indexes.
    pub index_bytes: u64,
    /// Rows, by the planner's estimate.
    pub rows: u64,
    /// Statements per second that name it, since the statistics began.
    pub calls_per_s: Option<f64>,
    /// Their mean time.
    pub mean_ms: Option<f64>,
    /// Autovacuum works on it to prevent wraparound: it does not give way to a lock.
    pub has_wraparound_vacuum: bool,
    /// It is published to subscribers.
    pub is_published: bool,
    /// Sessions whose open transaction holds a lock on it: how long the oldest has been open.
    pub oldest_lock_s: Option<f64>,
}

/// The database as it is now.
#[derive(Debug, Clone, Default)]
pub struct Live {
    /// Its major.
    pub major: u32,
    /// By `schema.name`.
    pub tables: BTreeMap<String, Figures>,
    /// The oldest open transaction.
    pub oldest_transaction_s: Option<f64>,
    /// Connected replicas.
    pub replicas: u32,
    /// Replication slots.
    pub slots: u32,
    /// The time zone of a session here is UTC.
    pub is_utc: bool,
    /// Bytes per second that this server read in the probe; `None` where there was nothing to read.
    pub scan_bytes_per_s: Option<f64>,
    /// What queries do: for the compatibility with a release that still runs.
    pub queries: Vec<Query>,
    /// `pg_stat_statements` could be read.
    pub has_statements: bool,
    /// The moment since which calls were counted, where an earlier one was given.
    pub between: Option<Between>,
    /// What of the counted statements could not be looked at.
    pub unseen: Vec<String>,
    /// Sessions that name the tables.
    pub sessions: Vec<SessionUse>,
}

/// A session that names a table in what it runs, or ran last.
#[derive(Debug, Clone)]
pub struct SessionUse {
    /// `application_name`
    pub application: String,
    /// Its role.
    pub role: String,
    /// What its statement reads and writes.
    pub accesses: Vec<crate::parse::Access>,
}

/// A statement that the server has counted.
#[derive(Debug, Clone)]
pub struct Query {
    /// How often.
    pub calls: i64,
    /// How often since the earlier moment.
    pub calls_since: Option<i64>,
    /// Who called it.
    pub role: String,
    /// Its text.
    pub text: String,
    /// What it reads and writes.
    pub accesses: Vec<crate::parse::Access>,
}

/// A table with less is read in the blink of an eye.
const SMALL_BYTES: u64 = 16 << 20;
/// Rewriting costs more than reading: it reads, writes heap and log, and builds the indexes.
const REWRITE_FACTOR: f64 = 4.0;
/// Probes are short, and caches warm: what a scan takes lies between these shares of the measured speed.
const SPEED_RANGE: (f64, f64) = (0.25, 1.0);

impl Live {
    /// Figures of a table.
    pub fn figures(&self, table: &Name) -> Option<&Figures> {
        let schema = table.schema.as_deref().unwrap_or("public");
        self.tables.get(&format!("{schema}.{}", table.name))
    }

    /// What is to be said of a table at a finding, and whether it is small and quiet.
    pub fn of(&self, table: &Name, fact: Option<&Fact>) -> (Vec<Evidence>, bool) {
        let Some(figures) = self.figures(table) else {
            return (Vec::new(), false);
        };
        let say = |name: &str, text: String, source: &str| Evidence {
            name: name.to_owned(),
            text,
            source: source.to_owned(),
        };
        let mut evidence = vec![say(
            "size",
            format!(
                "{} in {} rows, indexes {}",
                bytes(figures.table_bytes),
                count(figures.rows),
                bytes(figures.index_bytes)
            ),
            "pg_class",
        )];
        if let (Some(calls), Some(mean)) = (figures.calls_per_s, figures.mean_ms) {
            evidence.push(say(
                "traffic",
                // A counter that stood still may come out as a negative nothing.
                format!("{:.1} statements/s, {mean:.1} ms each", calls.max(0.0) + 0.0),
                "pg_stat_statements",
            ));
        }
        let under_lock = fact.and_then(|fact| self.seconds(figures, fact));
        if let Some((from, to)) = under_lock {
            evidence.push(say(
                "time under the lock",
                format!("{} to {}", seconds(from), seconds(to)),
                "a probe on this server",
            ));
            if let Some(calls) = figures.calls_per_s.filter(|calls| *calls > 0.0) {
                evidence.push(say(
                    "would wait meanwhile",
                    format!(
                        "{} to {} statements",
                        count((calls * from) as u64),
                        count((calls * to) as u64)
                    ),
                    "traffic × time",
                ));
            }
            if fact.is_some_and(|fact| fact.rewrites("table")) {
                let all = figures.table_bytes + figures.index_bytes;
                evidence.push(say("disk and WAL", format!("{} of each", bytes(all)), "pg_class"));
            }
        }
        if let Some(age) = figures.oldest_lock_s.filter(|age| *age >= 1.0) {
            evidence.push(say(
                "in the way now",
                format!(
                    "a transaction that holds a lock on it is open for {}",
                    seconds(age)
                ),
                "pg_locks",
            ));
        }
        if figures.has_wraparound_vacuum {
            evidence.push(say(
                "in the way now",
                "autovacuum to prevent wraparound, which does not give way".to_owned(),
                "pg_stat_activity",
            ));
        }
        if let Some(age) = self.oldest_transaction_s.filter(|age| *age >= 60.0) {
            evidence.push(say("oldest transaction", seconds(age), "pg_stat_activity"));
        }
        if self.replicas > 0
            && fact.is_some_and(|fact| fact.lock("table").is_some_and(crate::facts::Mode::blocks_reads))
        {
            evidence.push(say(
                "replicas",
                format!(
                    "{} connected: the lock is replayed there, and queries wait or are cancelled",
                    self.replicas
                ),
                "pg_stat_replication",
            ));
        }
        let is_quiet = figures.calls_per_s.unwrap_or(0.0) < 10.0;
        (
            evidence,
            figures.table_bytes + figures.index_bytes < SMALL_BYTES
                && is_quiet
                && !figures.has_wraparound_vacuum,
        )
    }

    /// How long a statement works on the table, at best and at worst.
    fn seconds(&self, figures: &Figures, fact: &Fact) -> Option<(f64, f64)> {
        let speed = self.scan_bytes_per_s?;
        let is_rewrite = fact.rewrites("table");
        if !is_rewrite && !fact.scans("table") {
            return None;
        }
        let bytes = if is_rewrite {
            (figures.table_bytes + figures.index_bytes) as f64 * REWRITE_FACTOR
        } else {
            figures.table_bytes as f64
        };
        Some((bytes / (speed * SPEED_RANGE.1), bytes / (speed * SPEED_RANGE.0)))
    }

    /// Queries that read or write a table, or one column of it.
    pub fn users(&self, table: &Name, column: Option<&str>) -> Vec<&Query> {
        self.queries
            .iter()
            .filter(|query| names(&query.accesses, table, column))
            .collect()
    }

    /// Applications whose sessions read or write a table, or one column of it: with their roles, each once.
    pub fn applications(&self, table: &Name, column: Option<&str>) -> Vec<String> {
        let mut found: Vec<String> = self
            .sessions
            .iter()
            .filter(|session| names(&session.accesses, table, column))
            .map(|session| match session.application.as_str() {
                "" => format!("one without a name (role {})", session.role),
                name => format!("{name} (role {})", session.role),
            })
            .collect();
        found.sort();
        found.dedup();
        found
    }

    /// Why a statement that is not among the counted ones may be called all the same.
    pub fn doubts(&self) -> impl Iterator<Item = &String> {
        let gaps = self.between.iter().flat_map(|between| &between.gaps);
        gaps.chain(&self.unseen)
    }

    /// Inserts that leave a column to its default.
    pub fn inserts_without(&self, table: &Name, column: &str) -> Vec<&Query> {
        let leaves_out = |access: &crate::parse::Access| {
            access.table.is(table)
                && access
                    .fills
                    .as_ref()
                    .is_some_and(|fills| !fills.iter().any(|of| of == column))
        };
        self.queries
            .iter()
            .filter(|query| query.calls_since != Some(0) && query.accesses.iter().any(leaves_out))
            .collect()
    }
}

fn names(accesses: &[crate::parse::Access], table: &Name, column: Option<&str>) -> bool {
    accesses.iter().any(|access| {
        access.table.is(table)
            && column.is_none_or(|column| {
                access.columns.iter().any(|of| of == column) || access.perhaps.iter().any(|of| of == column)
            })
    })
}

/// A size for people.
pub fn bytes(bytes: u64) -> String {
    let mut value = bytes as f64;
    for unit in ["B", "kB", "MB", "GB"] {
        if value < 1024.0 {
            return if unit == "B" {
                format!("{bytes} B")
            } else {
                format!("{value:.1} {unit}")
            };
        }
        value /= 1024.0;
    }
    format!("{value:.1} TB")
}

/// A count for people.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut shown = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

/// A time for people.
pub fn seconds(seconds: f64) -> String {
    match seconds {
        s if s < 1.0 => format!("{:.0} ms", s * 1_000.0),
        s if s < 120.0 => format!("{s:.0} s"),
        s if s < 7_200.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.1} h", s / 3_600.0),
    }
}
