//! Sequences and integer keys: what draws from a sequence, where it ends (the sequence's own end, or that of the narrower
//! column that it feeds), and foreign keys that are narrower than what they refer to.

mod read;
pub mod tree;

use corridor_pg::Result;
use serde::Serialize;

use crate::fault::{KEY_ENDS, KEY_NARROWER};
use crate::finding::{Finding, Gauge, Severity};
use crate::forecast::{self, Runway};
use crate::metric::{Kind, Metric, Unit};
use crate::probe::words::{grouped, percent, qualified_column};
use crate::probe::{Judging, Probe, Scope};
use crate::reader::Reader;
use crate::sample::Sample;
use crate::tree::{Facts, Tree};

/// A key at this share is talked about,
const SHARE_NOTICE: f64 = 0.5;
/// planned for,
const SHARE_WARNING: f64 = 0.75;
/// and moved at once: a move of a large table takes days.
const SHARE_CRITICAL: f64 = 0.9;
const DAYS_CRITICAL: f64 = 30.0;
const DAYS_WARNING: f64 = 180.0;

/// What is left of a key.
pub static USED_RATIO: Metric = Metric::gauge(
    "key_used_ratio",
    Unit::Ratio,
    "Share of the values of an integer key, or of its sequence, that is used up.",
);
/// How far it is.
pub static VALUE: Metric = Metric::gauge(
    "key_value",
    Unit::Count,
    "How many values a sequence has gone from its beginning, or the highest value of an integer key.",
)
.kept();

/// A sequence and one column that draws from it; or a sequence that no column draws from.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Sequence {
    /// Its oid.
    pub oid: u32,
    /// `public.orders_id_seq`, quoted.
    pub name: String,
    /// The table that draws from it, quoted.
    pub table: Option<String>,
    /// The column that draws from it.
    pub column: Option<String>,
    /// That column owns it (serial, identity).
    pub is_owned: bool,
    /// Some column owns it.
    pub has_owner: bool,
    /// `integer`.
    pub type_name: String,
    /// Lowest value.
    pub min: f64,
    /// Highest value.
    pub max: f64,
    /// Highest value of the column's type; `None` when the column is no integer.
    pub column_max: Option<f64>,
    /// Where it began.
    pub start: f64,
    /// Negative: it goes down.
    pub increment: f64,
    /// Values that each session takes at once.
    pub cache: f64,
    /// Begins again at its end.
    pub is_cycle: bool,
    /// False: its value is hidden from this role.
    pub may_read: bool,
    /// The last value that was given out; `None` when none was, or when it is hidden.
    pub last_value: Option<f64>,
    /// Pages of the table.
    pub pages: f64,
    /// The column is a unique key by itself.
    pub is_unique: bool,
}

/// A foreign-key column that is narrower than what it refers to.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Narrow {
    /// The table, quoted.
    pub table: String,
    /// The column.
    pub column: String,
    /// The table that it refers to, quoted.
    pub referenced_table: String,
    /// The column that it refers to.
    pub referenced_column: String,
    /// Highest value of the narrower type.
    pub column_max: f64,
    /// Pages of the table.
    pub pages: f64,
}

/// An integer key that no sequence feeds.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Key {
    /// The table, quoted.
    pub table: String,
    /// The column.
    pub column: String,
    /// Highest value of its type.
    pub column_max: f64,
    /// Pages of the table.
    pub pages: f64,
    /// The highest value that the last `analyze` saw.
    pub highest: Option<f64>,
}

/// What was read.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Sequences {
    /// Those nearest to their end first.
    pub sequences: Vec<Sequence>,
    /// Narrow foreign keys.
    pub narrow: Vec<Narrow>,
    /// Keys without a sequence.
    pub keys: Vec<Key>,
}

impl Sequence {
    /// What people call it: the column that it feeds, or its own name.
    pub fn title(&self) -> String {
        match (&self.table, &self.column) {
            (Some(table), Some(column)) => qualified_column(table, column),
            _ => self.name.clone(),
        }
    }

    fn is_descending(&self) -> bool {
        self.increment < 0.0
    }

    /// The column's type ends before the sequence does.
    pub fn is_column_limit(&self) -> bool {
        self.column_max.is_some_and(|column_max| {
            if self.is_descending() {
                -column_max - 1.0 > self.min
            } else {
                column_max < self.max
            }
        })
    }

    /// How many values there are from where it begins to where it ends, and how many of them are gone.
    pub fn used(&self) -> Option<(f64, f64)> {
        let column_max = self.column_max.unwrap_or(f64::INFINITY);
        let last = self.last_value;
        if self.is_descending() {
            let end = self.min.max(-column_max - 1.0);
            let capacity = self.max - end + 1.0;
            return Some((last.map_or(0.0, |last| self.max - last + 1.0), capacity))
                .filter(|_| self.may_read);
        }
        let capacity = self.max.min(column_max) - self.min + 1.0;
        Some((last.map_or(0.0, |last| last - self.min + 1.0), capacity)).filter(|_| self.may_read)
    }

    /// It ends. One that begins again does not, unless its values must be unique or the column ends before it.
    pub fn ends(&self) -> bool {
        !self.is_cycle || self.is_unique || self.is_column_limit()
    }

    fn facts(&self, share: f64, days: Option<f64>) -> Facts {
        let mut facts = Facts::default();
        facts
            .flag("is_column_limit", self.is_column_limit() || !self.can_widen())
            .flag("is_fed", self.table.is_some())
            .number("used_share", share)
            .number("table_bytes", self.pages * 8_192.0)
            .flag("has_negatives", self.min >= 0.0 && !self.is_descending())
            .maybe("days", days)
            .text("sequence", &self.name);
        if let (Some(table), Some(column)) = (&self.table, &self.column) {
            facts
                .text("table", table)
                .text("column", super::words::identifier(column));
        }
        // Negative numbers begin where the narrower of the two types does.
        let lowest = -self.column_max.unwrap_or(f64::INFINITY).min(self.type_max()) - 1.0;
        facts.text("lowest", format!("{lowest:.0}"));
        facts
    }

    fn type_max(&self) -> f64 {
        match self.type_name.as_str() {
            "smallint" => 32_767.0,
            "integer" => 2_147_483_647.0,
            _ => i64::MAX as f64,
        }
    }

    /// The sequence could go on when its own end is moved.
    fn can_widen(&self) -> bool {
        let end = if self.is_descending() {
            -self.min - 1.0
        } else {
            self.max
        };
        self.column_max.unwrap_or(i64::MAX as f64) > end
    }

    fn explain(&self, finding: &mut Finding) {
        let said = |value: Option<f64>| value.map_or_else(|| "none yet".to_owned(), grouped);
        finding.fact("last value", said(self.last_value), "pg_sequence_last_value()");
        let (what, column_max) = ("pg_sequence", self.column_max.unwrap_or(f64::INFINITY));
        let (own, columns) = if self.is_descending() {
            (self.min, -column_max - 1.0)
        } else {
            (self.max, column_max)
        };
        finding.fact(
            "ends at",
            if self.is_column_limit() {
                format!(
                    "{}, where the column's type ends; the sequence would go on to {}",
                    grouped(columns),
                    grouped(own)
                )
            } else {
                grouped(own)
            },
            what,
        );
        let owner = match (self.is_owned, self.has_owner) {
            (true, _) => "this column",
            (false, true) => "another column",
            (false, false) => "nobody: dropping the table would leave it behind",
        };
        finding.fact(
            "sequence",
            format!("{}, owned by {owner}", self.name),
            "pg_depend",
        );
        finding.fact(
            "takes",
            format!(
                "steps of {}, {} at once in each session",
                grouped(self.increment),
                grouped(self.cache)
            ),
            what,
        );
        if self.is_cycle {
            finding.fact("at its end", "it begins again, and meets used values", what);
        }
    }
}

/// How bad a share and its days are.
fn severity(share: f64, runway: Runway) -> Option<Severity> {
    let days = runway.days_mid();
    // A young key may double in a day; what counts is that a move can still be planned.
    let within = |limit: f64| share >= 0.1 && days.is_some_and(|days| days < limit);
    if share >= SHARE_CRITICAL || within(DAYS_CRITICAL) {
        Some(Severity::Critical)
    } else if share >= SHARE_WARNING || within(DAYS_WARNING) {
        Some(Severity::Warning)
    } else {
        (share >= SHARE_NOTICE).then_some(Severity::Notice)
    }
}

fn runway(judging: &Judging<'_>, object: &str, used: f64, capacity: f64) -> Runway {
    let series = judging.series(&VALUE, object, used);
    forecast::runway(&series, Kind::Gauge, used, capacity)
}

fn gauge(used: f64, capacity: f64) -> Gauge {
    Gauge {
        used,
        standard_error: None,
        capacity,
        unit: "values",
    }
}

impl Probe for Sequences {
    const NAME: &'static str = "sequences";
    const BUDGET_MS: u32 = 1_500;
    const METRICS: &'static [&'static Metric] = &[&USED_RATIO, &VALUE];
    const TREES: &'static [&'static Tree] = &[&tree::ENDS, &tree::NARROWER];

    async fn read(reader: &mut Reader, scope: &Scope) -> Result<Self> {
        read::read(reader, scope).await
    }

    fn samples(&self) -> Vec<Sample> {
        let of_sequences = self
            .sequences
            .iter()
            .filter_map(|s| s.used().map(|used| (s.title(), used)));
        let of_keys = self.keys.iter().filter_map(|key| {
            let highest = key.highest?;
            Some((
                qualified_column(&key.table, &key.column),
                (highest, key.column_max),
            ))
        });
        let mut samples = Vec::new();
        // Two sequences may feed one column; the one that is nearer to its end comes first, and is kept.
        let mut seen = std::collections::BTreeSet::new();
        for (object, (used, capacity)) in of_sequences.chain(of_keys) {
            if seen.insert(object.clone()) {
                samples.push(Sample::new(&USED_RATIO, &object, used / capacity));
                samples.push(Sample::new(&VALUE, object, used));
            }
        }
        samples
    }

    fn judge(&self, judging: &Judging<'_>) -> Vec<Finding> {
        let mut findings = Vec::new();
        findings.extend(self.sequences.iter().filter_map(|s| judge_sequence(s, judging)));
        findings.extend(self.keys.iter().filter_map(|key| judge_key(key, judging)));
        findings.extend(
            self.narrow
                .iter()
                .map(|narrow| self.judge_narrow(narrow, judging)),
        );
        findings
    }
}

fn judge_sequence(sequence: &Sequence, judging: &Judging<'_>) -> Option<Finding> {
    let (used, capacity) = sequence.used().filter(|_| sequence.ends())?;
    let (share, object) = (used / capacity, sequence.title());
    let runway = runway(judging, &object, used, capacity);
    let severity = severity(share, runway)?;
    let headline = format!(
        "{} of the values are used up, {} are left",
        percent(share),
        grouped(capacity - used)
    );
    let mut finding = Finding::new(&KEY_ENDS, object, severity, headline);
    finding.runway = runway;
    finding.gauge = Some(gauge(used, capacity));
    let series = judging.series(&VALUE, &sequence.title(), used);
    let growth = forecast::growth(&series, Kind::Gauge).ok();
    finding.growth(growth.as_ref(), |values| format!("{} values", grouped(values)));
    sequence.explain(&mut finding);
    finding.advice = Some(tree::ENDS.walk(&sequence.facts(share, runway.days_mid())));
    Some(finding)
}

fn judge_key(key: &Key, judging: &Judging<'_>) -> Option<Finding> {
    let highest = key.highest?;
    let (share, object) = (
        highest / key.column_max,
        qualified_column(&key.table, &key.column),
    );
    let runway = runway(judging, &object, highest, key.column_max);
    let severity = severity(share, runway)?;
    let headline = format!(
        "{} of the values of its type are used up; no sequence feeds it",
        percent(share)
    );
    let mut finding = Finding::new(&KEY_ENDS, object, severity, headline);
    finding.runway = runway;
    finding.gauge = Some(gauge(highest, key.column_max));
    finding.fact(
        "highest value",
        grouped(highest),
        "pg_stats, as of the last analyze",
    );
    let mut facts = Facts::default();
    facts
        .flag("is_column_limit", true)
        .flag("is_fed", true)
        .flag("has_negatives", false)
        .number("used_share", share)
        .number("table_bytes", key.pages * 8_192.0)
        .maybe("days", runway.days_mid())
        .text("table", &key.table)
        .text("column", super::words::identifier(&key.column));
    finding.advice = Some(tree::ENDS.walk(&facts));
    Some(finding)
}

impl Sequences {
    fn judge_narrow(&self, narrow: &Narrow, judging: &Judging<'_>) -> Finding {
        let feeds = |s: &&Sequence| {
            s.table.as_ref() == Some(&narrow.referenced_table)
                && s.column.as_ref() == Some(&narrow.referenced_column)
        };
        let feeder = self.sequences.iter().find(feeds);
        let value = feeder.and_then(|s| s.last_value);
        let share = value.map(|value| value / narrow.column_max);
        let runway = match (feeder.and_then(Sequence::used), value) {
            // The series counts from the sequence's beginning, as `used` does.
            (Some((used, _)), Some(value)) => runway(
                judging,
                &qualified_column(&narrow.referenced_table, &narrow.referenced_column),
                used,
                used + narrow.column_max - value,
            ),
            _ => Runway::Unknown,
        };
        let severity = share
            .and_then(|share| severity(share, runway))
            .unwrap_or(Severity::Notice);
        let object = qualified_column(&narrow.table, &narrow.column);
        let referenced = qualified_column(&narrow.referenced_table, &narrow.referenced_column);
        let headline = format!("narrower than {referenced}, which it refers to");
        let mut finding = Finding::new(&KEY_NARROWER, object, severity, headline);
        finding.runway = runway;
        if let Some(value) = value {
            finding.gauge = Some(gauge(value, narrow.column_max));
            finding.fact(
                "last value there",
                format!(
                    "{}; this column ends at {}",
                    grouped(value),
                    grouped(narrow.column_max)
                ),
                "pg_sequence_last_value()",
            );
        }
        let mut facts = Facts::default();
        facts
            .number("table_bytes", narrow.pages * 8_192.0)
            .text("table", &narrow.table)
            .text("column", super::words::identifier(&narrow.column));
        finding.advice = Some(tree::NARROWER.walk(&facts));
        finding
    }
}

#[cfg(test)]
mod tests;
