//! What came of all lives.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// What came of one life.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) seed: u64,
    /// Key and shape.
    pub(crate) scene: String,
    /// Faults that struck, by name.
    pub(crate) faults: BTreeMap<&'static str, u32>,
    /// Processes that were started.
    pub(crate) workers: u32,
    /// Writes that the application was told to be done.
    pub(crate) writes: u64,
    /// How it ended.
    pub(crate) outcome: String,
    /// What was wrong; empty for nothing.
    pub(crate) wrongs: Vec<String>,
    /// Where everything about a failed life is kept.
    pub(crate) kept: Option<PathBuf>,
    pub(crate) took: Duration,
}

impl Report {
    /// A life that could not be lived to its end.
    pub(crate) fn of_an_error(seed: u64, error: String) -> Report {
        Report {
            seed,
            scene: "?".to_owned(),
            faults: BTreeMap::new(),
            workers: 0,
            writes: 0,
            outcome: "an error".to_owned(),
            wrongs: vec![error],
            kept: None,
            took: Duration::ZERO,
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let faults: Vec<String> = self
            .faults
            .iter()
            .map(|(name, n)| format!("{name} {n}"))
            .collect();
        write!(
            f,
            "{:<4} seed {:<10} {:>5.1} s  {}: {}; {} workers, {} writes; {}",
            if self.wrongs.is_empty() { "ok" } else { "FAIL" },
            self.seed,
            self.took.as_secs_f64(),
            self.scene,
            self.outcome,
            self.workers,
            self.writes,
            if faults.is_empty() {
                "no fault".to_owned()
            } else {
                faults.join(", ")
            },
        )?;
        for wrong in &self.wrongs {
            write!(f, "\n     {}", wrong.replace('\n', "\n     "))?;
        }
        if let Some(kept) = &self.kept {
            write!(f, "\n     kept: {}", kept.display())?;
        }
        if !self.wrongs.is_empty() {
            write!(f, "\n     again: script/chaos --life-seed {}", self.seed)?;
        }
        Ok(())
    }
}

/// All lives together.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    lives: u32,
    workers: u32,
    writes: u64,
    faults: BTreeMap<&'static str, u32>,
    outcomes: BTreeMap<String, u32>,
    /// Seeds of the lives that failed.
    pub(crate) failed: Vec<u64>,
}

impl Tally {
    pub(crate) fn add(&mut self, report: Report) {
        self.lives += 1;
        self.workers += report.workers;
        self.writes += report.writes;
        for (name, count) in report.faults {
            *self.faults.entry(name).or_default() += count;
        }
        *self.outcomes.entry(report.outcome).or_default() += 1;
        if !report.wrongs.is_empty() {
            self.failed.push(report.seed);
        }
    }

    pub(crate) fn summary(&self, took: Duration) -> String {
        let list = |map: &mut dyn Iterator<Item = (&str, u32)>| {
            let parts: Vec<String> = map.map(|(name, n)| format!("{name} {n}")).collect();
            parts.join(", ")
        };
        format!(
            "chaos: {} lives in {:.0} s: {} failed{}\nchaos: {} workers started, {} writes acknowledged\n\
             chaos: ends: {}\nchaos: faults that struck: {}",
            self.lives,
            took.as_secs_f64(),
            self.failed.len(),
            self.failed
                .iter()
                .map(|s| format!(", seed {s}"))
                .collect::<String>(),
            self.workers,
            self.writes,
            list(&mut self.outcomes.iter().map(|(k, n)| (&**k, *n))),
            list(&mut self.faults.iter().map(|(k, n)| (*k, *n))),
        )
    }
}
