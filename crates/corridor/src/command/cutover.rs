//! `corridor cutover`: swap the tables.

use corridor_migration::Name;
use corridor_pg::Result;

use super::work::Call;
use super::{Context, work};
use crate::args::Cutover;
use crate::run::Order;

/// Carries it out, or hands it to the worker that is alive.
pub(crate) async fn run(context: &Context, args: &Cutover) -> Result<u8> {
    let call = Call {
        hook: Some(&args.hook),
        is_gated: args.hook_gate,
        why: &args.why.why,
    };
    work::carry(context, &Name::new(&*args.name)?, Order::Cutover, call).await
}
