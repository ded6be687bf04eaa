//! Runs the probes, one after the other on one session, and joins what they say.

use std::time::Instant;

use corridor_pg::{Result, Session};
use serde::Serialize;

use crate::finding::{self, Finding};
use crate::metric::Metric;
use crate::probe::{
    Judging, Probe, Scope, amplification, bloat, horizon, indexes, sequences, size, slots, toast, vacuum,
    wraparound,
};
use crate::reader::{Degraded, Reader};
use crate::sample::{Past, Sample};
use crate::tree::Tree;

/// How long one probe took.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Took {
    /// Which.
    pub probe: &'static str,
    /// Milliseconds.
    pub ms: f64,
}

/// Everything that a check found.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// When, in seconds since 1970, by the server's clock.
    pub at_s: f64,
    /// Worst first.
    pub findings: Vec<Finding>,
    /// What could not be seen.
    pub degraded: Vec<Degraded>,
    /// How long each probe took.
    pub took: Vec<Took>,
    /// What would be kept; not a part of the document.
    #[serde(skip)]
    pub samples: Vec<Sample>,
}

/// One probe that ran: its findings wait for the past.
type Judge = Box<dyn Fn(&Judging<'_>) -> Vec<Finding> + Send>;

macro_rules! probes {
    ($($probe:ty),* $(,)?) => {
        /// Names of all probes, in the order in which they run.
        pub const NAMES: &[&str] = &[$(<$probe>::NAME),*];

        /// All figures of all probes.
        pub fn metrics() -> Vec<&'static Metric> {
            let mut all = Vec::new();
            $(all.extend_from_slice(<$probe>::METRICS);)*
            all
        }

        /// The decision trees of all probes.
        pub fn trees() -> Vec<&'static Tree> {
            let mut all = Vec::new();
            $(all.extend_from_slice(<$probe>::TREES);)*
            all
        }

        async fn run_all(reader: &mut Reader, scope: &Scope, only: &[String], ran: &mut Ran) -> Result<()> {
            $(
                if only.is_empty() || only.iter().any(|name| name == <$probe>::NAME) {
                    ran.run::<$probe>(reader, scope).await?;
                }
            )*
            Ok(())
        }
    };
}

probes![
    toast::Toast,
    wraparound::Wraparound,
    horizon::Horizon,
    amplification::Amplification,
    bloat::Bloat,
    indexes::Indexes,
    sequences::Sequences,
    slots::Slots,
    size::Size,
    vacuum::Vacuum,
];

#[derive(Default)]
struct Ran {
    judges: Vec<Judge>,
    samples: Vec<Sample>,
    took: Vec<Took>,
}

impl Ran {
    async fn run<P: Probe + Send + 'static>(&mut self, reader: &mut Reader, scope: &Scope) -> Result<()> {
        let begun = Instant::now();
        reader.begin(P::NAME, P::BUDGET_MS);
        let facts = P::read(reader, scope).await?;
        self.samples.extend(facts.samples());
        self.judges.push(Box::new(move |judging| facts.judge(judging)));
        self.took.push(Took {
            probe: P::NAME,
            ms: begun.elapsed().as_secs_f64() * 1_000.0,
        });
        Ok(())
    }
}

/// Checks. `only` are names of probes; none means all. Writes nothing.
///
/// Locks: `ACCESS SHARE` on TOAST relations and their tables for the time of single statements, with a `lock_timeout`
/// of 50 ms. Errors: what ends the session; what is refused or takes too long is in [`Report::degraded`].
pub async fn run(session: Session, scope: &Scope, only: &[String], past: &Past) -> Result<Report> {
    let mut reader = Reader::new(session).await?;
    reader.begin("check", 1_000);
    let at_s = reader
        .ask_one("the clock", include_str!("../sql/now.sql"), &[])
        .await?
        .map_or(0.0, |row| row.get(0));
    let mut ran = Ran::default();
    run_all(&mut reader, scope, only, &mut ran).await?;
    let judging = Judging { past, now_s: at_s };
    let mut findings: Vec<Finding> = ran.judges.iter().flat_map(|judge| judge(&judging)).collect();
    finding::sort(&mut findings);
    Ok(Report {
        at_s,
        findings,
        degraded: reader.take_degraded(),
        took: ran.took,
        samples: ran.samples,
    })
}
