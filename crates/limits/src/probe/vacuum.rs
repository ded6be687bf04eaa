//! Vacuum: which tables are due and for how long, where it is off, whether the workers keep up, what was never analyzed.
//!
//! Thresholds are those of the server, with each table's own settings ([`threshold`]). For how long a table is due is
//! known from the history alone. See [`tree`] for the ways out.

mod findings;
mod read;
pub mod threshold;
pub mod tree;

use corridor_pg::{Oid, Result};
use serde::Serialize;

use crate::finding::Finding;
use crate::metric::{Metric, Unit};
use crate::probe::horizon::Holder;
use crate::probe::{Judging, Probe, Scope};
use crate::reader::Reader;
use crate::sample::Sample;
use crate::tree::Tree;
use threshold::Settings;

/// How due tables are.
pub static DEAD_PER_THRESHOLD: Metric = Metric::gauge(
    "vacuum_due_ratio",
    Unit::Ratio,
    "Dead or inserted rows of a table against the number from which on autovacuum comes; due from 1 on.",
)
.kept();
/// How many are due.
pub static TABLES_DUE: Metric = Metric::gauge(
    "vacuum_tables_due",
    Unit::Count,
    "Tables and TOAST relations that are due for a vacuum.",
);
/// Workers.
pub static WORKERS_BUSY: Metric = Metric::gauge(
    "autovacuum_workers_busy_ratio",
    Unit::Ratio,
    "Share of the workers of autovacuum that are busy, in all databases.",
);
/// The load.
pub static LOAD: Metric = Metric::gauge(
    "autovacuum_load_ratio",
    Unit::Ratio,
    "Share of what the workers of autovacuum may spend that the vacuums of this database need, by the tables' history.",
);

const DAY_S: f64 = 86_400.0;
/// Nearer to its threshold than this, a table's ratio is kept.
const KEPT_FROM: f64 = 0.5;
/// So many tables are kept, the ones most due.
const KEPT_MAX: usize = 60;
/// The rounds of autovacuum take up to that load without falling behind.
const LOAD_MAX: f64 = 0.7;
/// Statistics that are younger say nothing about a load.
const LOAD_DAYS: f64 = 1.0;

/// A table or TOAST relation that has something to vacuum.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Table {
    /// Which.
    pub oid: Oid,
    /// Its table's schema.
    pub schema: String,
    /// Its table.
    pub table: String,
    /// Its own schema.
    pub relation_schema: String,
    /// Its own name.
    pub relation_name: String,
    /// A TOAST relation.
    pub is_toast: bool,
    /// Pages.
    pub pages: f64,
    /// Pages that a vacuum has to read.
    pub pages_to_scan: f64,
    /// Frozen pages; 0 before PostgreSQL 18.
    pub pages_frozen: f64,
    /// Rows as of the last vacuum; negative: never counted.
    pub rows: f64,
    /// Live rows, by the statistics views.
    pub live_rows: f64,
    /// Dead rows.
    pub dead_rows: f64,
    /// Rows inserted since the last vacuum.
    pub inserted_rows: f64,
    /// How often autovacuum has come.
    pub autovacuums: f64,
    /// When the last vacuum ended, in seconds since 1970.
    pub vacuumed_s: Option<f64>,
    /// Its own settings.
    pub options: Vec<String>,
    /// A vacuum is at it now.
    pub is_vacuumed_now: bool,
    /// Pages of its indexes, where they were looked at.
    pub index_pages: f64,
    /// Who holds a lock that no vacuum can share.
    pub blocker: Option<Blocker>,
}

/// Somebody who keeps vacuums from a table: autovacuum passes it over, again and again.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Blocker {
    /// Its session; `None` for a prepared transaction.
    pub pid: Option<i32>,
    /// The name of a prepared transaction.
    pub gid: Option<String>,
    /// `ShareLock`.
    pub mode: String,
    /// `idle in transaction`.
    pub state: Option<String>,
    /// Seconds since its transaction began; `None` when that is hidden from this role.
    pub held_s: Option<f64>,
}

impl Table {
    /// `public.persons`, `TOAST of public.persons`.
    pub fn object(&self) -> String {
        let of = if self.is_toast { "TOAST of " } else { "" };
        format!("{of}{}.{}", self.schema, self.table)
    }

    /// Dead rows against their threshold.
    pub fn dead_ratio(&self, settings: &Settings) -> f64 {
        self.dead_rows / threshold::dead_rows(settings, &self.options, self.rows).max(1.0)
    }

    /// Inserted rows against theirs; 0 where inserts do not count.
    pub fn inserted_ratio(&self, settings: &Settings) -> f64 {
        let frozen = self.pages_frozen / self.pages.max(1.0);
        threshold::inserted_rows(settings, &self.options, self.rows, frozen)
            .map_or(0.0, |rows| self.inserted_rows / rows.max(1.0))
    }

    /// The larger one of both: due from 1 on.
    pub fn due(&self, settings: &Settings) -> f64 {
        self.dead_ratio(settings).max(self.inserted_ratio(settings))
    }

    /// Autovacuum leaves it alone.
    pub fn is_off(&self) -> bool {
        threshold::is_off(&self.options)
    }
}

/// A table without statistics.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Unanalyzed {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub table: String,
    /// Partitioned: autovacuum never analyzes it.
    pub is_partitioned: bool,
    /// Live rows.
    pub live_rows: f64,
}

/// What was read.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Vacuum {
    /// What all tables go by; `None`: not known, and nothing is judged.
    pub settings: Option<Settings>,
    /// Since when statistics are counted, in seconds since 1970.
    pub since_s: Option<f64>,
    /// The server's clock.
    pub now_s: f64,
    /// Tables that are near their threshold, are off, or were vacuumed.
    pub tables: Vec<Table>,
    /// Tables without statistics.
    pub unanalyzed: Vec<Unanalyzed>,
    /// Who holds the horizon of this database, where a table is due.
    pub holder: Option<Holder>,
}

impl Vacuum {
    /// What its vacuums spend of what the workers may spend: the price of one of each table, as often as it came.
    pub fn load(&self) -> Option<f64> {
        let settings = self.settings.as_ref()?;
        let seconds = self.now_s - self.since_s?;
        if seconds < LOAD_DAYS * DAY_S {
            return None;
        }
        let spent: f64 = self
            .tables
            .iter()
            .map(|table| {
                // A vacuum comes when so many rows are dead: each on a page of its own at worst.
                let dead = threshold::dead_rows(settings, &table.options, table.rows);
                let dirtied = dead.min(table.pages);
                let scanned = table.pages_to_scan.max(dirtied);
                threshold::price(settings, scanned, dirtied, table.index_pages) * table.autovacuums
            })
            .sum();
        Some(spent / seconds / threshold::budget_per_s(settings)?)
    }

    /// Tables that are due and that autovacuum may come to, most due first.
    fn due(&self) -> Vec<&Table> {
        let Some(settings) = &self.settings else {
            return Vec::new();
        };
        let mut due: Vec<&Table> = self
            .tables
            .iter()
            .filter(|table| table.due(settings) >= 1.0)
            .collect();
        due.sort_by(|a, b| b.due(settings).total_cmp(&a.due(settings)));
        due
    }
}

impl Probe for Vacuum {
    const NAME: &'static str = "vacuum";
    const METRICS: &'static [&'static Metric] = &[&DEAD_PER_THRESHOLD, &TABLES_DUE, &WORKERS_BUSY, &LOAD];
    const TREES: &'static [&'static Tree] = &[
        &tree::DUE_TREE,
        &tree::OFF_TREE,
        &tree::WORKERS_TREE,
        &tree::ANALYZE_TREE,
    ];

    async fn read(reader: &mut Reader, scope: &Scope) -> Result<Self> {
        read::read(reader, scope).await
    }

    fn samples(&self) -> Vec<Sample> {
        let Some(settings) = &self.settings else {
            return Vec::new();
        };
        let mut near: Vec<(&Table, f64)> = self
            .tables
            .iter()
            .map(|table| (table, table.due(settings)))
            .filter(|(_, due)| *due >= KEPT_FROM)
            .collect();
        near.sort_by(|a, b| b.1.total_cmp(&a.1));
        let mut samples: Vec<Sample> = near
            .into_iter()
            .take(KEPT_MAX)
            .map(|(table, due)| Sample::new(&DEAD_PER_THRESHOLD, table.object(), due))
            .collect();
        samples.push(Sample::new(&TABLES_DUE, "", self.due().len() as f64));
        let busy = settings.workers_busy / settings.workers_max.max(1.0);
        samples.push(Sample::new(&WORKERS_BUSY, "", busy));
        if let Some(load) = self.load() {
            samples.push(Sample::new(&LOAD, "", load));
        }
        samples
    }

    fn judge(&self, judging: &Judging<'_>) -> Vec<Finding> {
        let Some(settings) = &self.settings else {
            return Vec::new();
        };
        let mut all: Vec<Finding> = self
            .due()
            .into_iter()
            .filter_map(|table| self.due_finding(table, settings, judging))
            .collect();
        all.extend(self.off_findings(settings));
        all.extend(self.workers_finding(settings, judging));
        all.extend(self.unanalyzed.iter().map(findings::unanalyzed));
        all
    }
}

#[cfg(test)]
mod tests;
