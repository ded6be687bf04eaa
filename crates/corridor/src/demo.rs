//! `corridor demo`: a real incident and the way out of it, on a throwaway cluster.

use corridor_pg::{Fault, Result};

use crate::command::Context;
use crate::fault::RUNTIME;

/// `corridor demo`
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Rows of the table
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    pub(crate) rows: u64,
    /// Leave the cluster up afterwards, and print its URL
    #[arg(long)]
    pub(crate) keep: bool,
}

/// Replays it. Returns what the process returns.
pub(crate) async fn run(_context: &Context, args: &Args) -> Result<u8> {
    let what = format!(
        "the demo is not part of this build ({} rows, keep {})",
        args.rows, args.keep
    );
    Err(Fault::new(&RUNTIME, what))
}
