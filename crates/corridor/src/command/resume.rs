//! `corridor resume`: take up what was paused, failed, or left by a dead worker.

use corridor_migration::{Name, State, store};
use corridor_pg::Result;

use super::work::Call;
use super::{Context, work};
use crate::args::Worked;
use crate::run::Order;

/// Works it in the foreground. One that was stored and never begun (the process ended in between) is begun.
pub(crate) async fn run(context: &Context, args: &Worked) -> Result<u8> {
    let name = Name::new(&*args.name)?;
    let session = context.session_for(&name).await?;
    let order = match store::load(&*session, &name).await?.state {
        State::Planned => Order::Start,
        _ => Order::Resume,
    };
    drop(session);
    work::carry(context, &name, order, Call::with(&args.hook, &args.why)).await
}
