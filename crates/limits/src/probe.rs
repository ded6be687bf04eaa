//! Probes: one file for each group of limits.
//!
//! A probe's type holds its facts. [`Probe::read`] fills it (the rim); [`Probe::samples`] says which figures are kept;
//! [`Probe::judge`] makes findings of facts and past. The last two are pure.
//!
//! To add one: a file here, a line in [`crate::check`], its metrics, its tree, its codes in [`crate::fault`].

use corridor_pg::Result;

use crate::finding::Finding;
use crate::metric::Metric;
use crate::reader::Reader;
use crate::sample::{Past, Point, Sample};
use crate::tree::Tree;

pub mod amplification;
pub mod bloat;
pub mod horizon;
pub mod indexes;
pub mod sequences;
pub mod size;
pub mod slots;
pub mod toast;
pub mod vacuum;
pub mod words;
pub mod wraparound;

/// What a check is about.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    /// Only this table: `schema.name`, as the catalogue has them.
    pub table: Option<(String, String)>,
    /// Where random points come from: equal seeds look at equal places.
    pub seed: u64,
    /// Where the data directory's disk can be asked on this machine.
    pub disk_path: Option<std::path::PathBuf>,
    /// How large the disk is, where a person said so.
    pub disk_size_bytes: Option<u64>,
}

/// What judging needs beside the facts.
#[derive(Debug)]
pub struct Judging<'a> {
    /// What was kept.
    pub past: &'a Past,
    /// Now, in seconds since 1970, by the server's clock.
    pub now_s: f64,
}

impl Judging<'_> {
    /// The series of one figure, with the figure of now at its end.
    pub fn series(&self, metric: &Metric, object: &str, now: f64) -> Vec<Point> {
        let point = Point {
            at_s: self.now_s,
            value: now,
        };
        self.past.with_now(metric, object, point)
    }
}

/// One group of limits.
pub trait Probe: Sized {
    /// Its name: `toast`. What `--only` takes, and what degraded answers say.
    const NAME: &'static str;
    /// What all of its statements together may take, in milliseconds.
    const BUDGET_MS: u32 = 1_000;
    /// All figures that it can keep.
    const METRICS: &'static [&'static Metric];
    /// Its decision trees.
    const TREES: &'static [&'static Tree];

    /// Reads the facts. Errors: what ends the session; what was refused or took too long is noted in the reader.
    fn read(reader: &mut Reader, scope: &Scope) -> impl Future<Output = Result<Self>> + Send;

    /// The figures that are kept.
    fn samples(&self) -> Vec<Sample>;

    /// What they mean.
    fn judge(&self, judging: &Judging<'_>) -> Vec<Finding>;
}
