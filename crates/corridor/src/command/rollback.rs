//! `corridor rollback`: go back to where it began.

use corridor_migration::Name;
use corridor_pg::Result;

use super::work::Call;
use super::{Context, work};
use crate::args::Worked;
use crate::run::Order;

/// Carries it out, or hands it to the worker that is alive.
pub(crate) async fn run(context: &Context, args: &Worked) -> Result<u8> {
    work::carry(
        context,
        &Name::new(&*args.name)?,
        Order::Rollback,
        Call::with(&args.hook, &args.why),
    )
    .await
}
