//! Carrying out one operation, and taking it back.

mod backfill;
mod command;
mod constraint;
mod http;
mod index;
mod key;
mod likeness;
mod moving;
mod not_null;
mod question;
mod sql;
mod survivor;
mod trace;

pub(super) use backfill::look_ahead;
pub(super) use moving::name_of;
pub(super) use question::not_passed;

use std::time::Duration;

use corridor_pg::{Fault, FaultContext, Isolation, Result, Session};
use serde_json::{Value, json};
use tokio_postgres::Transaction;

use super::Mover;
use super::attempt::{End, Place};
use super::deck::{Deck, Step};
use super::seat::Seat;
use crate::definition::Operation;
use crate::step::Event;
use crate::store;

/// What an operation is carried out with.
pub(super) struct Hands<'a> {
    pub(super) deck: &'a Deck,
    /// For everything that is one short transaction.
    pub(super) seat: &'a mut Seat,
    /// For statements outside of a transaction.
    pub(super) long: &'a mut Seat,
    pub(super) mover: Option<&'a dyn Mover>,
    pub(super) operation: &'a str,
}

/// Carries the operation out, its end included: it is done when this returns.
pub(super) async fn carry_out(hands: &mut Hands<'_>, operation: &Operation) -> Step<()> {
    match operation {
        Operation::Sql(it) if it.no_transaction => sql::alone(hands, it).await,
        Operation::Sql(it) => sql::in_transaction(hands, it).await,
        Operation::Backfill(it) => backfill::carry_out(hands, it).await,
        Operation::Index(it) => index::carry_out(hands, it).await,
        Operation::Constraint(it) => constraint::carry_out(hands, it).await,
        Operation::Check(it) => question::check(hands, it).await,
        Operation::Verify(it) => question::verify(hands, it).await,
        Operation::WaitUntil(it) => question::wait_until(hands, it).await,
        Operation::Command(it) => command::carry_out(hands, it).await,
        Operation::Http(it) => http::carry_out(hands, it).await,
        Operation::Move(it) => moving::carry_out(hands, it).await,
    }
}

/// Takes the operation back: what it made is gone when this returns, and it is marked as undone.
///
/// What another worker began, and may still be about to do, is ended or waited for first: it would come after.
pub(super) async fn take_back(hands: &mut Hands<'_>, operation: &Operation) -> Step<()> {
    sql::wait_for_others(hands, false).await?;
    match operation {
        Operation::Sql(it) => sql::take_back(hands, it.rollback.as_deref(), it.lock_timeout.as_deref()).await,
        Operation::Backfill(it) => backfill::take_back(hands, it).await,
        Operation::Index(it) => index::take_back(hands, it).await,
        Operation::Constraint(it) => constraint::take_back(hands, it).await,
        Operation::Command(it) => command::take_back(hands, it).await,
        Operation::Move(it) => moving::take_back(hands, it).await,
        Operation::Check(_) | Operation::Verify(_) | Operation::WaitUntil(_) | Operation::Http(_) => {
            hands.undone().await
        }
    }
}

/// Why the operation cannot be taken back, where it cannot.
pub(super) fn irreversible(operation: &Operation) -> Option<&str> {
    match operation {
        Operation::Sql(it) => it.irreversible.as_deref(),
        Operation::Backfill(it) => it.irreversible.as_deref(),
        Operation::Command(it) => it.irreversible.as_deref(),
        Operation::Http(it) => it.irreversible.as_deref(),
        _ => None,
    }
}

/// A duration of a file, or `default`. What a file says was validated when it was read.
fn time(text: Option<&str>, default: Duration) -> Duration {
    text.and_then(|text| crate::definition::duration(text).ok())
        .unwrap_or(default)
}

impl Hands<'_> {
    async fn session(&mut self) -> Result<&mut Session> {
        let deck = self.deck;
        self.seat
            .session(&|fault, pause| deck.retrying(fault, pause))
            .await
    }

    async fn long_session(&mut self) -> Result<&mut Session> {
        let deck = self.deck;
        self.long
            .session(&|fault, pause| deck.retrying(fault, pause))
            .await
    }

    /// The operation is done.
    async fn done(&mut self) -> Step<()> {
        let (deck, operation) = (self.deck, self.operation);
        let session = self.session().await?;
        let tx = session.begin(Isolation::ReadCommitted).await?;
        let event = Event::OperationFinished {
            operation: operation.to_owned(),
        };
        store::apply(&tx, &deck.lease, &event).await?;
        close_tries(&tx, deck, operation).await?;
        corridor_pg::failpoint::step("operation-done", tx.commit())
            .await
            .doing(|| format!("saying that {operation} is done"))?;
        Ok(())
    }

    /// The operation is taken back.
    async fn undone(&mut self) -> Step<()> {
        let (deck, operation) = (self.deck, self.operation);
        let session = self.session().await?;
        let tx = session.begin(Isolation::ReadCommitted).await?;
        store::undo_operation(&tx, &deck.lease, operation).await?;
        close_tries(&tx, deck, operation).await?;
        corridor_pg::failpoint::step("operation-undone", tx.commit())
            .await
            .doing(|| format!("saying that {operation} is taken back"))?;
        Ok(())
    }

    /// Adds to the operation's progress.
    async fn note(&mut self, progress: Value) -> Result<()> {
        let (deck, operation) = (self.deck, self.operation);
        let session = self.session().await?;
        let tx = session.begin(Isolation::ReadCommitted).await?;
        store::note_operation_progress(&tx, &deck.lease, operation, &progress).await?;
        corridor_pg::failpoint::step("progress", tx.commit())
            .await
            .doing(|| format!("noting the progress of {operation}"))
    }

    /// Whether `key` is noted as true in the operation's progress.
    async fn has_noted(&mut self, key: &str) -> Result<bool> {
        let (id, operation) = (self.deck.id(), self.operation);
        let session = self.session().await?;
        let row = session
            .query_one(include_str!("../../sql/data/noted.sql"), &[&id, &operation, &key])
            .await
            .doing(|| format!("looking for {key} of {operation}"))?;
        Ok(row.get(0))
    }

    /// Says how a try ended; a fault of the try is passed on.
    async fn settle<T>(&mut self, number: i32, is_rollback: bool, result: Step<T>) -> Step<T> {
        let (end, detail) = match &result {
            Ok(_) => (End::Done, json!({})),
            Err(super::deck::Halt::Turn) => (
                End::Failed,
                json!({ "why": "cancelled: something else was asked for" }),
            ),
            // Nobody knows whether it went through.
            Err(super::deck::Halt::Fault(fault)) if is_lost(fault) => return result,
            Err(super::deck::Halt::Fault(fault)) => (
                End::Failed,
                json!({ "code": fault.code().id, "why": fault.to_string() }),
            ),
        };
        let place = Place {
            lease: &self.deck.lease,
            operation: self.operation,
            is_rollback,
        };
        let deck = self.deck;
        let session = self
            .seat
            .session(&|fault, pause| deck.retrying(fault, pause))
            .await?;
        place.end_alone(session, number, end, &detail).await?;
        result
    }
}

/// What a worker that is gone has left open.
async fn close_tries(tx: &Transaction<'_>, deck: &Deck, operation: &str) -> Result<()> {
    let place = Place {
        lease: &deck.lease,
        operation,
        is_rollback: false,
    };
    place.give_up(tx).await
}

/// The connection went away: what was sent may have been done.
fn is_lost(fault: &Fault) -> bool {
    fault.code().retry == corridor_pg::Retry::AfterReconnect
}
