//! `corridor finish`: retire the old table.

use corridor_migration::Name;
use corridor_pg::Result;

use super::work::Call;
use super::{Context, work};
use crate::args::Finish;
use crate::run::Order;

/// Carries it out, or hands it to the worker that is alive.
pub(crate) async fn run(context: &Context, args: &Finish) -> Result<u8> {
    let order = Order::Finish { is_drop: args.drop };
    work::carry(
        context,
        &Name::new(&*args.name)?,
        order,
        Call::with(&args.hook, &args.why),
    )
    .await
}
