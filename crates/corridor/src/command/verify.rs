//! `corridor verify`: compare every row again.

use corridor_migration::Name;
use corridor_pg::Result;

use super::work::Call;
use super::{Context, work};
use crate::args::Named;
use crate::run::Order;

/// Carries it out, or hands it to the worker that is alive.
pub(crate) async fn run(context: &Context, args: &Named) -> Result<u8> {
    work::carry(
        context,
        &Name::new(&*args.name)?,
        Order::Verify,
        Call::because(&args.why),
    )
    .await
}
