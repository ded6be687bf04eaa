//! Indexes that cost and do not serve: invalid ones, those that another one covers, those that nobody uses.

mod read;
pub mod tree;

use corridor_pg::Result;
use serde::Serialize;

use crate::fault::{INDEX_DUPLICATE, INDEX_INVALID, INDEX_UNUSED};
use crate::finding::{Finding, Severity};
use crate::metric::{Metric, Unit};
use crate::probe::words::{bytes, grouped, identifier, qualified, seconds};
use crate::probe::{Judging, Probe, Scope};
use crate::reader::Reader;
use crate::sample::Sample;
use crate::tree::{Facts, Tree};

/// How many are invalid.
pub static INVALID: Metric = Metric::gauge(
    "indexes_invalid",
    Unit::Count,
    "Indexes that are not valid and that nobody builds.",
);
/// Bytes of those that another one covers.
pub static DUPLICATE_BYTES: Metric = Metric::gauge(
    "indexes_duplicate_bytes",
    Unit::Bytes,
    "Size of the largest indexes that another index of their table covers.",
);
/// Bytes of one that nobody uses.
pub static UNUSED_BYTES: Metric = Metric::gauge(
    "index_unused_bytes",
    Unit::Bytes,
    "Size of an index that no query has used since the statistics began.",
)
.kept();

const DAY_S: f64 = 86_400.0;
/// Statistics that are younger say nothing about a weekly report.
const UNUSED_DAYS: f64 = 7.0;
const PAGE_BYTES: f64 = 8_192.0;
/// So many of a kind are named, the largest first.
const NAMED_MAX: usize = 20;

/// An index that is not valid.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Invalid {
    /// Schema of the table and of the index.
    pub schema: String,
    /// Its table.
    pub table: String,
    /// Its name.
    pub name: String,
    /// Its size.
    pub pages: f64,
    /// An index of a partitioned table: not valid until each partition has its own.
    pub is_partitioned: bool,
    /// Writers maintain it.
    pub is_written: bool,
    /// It was to be unique.
    pub is_unique: bool,
    /// It belongs to an exclusion constraint.
    pub is_exclusion: bool,
    /// A valid index of the table is the same.
    pub has_valid_twin: bool,
}

/// One of two indexes.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Side {
    /// Its name.
    pub name: String,
    /// The constraint that it stands for.
    pub constraint: Option<String>,
    /// Keeps values unique.
    pub is_unique: bool,
    /// The primary key's.
    pub is_primary: bool,
    /// Logical replication finds rows by it.
    pub is_identity: bool,
    /// `cluster` remembers it.
    pub is_clustered: bool,
    /// Its size.
    pub pages: f64,
    /// How often it was used.
    pub scans: f64,
}

impl Side {
    /// What it is needed for beside queries: the higher, the rather it stays.
    fn duty(&self) -> (bool, bool, bool, bool, bool) {
        (
            self.is_primary,
            self.is_identity,
            self.constraint.is_some(),
            self.is_unique,
            self.is_clustered,
        )
    }
}

/// Two indexes of one table.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Pair {
    /// Schema of the table.
    pub schema: String,
    /// The table.
    pub table: String,
    /// The one that the other covers, or, when they are the same, the older one.
    pub first: Side,
    /// The other.
    pub second: Side,
    /// They are the same; else the first is a prefix of the second.
    pub is_same: bool,
    /// They are of a partitioned table.
    pub is_partitioned: bool,
}

impl Pair {
    /// Which one may go, and which one stays.
    pub fn verdict(&self) -> (&Side, &Side) {
        let is_first_kept = self.is_same
            && match self.first.duty().cmp(&self.second.duty()) {
                std::cmp::Ordering::Greater => true,
                std::cmp::Ordering::Less => false,
                // The queries use that one already.
                std::cmp::Ordering::Equal => self.first.scans >= self.second.scans,
            };
        if is_first_kept {
            (&self.second, &self.first)
        } else {
            (&self.first, &self.second)
        }
    }
}

/// An index that no query has used.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Unused {
    /// Schema of the table and of the index.
    pub schema: String,
    /// Its table.
    pub table: String,
    /// Its name.
    pub name: String,
    /// Its size.
    pub pages: f64,
    /// Entries that writers made in it since the statistics began.
    pub entries_written: f64,
    /// The planner has statistics of its expressions.
    pub has_expressions: bool,
    /// A foreign key begins with its first column.
    pub is_for_reference: bool,
}

/// What was read.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Indexes {
    /// For example 150018.
    pub server_version_num: i32,
    /// Invalid ones.
    pub invalid: Vec<Invalid>,
    /// Pairs, the largest first.
    pub pairs: Vec<Pair>,
    /// Unused ones, the largest first.
    pub unused: Vec<Unused>,
    /// Since when statistics are counted, in seconds since 1970, when that is known.
    pub since_s: Option<f64>,
    /// Replicas that stream now.
    pub replicas: i64,
}

impl Probe for Indexes {
    const NAME: &'static str = "indexes";
    const METRICS: &'static [&'static Metric] = &[&INVALID, &DUPLICATE_BYTES, &UNUSED_BYTES];
    const TREES: &'static [&'static Tree] = &[&tree::INVALID_TREE, &tree::DUPLICATE_TREE, &tree::UNUSED_TREE];

    async fn read(reader: &mut Reader, scope: &Scope) -> Result<Self> {
        read::read(reader, scope).await
    }

    fn samples(&self) -> Vec<Sample> {
        let mut gone: Vec<(&str, &str, f64)> = self
            .pairs
            .iter()
            .map(|pair| (pair.schema.as_str(), pair.verdict().0))
            .map(|(schema, side)| (schema, side.name.as_str(), side.pages))
            .collect();
        gone.sort_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1)));
        gone.dedup_by(|a, b| (a.0, a.1) == (b.0, b.1));
        let duplicate: f64 = gone.iter().map(|(_, _, pages)| pages * PAGE_BYTES).sum();
        let mut samples = vec![
            Sample::new(&INVALID, "", self.invalid.len() as f64),
            Sample::new(&DUPLICATE_BYTES, "", duplicate),
        ];
        for index in &self.unused {
            let object = format!("{}.{}", index.schema, index.name);
            samples.push(Sample::new(&UNUSED_BYTES, object, index.pages * PAGE_BYTES));
        }
        samples
    }

    fn judge(&self, judging: &Judging<'_>) -> Vec<Finding> {
        let mut all: Vec<Finding> = self
            .invalid
            .iter()
            .map(|index| self.invalid_finding(index))
            .collect();
        let mut named: Vec<(&str, &str)> = Vec::new();
        for pair in &self.pairs {
            if named.len() == NAMED_MAX {
                break;
            }
            let (drop, _) = pair.verdict();
            // One index may be covered by several: one finding says enough.
            if named.contains(&(pair.schema.as_str(), drop.name.as_str())) {
                continue;
            }
            named.push((&pair.schema, &drop.name));
            all.push(duplicate_finding(pair));
        }
        for index in self.unused.iter().take(NAMED_MAX) {
            // What a duplicate's finding drops anyway is not said twice.
            if !named.contains(&(index.schema.as_str(), index.name.as_str())) {
                all.extend(self.unused_finding(index, judging));
            }
        }
        all
    }
}

impl Indexes {
    fn invalid_finding(&self, index: &Invalid) -> Finding {
        let what = match (index.is_partitioned, index.is_written) {
            (true, _) => "is not valid: not every partition has its part of it",
            (false, true) => "is not valid: writers maintain it, no query uses it",
            (false, false) => "is not valid: nobody uses it",
        };
        let mut finding = Finding::new(
            &INDEX_INVALID,
            format!("{}.{}", index.schema, index.name),
            Severity::Warning,
            what,
        );
        finding.fact("table", format!("{}.{}", index.schema, index.table), "pg_index");
        finding.fact("size", bytes(index.pages * PAGE_BYTES), "pg_class");
        if index.is_unique {
            finding.fact(
                "unique",
                "it keeps nothing unique that was there before".to_owned(),
                "pg_index",
            );
        }
        let mut facts = Facts::default();
        facts
            .flag("is_partitioned", index.is_partitioned)
            .flag("is_spare", index.has_valid_twin || is_left_over(&index.name))
            .flag("is_exclusion", index.is_exclusion)
            // REINDEX CONCURRENTLY of these versions can lose entries.
            .flag(
                "is_faulty_version",
                (140_000..140_004).contains(&self.server_version_num),
            )
            .text("index", qualified(&index.schema, &index.name))
            .text("parent", qualified(&index.schema, &index.table));
        finding.advice = Some(tree::INVALID_TREE.walk(&facts));
        finding
    }

    fn unused_finding(&self, index: &Unused, judging: &Judging<'_>) -> Option<Finding> {
        let object = format!("{}.{}", index.schema, index.name);
        let age_s = judging.now_s - self.since_s?;
        if age_s < UNUSED_DAYS * DAY_S {
            return None;
        }
        let mut finding = Finding::new(
            &INDEX_UNUSED,
            &object,
            Severity::Notice,
            format!(
                "no query has used it for {}: {}, {} entries written",
                seconds(age_s),
                bytes(index.pages * PAGE_BYTES),
                grouped(index.entries_written)
            ),
        );
        finding.fact("table", format!("{}.{}", index.schema, index.table), "pg_index");
        finding.fact("statistics are counted for", seconds(age_s), "pg_stat_database");
        let series = judging.series(&UNUSED_BYTES, &object, index.pages * PAGE_BYTES);
        let seen_s = series.first().map_or(0.0, |first| judging.now_s - first.at_s);
        finding.fact(
            "seen unused for",
            if seen_s >= DAY_S {
                seconds(seen_s)
            } else {
                "less than a day: the index may be younger than the statistics".to_owned()
            },
            "the history of checks",
        );
        finding.fact(
            "replicas",
            format!(
                "{} stream now; a replica counts its own scans, so that it may use this index: look there too",
                self.replicas
            ),
            "pg_stat_replication",
        );
        if index.has_expressions {
            finding.fact(
                "expressions",
                "the planner's statistics of its expressions go with it".to_owned(),
                "pg_index",
            );
        }
        let mut facts = Facts::default();
        facts
            .flag("is_for_reference", index.is_for_reference)
            .text("index", qualified(&index.schema, &index.name));
        finding.advice = Some(tree::UNUSED_TREE.walk(&facts));
        Some(finding)
    }
}

fn duplicate_finding(pair: &Pair) -> Finding {
    let (drop, keep) = pair.verdict();
    let relation = if pair.is_same {
        "is the same as"
    } else {
        "is a prefix of"
    };
    let mut finding = Finding::new(
        &INDEX_DUPLICATE,
        format!("{}.{}", pair.schema, drop.name),
        Severity::Notice,
        format!(
            "{relation} {}: {} that each write maintains twice",
            keep.name,
            bytes(drop.pages * PAGE_BYTES)
        ),
    );
    finding.fact("table", format!("{}.{}", pair.schema, pair.table), "pg_index");
    finding.fact(
        "scans",
        format!(
            "{} of this one, {} of {}",
            grouped(drop.scans),
            grouped(keep.scans),
            keep.name
        ),
        "pg_stat_all_indexes",
    );
    finding.fact("size of the other", bytes(keep.pages * PAGE_BYTES), "pg_class");
    let mut facts = Facts::default();
    facts
        .flag("is_constraint", drop.constraint.is_some())
        .flag("is_partitioned", pair.is_partitioned)
        .text("index", qualified(&pair.schema, &drop.name))
        .text("table", qualified(&pair.schema, &pair.table));
    if let Some(constraint) = &drop.constraint {
        facts.text("constraint", identifier(constraint));
    }
    finding.advice = Some(tree::DUPLICATE_TREE.walk(&facts));
    finding
}

/// Whether a name is one that `reindex concurrently` gives to what it makes, or to what it replaces.
fn is_left_over(name: &str) -> bool {
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
    stem.ends_with("_ccnew") || stem.ends_with("_ccold")
}

#[cfg(test)]
mod tests;
