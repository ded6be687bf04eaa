//! TOAST ids: how full the id space of each TOAST relation is, and when its writers will have to search.
//!
//! The counter that ids come from is the cluster's, and so is its rate: what another database takes moves it too. See
//! [`space`] for the arithmetic, `read` for what is read, [`tree`] for the ways out.

mod read;
pub mod space;
pub mod tree;
mod verdict;

use corridor_pg::{Oid, Result};
use serde::Serialize;

use crate::finding::{Finding, Remedy};
use crate::forecast;
use crate::metric::{Metric, Unit};
use crate::probe::{Judging, Probe, Scope};
use crate::reader::Reader;
use crate::sample::Sample;
use crate::tree::Tree;
use space::{Stretch, estimate};

/// The cluster's counter of object ids.
pub static OID_COUNTER: Metric = Metric::wrapping(
    "oid_counter",
    Unit::Count,
    space::IDS,
    "The cluster's counter of object ids; it goes round.",
);
/// Share of ids in use.
pub static USED_RATIO: Metric = Metric::gauge(
    "toast_used_ratio",
    Unit::Ratio,
    "Share of the 4.29 billion ids of a TOAST relation that are in use.",
);
/// Chunks inserted.
pub static CHUNKS_INSERTED: Metric = Metric::counter(
    "toast_chunks_inserted",
    Unit::Count,
    "Chunks inserted into a TOAST relation since its statistics were reset.",
);
/// Look-ups per value.
pub static LOOKUPS_PER_VALUE: Metric = Metric::gauge(
    "toast_lookups_per_value",
    Unit::Count,
    "Ids that were tried for each value stored out of line, between two looks of one check; 1 is healthy.",
);
/// Ids to the next wall.
pub static WALL_DISTANCE: Metric = Metric::gauge(
    "toast_wall_distance",
    Unit::Count,
    "Ids that the counter has to go until it meets the next stretch of used ids.",
);

/// A write that takes this long in a walk is a wall.
const WALL_MS: f64 = 50.0;
/// So many look-ups for each value are no accident.
const LOOKUPS_BAD: f64 = 10.0;
/// Fewer look-ups than this in a second are nothing, whatever their ratio.
const LOOKUPS_MIN: f64 = 5_000.0;
/// Writers may search from here on.
const SHARE_WARNING: f64 = 0.5;
/// Every write searches: eight look-ups on average.
const SHARE_CRITICAL: f64 = 0.85;

/// Where the counter is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Counter {
    /// The next id; for a superuser as of now, for others as of the last checkpoint.
    pub next: u32,
    /// How long ago that was, in seconds.
    pub age_s: f64,
}

/// Rows of random heap pages, and how many of them were first chunks.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Share {
    /// Chunks.
    pub rows: f64,
    /// Of which first ones: values.
    pub firsts: f64,
}

/// The id space, by random points.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Space {
    /// How many points were looked up.
    pub points: u32,
    /// How many of them were used.
    pub hits: u32,
    /// Share in use in each of 64 equal parts; empty when the time was up before the end.
    pub map: Vec<f64>,
}

/// The statistics views at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Look {
    /// When, in seconds since 1970.
    pub at_s: f64,
    /// Chunks inserted.
    pub chunks_inserted: f64,
    /// Scans of the index.
    pub index_scans: f64,
    /// Rows fetched by them.
    pub index_fetches: f64,
}

/// Sessions at a statement that writes out of line.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Writers {
    /// How many.
    pub sessions: i64,
    /// How long the oldest one has been at its statement.
    pub oldest_s: f64,
}

/// Rows that need TOAST now, and those of them that a page would take.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Inline {
    /// Rows wider than 2,000 bytes in the sample.
    pub wide_rows: f64,
    /// Of which no wider than 8,100.
    pub fitting_rows: f64,
}

/// One TOAST relation.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Relation {
    /// The TOAST relation.
    pub oid: Oid,
    /// Its table.
    pub parent_oid: Oid,
    /// `pg_toast_16384`.
    pub toast_name: String,
    /// The table's schema.
    pub schema_name: String,
    /// The table's name.
    pub table_name: String,
    /// Pages, of which the visibility map covers so many.
    pub pages: i64,
    /// Pages whose rows everybody sees.
    pub pages_all_visible: i64,
    /// Pages of the table itself.
    pub parent_pages: i64,
    /// Chunks: no fewer than there are values.
    pub chunks: f64,
    /// Dead chunks, which hold their ids until a vacuum.
    pub dead_chunks: f64,
    /// `toast_tuple_target`, when it is set.
    pub tuple_target: Option<i32>,
    /// Chunks and first chunks in random pages.
    pub first_share: Option<Share>,
    /// Random points; not taken where there are too few chunks to matter.
    pub space: Option<Space>,
    /// Used ids without a gap from the counter on.
    pub run_ahead: Option<i64>,
    /// The next stretch of used ids.
    pub stretch: Option<Stretch>,
    /// Microseconds for one look-up there.
    pub lookup_us: Option<f64>,
    /// Whether a higher `toast_tuple_target` would help.
    pub inline: Option<Inline>,
    /// First column of the primary key.
    pub key_column: Option<String>,
    /// Who writes right now.
    pub writers: Option<Writers>,
    /// The statistics views.
    pub first_look: Look,
    /// A second later, where something is suspect.
    pub second_look: Option<Look>,
}

impl Default for Relation {
    fn default() -> Self {
        Relation {
            oid: Oid(0),
            parent_oid: Oid(0),
            toast_name: String::new(),
            schema_name: String::new(),
            table_name: String::new(),
            pages: 0,
            pages_all_visible: 0,
            parent_pages: 0,
            chunks: 0.0,
            dead_chunks: 0.0,
            tuple_target: None,
            first_share: None,
            space: None,
            run_ahead: None,
            stretch: None,
            lookup_us: None,
            inline: None,
            key_column: None,
            writers: None,
            first_look: Look::default(),
            second_look: None,
        }
    }
}

/// What was read.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Toast {
    /// The server's clock.
    pub now_s: f64,
    /// The counter, when it may be read.
    pub counter: Option<Counter>,
    /// Whether the role may do what only a superuser may.
    pub is_superuser: bool,
    /// Those with most chunks, the largest first.
    pub relations: Vec<Relation>,
}

/// What happened between the two looks.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Live {
    seconds: f64,
    values: f64,
    walked: f64,
}

impl Relation {
    /// `public.persons`.
    pub fn table(&self) -> String {
        format!("{}.{}", self.schema_name, self.table_name)
    }

    /// Chunks of a value on average; 1 when nobody knows.
    pub fn chunks_per_value(&self) -> f64 {
        match self.first_share {
            Some(share) if share.firsts > 0.0 => (share.rows / share.firsts).max(1.0),
            _ => 1.0,
        }
    }

    /// Values, from chunks and pages: as good as the last vacuum's count.
    pub fn values(&self) -> f64 {
        self.chunks / self.chunks_per_value()
    }

    /// Share of ids in use and its standard error: by points, or, below half a percent, from the number of chunks.
    pub fn used(&self) -> (f64, Option<f64>) {
        match &self.space {
            Some(space) => {
                let by_points = estimate(space.hits, space.points);
                (by_points.share, Some(by_points.standard_error))
            }
            None => (self.values() / space::IDS, None),
        }
    }

    /// Share of the chunks that are dead.
    pub fn dead_share(&self) -> f64 {
        let all = self.chunks + self.dead_chunks;
        if all > 0.0 { self.dead_chunks / all } else { 0.0 }
    }

    /// Milliseconds of the slowest write in the next stretch, alone and with what is cached now.
    pub fn wall_ms(&self) -> Option<f64> {
        Some(self.stretch?.ids as f64 * self.lookup_us? / 1_000.0)
    }

    /// Worth a second look at the statistics.
    fn is_suspect(&self) -> bool {
        self.run_ahead.is_some_and(|run| run >= 100)
            || self.stretch.is_some_and(|stretch| stretch.distance < 100_000)
            || self.writers.is_some_and(|w| w.oldest_s >= 0.05)
            || self.used().0 >= SHARE_WARNING
    }

    fn remedies(&self) -> Vec<Remedy> {
        let mut all = vec![
            Remedy::Inline {
                schema: self.schema_name.clone(),
                table: self.table_name.clone(),
            },
            Remedy::Vacuum {
                schema: "pg_toast".to_owned(),
                relation: self.toast_name.clone(),
            },
        ];
        all.extend(self.stretch.map(|stretch| Remedy::Jump {
            first: stretch.first,
            ids: stretch.ids,
        }));
        all
    }

    fn live(&self) -> Option<Live> {
        let second = self.second_look?;
        let chunks = second.chunks_inserted - self.first_look.chunks_inserted;
        let values = chunks / self.chunks_per_value();
        let scans = second.index_scans - self.first_look.index_scans;
        let fetches = second.index_fetches - self.first_look.index_fetches;
        Some(Live {
            seconds: (second.at_s - self.first_look.at_s).max(0.001),
            values,
            walked: space::walked(values, scans, fetches, self.chunks_per_value()),
        })
    }

    /// Look-ups for each value between the two looks, when they are far more than they should be.
    pub fn lookups_now(&self) -> Option<f64> {
        let live = self.live()?;
        let each = (live.walked + live.values) / live.values.max(1.0);
        let is_bad = each >= LOOKUPS_BAD && live.walked / live.seconds >= LOOKUPS_MIN;
        // Where a value is one chunk, reading one looks the same: then there must be a stretch to search in, and somebody who
        // writes.
        let is_told_from_reads = self.chunks_per_value() > 1.001
            || (self.writers.is_some() && self.stretch.is_some_and(|s| s.ids as f64 >= LOOKUPS_MIN));
        (is_bad && is_told_from_reads).then_some(each)
    }
}

impl Probe for Toast {
    const NAME: &'static str = "toast";
    const BUDGET_MS: u32 = 3_000;
    const METRICS: &'static [&'static Metric] = &[
        &OID_COUNTER,
        &USED_RATIO,
        &CHUNKS_INSERTED,
        &LOOKUPS_PER_VALUE,
        &WALL_DISTANCE,
    ];
    const TREES: &'static [&'static Tree] = &[&tree::TREE];

    async fn read(reader: &mut Reader, scope: &Scope) -> Result<Self> {
        read::read(reader, scope).await
    }

    fn samples(&self) -> Vec<Sample> {
        let mut samples = Vec::new();
        if let Some(counter) = self.counter {
            samples.push(Sample::new(&OID_COUNTER, "", f64::from(counter.next)));
        }
        for relation in &self.relations {
            let table = relation.table();
            samples.push(Sample::new(&USED_RATIO, &table, relation.used().0));
            samples.push(Sample::new(
                &CHUNKS_INSERTED,
                &table,
                relation.first_look.chunks_inserted,
            ));
            if let Some(live) = relation.live().filter(|live| live.values >= 1.0) {
                let each = (live.values + live.walked) / live.values;
                samples.push(Sample::new(&LOOKUPS_PER_VALUE, &table, each));
            }
            if let Some(stretch) = relation.stretch {
                samples.push(Sample::new(&WALL_DISTANCE, &table, stretch.distance as f64));
            }
        }
        samples
    }

    fn judge(&self, judging: &Judging<'_>) -> Vec<Finding> {
        let counter_series = self.counter.map_or_else(Vec::new, |counter| {
            judging.series(&OID_COUNTER, "", f64::from(counter.next))
        });
        let oid_growth = forecast::growth(&counter_series, OID_COUNTER.kind);
        self.relations
            .iter()
            .filter_map(|relation| self.judge_one(relation, judging, &oid_growth))
            .collect()
    }
}

#[cfg(test)]
mod tests;
