//! Bloat: pages of tables, of TOAST relations, of the catalogue and of indexes that hold dead rows or nothing.
//!
//! Heaps by random pages, without an extension and with a standard error; indexes by what their own past was at best,
//! by the planner's statistics where those do not mislead, and exactly by `pgstatindex` for one or two that stand out.
//! One statement for each relation, the largest first: no join over `pg_stats` as a whole, which takes minutes once the
//! catalogue itself is bloated. See [`estimate`] for the arithmetic and its errors, [`tree`] for the ways out.

pub mod estimate;
mod read;
pub mod tree;

use corridor_pg::{Oid, Result};
use serde::Serialize;

use crate::fault::{INDEX_BLOAT, TABLE_BLOAT};
use crate::finding::{Finding, Gauge, Remedy, Severity};
use crate::metric::{Metric, Unit};
use crate::probe::words::{bytes, grouped, percent, qualified};
use crate::probe::{Judging, Probe, Scope};
use crate::reader::Reader;
use crate::sample::Sample;
use crate::tree::{Facts, Tree};
use estimate::{Column, Pages, Share};

/// Bloat of heaps.
pub static TABLE_BLOAT_RATIO: Metric = Metric::gauge(
    "table_bloat_ratio",
    Unit::Ratio,
    "Share of a table's or TOAST relation's pages that is dead or free, by random pages.",
)
.kept();
/// Size for each row.
pub static TABLE_BYTES_PER_ROW: Metric = Metric::gauge(
    "table_row_bytes",
    Unit::Bytes,
    "Size of a table or a TOAST relation for each of its rows.",
)
.kept();
/// Bloat of indexes.
pub static INDEX_BLOAT_RATIO: Metric = Metric::gauge(
    "index_bloat_ratio",
    Unit::Ratio,
    "Share of an index that is bloat, by statistics or counted.",
)
.kept();
/// Size for each entry.
pub static INDEX_BYTES_PER_ENTRY: Metric = Metric::gauge(
    "index_entry_bytes",
    Unit::Bytes,
    "Size of an index for each of its entries.",
)
.kept();

const PAGE_BYTES: f64 = 8_192.0;
/// Less waste than this is not worth a word.
const WASTE_NOTICE: f64 = 8.0 * 1024.0 * 1024.0;
/// So much waste is worth a plan.
const WASTE_WARNING: f64 = 1024.0 * 1024.0 * 1024.0;
/// Of a heap: less than this comes and goes.
const TABLE_NOTICE: f64 = 0.3;
/// More than half is nothing.
const TABLE_WARNING: f64 = 0.5;
/// Of an index: a btree that is written at random is a quarter empty, always.
const INDEX_NOTICE: f64 = 0.4;
/// Far more than a btree has by itself.
const INDEX_WARNING: f64 = 0.6;

/// A heap: a table, a TOAST relation, a table of the catalogue.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Heap {
    /// Which.
    pub oid: Oid,
    /// Its own schema: `pg_toast` for a TOAST relation.
    pub relation_schema: String,
    /// Its own name.
    pub relation_name: String,
    /// Its table's schema.
    pub schema: String,
    /// Its table.
    pub table: String,
    /// A TOAST relation.
    pub is_toast: bool,
    /// Of the catalogue.
    pub is_catalogue: bool,
    /// Pages as of the last vacuum, or now when it was looked at.
    pub pages: f64,
    /// Rows as of the last vacuum.
    pub rows: f64,
    /// Live rows, by the statistics views.
    pub live_rows: f64,
    /// Dead rows.
    pub dead_rows: f64,
    /// `fillfactor`.
    pub fill_factor: f64,
    /// `toast_tuple_target`: wider rows have their wide columns moved out of line.
    pub row_target: i32,
    /// What random pages hold.
    pub sample: Option<Pages>,
}

impl Heap {
    /// `public.persons`, `TOAST of public.persons`.
    pub fn object(&self) -> String {
        let of = if self.is_toast { "TOAST of " } else { "" };
        format!("{of}{}.{}", self.schema, self.table)
    }

    fn share(&self) -> Option<Share> {
        estimate::heap(self.sample.as_ref()?, self.fill_factor)
    }

    fn bytes_per_row(&self) -> Option<f64> {
        (self.rows >= 1_000.0).then(|| self.pages * PAGE_BYTES / self.rows)
    }

    fn dead_share(&self) -> f64 {
        self.dead_rows / (self.live_rows + self.dead_rows).max(1.0)
    }
}

/// What `pgstatindex` counted.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Counted {
    /// Leaf pages.
    pub leaves: f64,
    /// How full they are, percent.
    pub density: f64,
    /// Empty pages.
    pub empty: f64,
    /// Deleted pages.
    pub deleted: f64,
}

/// An index.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Index {
    /// Which.
    pub oid: Oid,
    /// Schema of its table and of itself.
    pub schema: String,
    /// Its table.
    pub table: String,
    /// Its name.
    pub name: String,
    /// Its access method: `btree`.
    pub method: String,
    /// Pages as of the last vacuum.
    pub pages: f64,
    /// Entries as of the last vacuum; negative: never counted.
    pub entries: f64,
    /// Belongs to an exclusion constraint.
    pub is_exclusion: bool,
    /// Equal entries are kept once.
    pub are_equal_merged: bool,
    /// `fillfactor`.
    pub fill_factor: f64,
    /// Its columns, where they were looked at.
    pub columns: Vec<Column>,
    /// Counted, where it was.
    pub counted: Option<Counted>,
}

/// Bloat of an index, and how it is known.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Known {
    /// The share.
    pub bloat: f64,
    /// How.
    pub by: &'static str,
    /// What the figure does not see.
    pub error: &'static str,
}

impl Index {
    /// `public.persons_pkey`.
    pub fn object(&self) -> String {
        format!("{}.{}", self.schema, self.name)
    }

    fn bytes_per_entry(&self) -> Option<f64> {
        (self.entries >= 1_000.0).then(|| self.pages * PAGE_BYTES / self.entries)
    }

    fn formula(&self) -> Option<f64> {
        if self.method != "btree" {
            return None;
        }
        estimate::btree(
            self.pages,
            self.entries,
            self.fill_factor,
            &self.columns,
            self.are_equal_merged,
        )
    }

    /// Exactly, else against the past, else by the formula.
    fn known(&self, judging: Option<&Judging<'_>>) -> Option<Known> {
        if let Some(c) = self.counted {
            return Some(Known {
                bloat: estimate::counted(c.leaves, c.density, c.empty, c.deleted, self.fill_factor),
                by: "pgstatindex: all of its pages were read",
                error: "none",
            });
        }
        let by_past = judging.and_then(|judging| {
            let series = judging.past.series(&INDEX_BYTES_PER_ENTRY, &self.object());
            estimate::against_best(self.bytes_per_entry()?, series.iter().map(|p| p.value))
        });
        let by_formula = self.formula();
        match (by_past, by_formula) {
            // A past that began bloated has no good best: the formula knows better then.
            (Some(past), Some(formula)) if formula > past => by_formula,
            (Some(past), _) => {
                return Some(Known {
                    bloat: past,
                    by: "size for each entry, against the best that the history has seen",
                    error: "10 %: values may have become wider; entries are as of the last vacuum",
                });
            }
            (None, formula) => formula,
        }
        .map(|bloat| Known {
            bloat,
            by: "the planner's statistics",
            error: "10 % for values of different widths; entries are as of the last vacuum",
        })
    }
}

/// What was read.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Bloat {
    /// For example 150018.
    pub server_version_num: i32,
    /// The largest first.
    pub heaps: Vec<Heap>,
    /// The largest first.
    pub indexes: Vec<Index>,
}

impl Probe for Bloat {
    const NAME: &'static str = "bloat";
    const BUDGET_MS: u32 = 2_000;
    const METRICS: &'static [&'static Metric] = &[
        &TABLE_BLOAT_RATIO,
        &TABLE_BYTES_PER_ROW,
        &INDEX_BLOAT_RATIO,
        &INDEX_BYTES_PER_ENTRY,
    ];
    const TREES: &'static [&'static Tree] = &[&tree::TABLE_TREE, &tree::INDEX_TREE];

    async fn read(reader: &mut Reader, scope: &Scope) -> Result<Self> {
        read::read(reader, scope).await
    }

    fn samples(&self) -> Vec<Sample> {
        let mut samples = Vec::new();
        for heap in &self.heaps {
            let object = heap.object();
            if let Some(share) = heap.share() {
                samples.push(Sample::new(&TABLE_BLOAT_RATIO, &object, share.bloat));
            }
            if let Some(each) = heap.bytes_per_row() {
                samples.push(Sample::new(&TABLE_BYTES_PER_ROW, &object, each));
            }
        }
        for index in &self.indexes {
            let object = index.object();
            if let Some(known) = index.known(None) {
                samples.push(Sample::new(&INDEX_BLOAT_RATIO, &object, known.bloat));
            }
            if let Some(each) = index.bytes_per_entry() {
                samples.push(Sample::new(&INDEX_BYTES_PER_ENTRY, &object, each));
            }
        }
        samples
    }

    fn judge(&self, judging: &Judging<'_>) -> Vec<Finding> {
        let heaps = self.heaps.iter().filter_map(|heap| heap_finding(heap, judging));
        let indexes = self
            .indexes
            .iter()
            .filter_map(|index| self.index_finding(index, judging));
        heaps.chain(indexes).collect()
    }
}

fn severity(bloat: f64, waste: f64, notice: f64, warning: f64) -> Option<Severity> {
    if bloat >= warning && waste >= WASTE_WARNING {
        Some(Severity::Warning)
    } else if bloat >= notice && waste >= WASTE_NOTICE {
        Some(Severity::Notice)
    } else {
        None
    }
}

fn gauge(bloat: f64, standard_error: Option<f64>, pages: f64) -> Gauge {
    let size = pages * PAGE_BYTES;
    Gauge {
        used: bloat * size,
        standard_error: standard_error.map(|se| se * size),
        capacity: size,
        unit: "bytes",
    }
}

fn heap_finding(heap: &Heap, judging: &Judging<'_>) -> Option<Finding> {
    let object = heap.object();
    let (bloat, standard_error) = match heap.share() {
        Some(share) => (share.bloat, Some(share.standard_error)),
        None => {
            let series = judging.past.series(&TABLE_BYTES_PER_ROW, &object);
            let best = series.iter().map(|p| p.value);
            (estimate::against_best(heap.bytes_per_row()?, best)?, None)
        }
    };
    let waste = bloat * heap.pages * PAGE_BYTES;
    let severity = severity(bloat, waste, TABLE_NOTICE, TABLE_WARNING)?;
    let error = standard_error.map_or(String::new(), |se| format!(" ± {}", percent(se)));
    let mut finding = Finding::new(
        &TABLE_BLOAT,
        &object,
        severity,
        format!(
            "{}{error} of {} is dead or free: {}",
            percent(bloat),
            bytes(heap.pages * PAGE_BYTES),
            bytes(waste)
        ),
    );
    finding.gauge = Some(gauge(bloat, standard_error, heap.pages));
    match &heap.sample {
        Some(sample) => finding.fact(
            "live rows",
            format!(
                "{} in {} of {} pages",
                grouped(sample.rows),
                sample.live_bytes.len(),
                grouped(sample.of)
            ),
            "random pages",
        ),
        None => finding.fact(
            "size for each row",
            "against the best that the history has seen; wider rows look like bloat".to_owned(),
            "pg_class, as of the last vacuum",
        ),
    }
    finding.fact(
        "dead rows",
        format!("{} ({})", grouped(heap.dead_rows), percent(heap.dead_share())),
        "pg_stat_all_tables",
    );
    let mut facts = Facts::default();
    facts
        .number("dead_share", heap.dead_share())
        .number("bloat", bloat)
        .flag("is_catalogue", heap.is_catalogue)
        .text("table", qualified(&heap.schema, &heap.table))
        .text("relation", qualified(&heap.relation_schema, &heap.relation_name));
    finding.advice = Some(tree::TABLE_TREE.walk(&facts));
    finding.remedies = vec![Remedy::Vacuum {
        schema: heap.relation_schema.clone(),
        relation: heap.relation_name.clone(),
    }];
    Some(finding)
}

impl Bloat {
    fn index_finding(&self, index: &Index, judging: &Judging<'_>) -> Option<Finding> {
        let known = index.known(Some(judging))?;
        let size = index.pages * PAGE_BYTES;
        let severity = severity(known.bloat, known.bloat * size, INDEX_NOTICE, INDEX_WARNING)?;
        let object = index.object();
        let mut finding = Finding::new(
            &INDEX_BLOAT,
            &object,
            severity,
            format!(
                "{} of {} is bloat: a rebuild gives {} back",
                percent(known.bloat),
                bytes(size),
                bytes(known.bloat * size)
            ),
        );
        finding.gauge = Some(gauge(known.bloat, None, index.pages));
        finding.fact("known by", known.by, "see there");
        finding.fact("error", known.error, "see there");
        finding.fact("table", format!("{}.{}", index.schema, index.table), "pg_index");
        let mut facts = Facts::default();
        facts
            .flag("is_exclusion", index.is_exclusion)
            // REINDEX CONCURRENTLY of these versions can lose entries.
            .flag(
                "is_faulty_version",
                (140_000..140_004).contains(&self.server_version_num),
            )
            .text("index", qualified(&index.schema, &index.name));
        finding.advice = Some(tree::INDEX_TREE.walk(&facts));
        Some(finding)
    }
}

#[cfg(test)]
mod tests;
