//! What was measured, phase by phase.

use std::time::Instant;

use corridor_testbed::traffic::{Summary, Traffic};
use serde::Serialize;

use super::Halt;
use super::stage::Stage;

/// The phases of the demo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Phase {
    /// All is well.
    Before,
    /// The ids have run out.
    During,
    /// The same, and the table is being moved.
    Moving,
    /// The same, and a quick way out is taken.
    Relief,
    /// Behind the cut-over, or the relief.
    After,
}

impl Phase {
    /// As JSON has it.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Phase::Before => "before",
            Phase::During => "during",
            Phase::Moving => "moving",
            Phase::Relief => "relief",
            Phase::After => "after",
        }
    }
}

/// How the application fared in one phase.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Figures {
    /// Which.
    pub(super) phase: Phase,
    /// Latencies and counts, as the clients saw them.
    #[serde(flatten)]
    pub(super) summary: Summary,
    /// Shared buffers that a statement of the application that writes touched, on average. `None` without
    /// pg_stat_statements.
    pub(super) buffers_per_write: Option<f64>,
}

/// What pg_stat_statements has counted so far.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Counters {
    /// Statements that wrote.
    pub(super) writes: f64,
    /// Shared buffers that they touched.
    pub(super) buffers: f64,
}

impl Counters {
    /// Buffers for each write since `earlier`; `None` when nothing was written.
    fn per_write_since(&self, earlier: &Counters) -> Option<f64> {
        let writes = self.writes - earlier.writes;
        (writes > 0.0).then(|| (self.buffers - earlier.buffers) / writes)
    }
}

/// The measuring of one phase, under way.
#[derive(Debug)]
pub(super) struct Measuring {
    phase: Phase,
    from: Instant,
    counters: Option<Counters>,
}

impl Measuring {
    /// Begins now.
    pub(super) async fn begin(phase: Phase, stage: &Stage) -> Result<Self, Halt> {
        Ok(Measuring {
            phase,
            counters: stage.counters().await?,
            from: Instant::now(),
        })
    }

    /// The figures from the beginning to now, in whole seconds.
    pub(super) async fn end(self, stage: &Stage, traffic: &Traffic) -> Result<Figures, Halt> {
        let summary = traffic.summary(self.from, Instant::now());
        let counters = stage.counters().await?;
        Ok(Figures {
            phase: self.phase,
            summary,
            buffers_per_write: self
                .counters
                .zip(counters)
                .and_then(|(before, after)| after.per_write_since(&before)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_are_counted_by_difference() {
        let at = |writes, buffers| Counters { writes, buffers };
        assert_eq!(at(30.0, 500.0).per_write_since(&at(10.0, 100.0)), Some(20.0));
        assert_eq!(at(10.0, 500.0).per_write_since(&at(10.0, 100.0)), None);
    }
}
