//! One place for a connection, that survives the loss of the connection.

use std::sync::Arc;
use std::time::Duration;

use corridor_pg::{ApplicationName, ConnectOptions, Result, Session};

use super::deck::Deck;
use super::vigil::Roster;
use crate::silence::{AWAY_MAX, end_orphan};

/// A connection with a role, opened when it is needed.
#[derive(Debug)]
pub(super) struct Seat {
    connect: ConnectOptions,
    name: ApplicationName,
    session: Option<Session>,
    /// The backend that served a connection that was lost: it may still be at work.
    orphan_pid: Option<i32>,
    /// Whoever looks whether it has gone silent, and which task has it.
    roster: Arc<Roster>,
    task: &'static str,
}

impl Seat {
    /// A place of `task`, which waits for one connection at a time.
    pub(super) fn new(deck: &Deck, task: &'static str, role: &str) -> Self {
        let (connect, migration) = (&deck.connect, &deck.name);
        Seat {
            roster: Arc::clone(&deck.roster),
            task,
            connect: connect.clone(),
            name: ApplicationName::new(role, migration),
            session: None,
            orphan_pid: None,
        }
    }

    /// The connection; opened, or opened again, when there is none. What a lost one left running is ended first: a
    /// transaction must not begin while the one before it can still commit.
    pub(super) async fn session(&mut self, say: &(dyn Fn(String, Duration) + Sync)) -> Result<&mut Session> {
        if let Some(lost) = self.session.take_if(|session| session.is_closed()) {
            self.orphan_pid = Some(lost.backend_pid());
        }
        let session = match self.session.take() {
            Some(session) => session,
            None => {
                let session = self
                    .connect
                    .connect_with_retry(&self.name, AWAY_MAX, |fault, pause| say(fault.to_string(), pause))
                    .await?;
                self.roster.lend(self.task, &session);
                end_orphan(&session, self.orphan_pid, self.name.as_str()).await?;
                self.orphan_pid = None;
                session
            }
        };
        self.roster.lend(self.task, &session);
        Ok(self.session.insert(session))
    }

    /// Gives the connection back in good order: what a person's statement has set for its session ends with it.
    pub(super) fn renew(&mut self) {
        self.session = None;
    }

    /// Gives the connection up: nobody knows what it is at.
    pub(super) fn lose(&mut self) {
        if let Some(session) = self.session.take() {
            self.orphan_pid = Some(session.backend_pid());
        }
    }
}
