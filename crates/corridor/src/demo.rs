//! `corridor demo`: a real incident and the way out of it, on a throwaway cluster.
//!
//! - [`play`]: the course of it, from the cluster to the last comparison.
//! - [`stage`]: the cluster, the table, the application, the incident.
//! - [`passage`]: the move, carried out as `corridor move` carries one out.
//! - [`board`], [`spark`]: what is seen while it runs.
//! - [`figures`]: what was measured, phase by phase.
//! - [`verdict`]: what it proves. Pure.
//! - [`report`]: the result, for a person and for a program.
//!
//! **Invariant:** it talks to the cluster that it made itself, and to no other. `--database` is not read.

mod board;
mod figures;
mod passage;
mod play;
mod report;
mod spark;
mod stage;
mod verdict;

use corridor_pg::{Exit, Fault, Result};

use crate::command::{Context, DONE};
use crate::fault::DEMO;

/// `corridor demo`
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Rows of the table
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1_000..=100_000_000))]
    pub(crate) rows: u64,
    /// For how long each phase is measured
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u64).range(2..=600))]
    pub(crate) seconds: u64,
    /// Major version of PostgreSQL; otherwise the newest of the system, or else the newest there is
    #[arg(long, value_name = "N")]
    pub(crate) major: Option<u32>,
    /// Leave the cluster up afterwards, with the way back open, and print its URL
    #[arg(long)]
    pub(crate) keep: bool,
}

/// Why the demo ended before its end.
#[derive(Debug)]
enum Halt {
    /// Somebody wants us to leave.
    Interrupted,
    /// Something failed.
    Fault(Fault),
}

impl From<Fault> for Halt {
    fn from(fault: Fault) -> Self {
        // Whatever it is: the demo ran, and its result is bad.
        match fault.code().id == DEMO.id {
            true => Halt::Fault(fault),
            false => Halt::Fault(Fault::new(&DEMO, fault.to_string()).caused_by(fault)),
        }
    }
}

impl From<corridor_testbed::Error> for Halt {
    fn from(error: corridor_testbed::Error) -> Self {
        Halt::Fault(Fault::new(&DEMO, error.to_string()).caused_by(error))
    }
}

/// Replays it. Returns what the process returns.
pub(crate) async fn run(context: &Context, args: &Args) -> Result<u8> {
    let output = &context.output;
    match play::play(context, args).await {
        Ok(result) => {
            if output.is_json() {
                output.document(&result)?;
            } else {
                output.data(&report::text(&result))?;
            }
            Ok(match result.is_proven {
                true => DONE,
                false => Exit::BadResult.code(),
            })
        }
        Err(Halt::Interrupted) => {
            output.note("Interrupted; the cluster is gone.");
            Ok(context.interrupt.code())
        }
        Err(Halt::Fault(fault)) => Err(fault),
    }
}
