//! A table into another shape: a migration of its own, that this one waits for.

use corridor_pg::Fault;

use super::Hands;
use crate::data::deck::{Halt, Step};
use crate::data::fault::{MOVE_LEFT, NO_MOVER};
use crate::data::{Moved, Mover};
use crate::definition::{Finish, Move};
use crate::name::Name;

/// The name of the move's own migration.
pub(in crate::data) fn name_of(migration: &str, operation: &str) -> String {
    Name::resembling(&format!("{migration}-{operation}")).to_string()
}

pub(super) async fn carry_out(hands: &mut Hands<'_>, wanted: &Move) -> Step<()> {
    let name = name_of(&hands.deck.name, hands.operation);
    let mover = mover(hands)?;
    hands
        .deck
        .step(format!("{}: moving {} as {name}", wanted.name, wanted.table));
    done(hands, mover.carry(&name, wanted).await?)?;
    // Without a person's word at the end there is nobody who would retire the old table.
    if hands.deck.plan.worked().finish == Finish::Automatic {
        done(hands, mover.finish(&name).await?)?;
    }
    hands.done().await
}

pub(super) async fn take_back(hands: &mut Hands<'_>, _wanted: &Move) -> Step<()> {
    let name = name_of(&hands.deck.name, hands.operation);
    let mover = mover(hands)?;
    done(hands, mover.back(&name).await?)?;
    hands.undone().await
}

fn mover<'a>(hands: &Hands<'a>) -> Result<&'a dyn Mover, Halt> {
    hands.deck.rest();
    hands
        .mover
        .ok_or_else(|| Fault::new(&NO_MOVER, hands.operation.to_owned()).into())
}

fn done(hands: &Hands<'_>, moved: Moved) -> Step<()> {
    hands.deck.checkpoint()?;
    match moved {
        Moved::Done => Ok(()),
        Moved::Left(how) => Err(Fault::new(&MOVE_LEFT, how).into()),
    }
}
