//! `corridor demo`: a real incident and the way out of it, on a throwaway cluster.
//!
//! - [`incident`]: which incidents there are; the small ones.
//! - [`play`]: the course of the large one, from the cluster to the last comparison.
//! - [`stage`]: the cluster, the table, the application, the incident.
//! - [`diagnosis`]: what `corridor check` says in the incident.
//! - [`passage`]: the move, carried out as `corridor move` carries one out.
//! - [`board`], [`spark`]: what is seen while it runs.
//! - [`figures`]: what was measured, phase by phase.
//! - [`verdict`]: what it proves. Pure.
//! - [`report`]: the result, for a person and for a program.
//!
//! **Invariant:** it talks to the cluster that it made itself, and to no other. `--database` is not read.

mod board;
mod diagnosis;
mod figures;
mod incident;
mod passage;
mod play;
mod report;
mod spark;
mod stage;
mod verdict;

use corridor_pg::{Exit, Fault, Result};

use crate::command::{Context, DONE};
use crate::fault::{DEMO, USAGE};

const EXAMPLES: &str = "\
Examples:
  corridor demo
  corridor demo --list
  corridor demo slot
  corridor demo --console
  corridor demo toast --remedy inline";

/// `corridor demo`
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Which one; --list says which there are
    #[arg(value_name = "INCIDENT", default_value = "toast")]
    pub(crate) incident: String,
    /// List the incidents, and play none
    #[arg(long)]
    pub(crate) list: bool,
    /// Rows of the table; each incident has its own default
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1_000..=100_000_000))]
    pub(crate) rows: Option<u64>,
    /// For how long each phase is measured
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u64).range(2..=600))]
    pub(crate) seconds: u64,
    /// With toast: this way out alone. Otherwise what is recommended is done first, and then the move, which lasts
    #[arg(long, value_enum)]
    pub(crate) remedy: Option<Way>,
    /// Major version of PostgreSQL; otherwise the newest of the system, or else the newest there is
    #[arg(long, value_name = "N")]
    pub(crate) major: Option<u32>,
    /// Leave the cluster up afterwards, with the way back open, and print its URL
    #[arg(long)]
    pub(crate) keep: bool,
    /// With toast: also serve the console on a free port of this machine, and print its address with an account; with
    /// --keep until Ctrl-C
    #[arg(long)]
    pub(crate) console: bool,
}

/// A way out of the incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Way {
    /// Move the table into partitions
    Move,
    /// Keep new values in their rows, where they need no id
    Inline,
    /// Move the counter over the used ids
    Jump,
}

impl Way {
    /// By the name that advice has for it; `None` for those that the demo does not show.
    fn named(way: &str) -> Option<Way> {
        [Way::Move, Way::Inline, Way::Jump]
            .into_iter()
            .find(|known| known.as_str() == way)
    }

    /// As `corridor check --way` takes it.
    fn as_str(self) -> &'static str {
        match self {
            Way::Move => "move",
            Way::Inline => "inline",
            Way::Jump => "jump",
        }
    }

    /// As one types it.
    fn command(self) -> String {
        match self {
            Way::Move => passage::command(passage::SETTINGS),
            Way::Inline | Way::Jump => {
                format!("corridor check --apply LIM-001 --way {} --execute", self.as_str())
            }
        }
    }
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
    if args.list {
        match output.is_json() {
            true => output.document(&incident::Catalogue::all())?,
            false => output.data(&incident::list())?,
        }
        return Ok(DONE);
    }
    let incident = incident::find(&args.incident)?;
    if args.remedy.is_some() && !incident.has_remedies() {
        let why = format!(
            "--remedy: {} has one way out, the one that is recommended",
            incident.name
        );
        return Err(Fault::new(&USAGE, why));
    }
    if args.console && !incident.has_remedies() {
        let why = format!("--console: toast is shown there, {} is not", incident.name);
        return Err(Fault::new(&USAGE, why));
    }
    let rows = incident.rows(args.rows)?;
    let played = match incident.has_remedies() {
        true => toast(context, args, rows).await,
        false => incident::run(context, args, incident, rows).await,
    };
    match played {
        Ok(code) => Ok(code),
        Err(Halt::Interrupted) => {
            output.note("Interrupted; the cluster is gone.");
            Ok(context.interrupt.code())
        }
        Err(Halt::Fault(fault)) => Err(fault),
    }
}

async fn toast(context: &Context, args: &Args, rows: u64) -> std::result::Result<u8, Halt> {
    let (result, console) = play::play(context, args, rows).await?;
    let output = &context.output;
    if output.is_json() {
        output.document(&result)?;
    } else {
        output.data(&report::text(&result))?;
    }
    if let Some(console) = console {
        // Nobody works in the cluster that is left: what is asked for there is carried out here.
        console.take_over()?;
        let address = console.address();
        output.say(&format!("the console stays until Ctrl-C: http://{address}"));
        context.interrupt.wait().await;
        console.leave().await;
    }
    Ok(match result.is_proven {
        true => DONE,
        false => Exit::BadResult.code(),
    })
}
