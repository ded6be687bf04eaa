//! A seat: one place for a connection, that survives the loss of the connection.

use std::time::Duration;

use corridor_migration::silence::{AWAY_MAX, end_orphan};
use corridor_pg::{ApplicationName, Fault, Retry, Session};

use crate::run::deck::Deck;
use crate::run::report::Progress;
use crate::run::stop::{Step, Stop};

/// Consecutive failures of the same piece of work before the worker gives up.
const FAILURES_MAX: u32 = 200;
/// Shortest and longest pause before the next try.
const PAUSE_MS: (u64, u64) = (20, 5_000);
/// The same after a lock that was not free.
const LOCK_PAUSE_MS: (u64, u64) = (500, 10_000);

/// A connection with a role, opened when it is needed.
#[derive(Debug)]
pub(crate) struct Seat {
    role: &'static str,
    session: Option<Session>,
    /// The backend that served a connection that was lost: it may still be at work.
    orphan_pid: Option<i32>,
    failures: u32,
}

impl Seat {
    pub(crate) fn new(role: &'static str) -> Self {
        Seat {
            role,
            session: None,
            orphan_pid: None,
            failures: 0,
        }
    }

    /// The connection; opened, or opened again, when there is none.
    ///
    /// A lost connection does not end its transaction at once: the server may not know yet, and may even have the
    /// `COMMIT` in its buffer. A new refresh must not begin while the old one can still commit, so the old backend is
    /// ended and waited for first. It is our own, by pid and application name.
    pub(crate) async fn session(&mut self, deck: &Deck) -> Step<&mut Session> {
        if self.session.as_ref().is_some_and(|s| s.is_closed()) {
            self.lose();
        }
        if self.session.is_none() {
            let session = self.open(deck).await?;
            self.session = Some(session);
        }
        match &mut self.session {
            Some(session) => {
                deck.roster.lend(session.backend_pid());
                Ok(session)
            }
            None => Err(Stop::Turn),
        }
    }

    async fn open(&mut self, deck: &Deck) -> Step<Session> {
        let name = ApplicationName::new(self.role, &deck.name);
        loop {
            deck.checkpoint()?;
            let mut halted = deck.halted();
            let mut interrupt = deck.interrupt.clone();
            let connecting = deck.connect.connect_with_retry(&name, AWAY_MAX, |fault, pause| {
                deck.say(&Progress::Retrying {
                    fault: fault.to_string(),
                    pause_ms: pause.as_millis() as u64,
                });
            });
            let session = tokio::select! {
                session = connecting => session?,
                _ = halted.wait_for(|h| *h) => return Err(Stop::Turn),
                _ = interrupt.wait_for(|i| *i) => return Err(Stop::Turn),
            };
            deck.roster.add(self.role, &session);
            match end_orphan(&session, self.orphan_pid, name.as_str()).await {
                Ok(()) => {
                    self.orphan_pid = None;
                    return Ok(session);
                }
                Err(fault) if fault.code().retry == Retry::AfterReconnect => {}
                Err(fault) => return Err(Stop::Fault(fault)),
            }
        }
    }

    fn lose(&mut self) {
        if let Some(session) = self.session.take() {
            self.orphan_pid = Some(session.backend_pid());
        }
    }

    /// Failures in a row, and how many are allowed.
    pub(crate) fn attempt(&self) -> (u32, u32) {
        (self.failures + 1, FAILURES_MAX)
    }

    /// The work went through.
    pub(crate) fn succeeded(&mut self, deck: &Deck) {
        self.failures = 0;
        self.give_back(deck);
    }

    fn give_back(&self, deck: &Deck) {
        if let Some(session) = &self.session {
            deck.roster.give_back(session.backend_pid());
        }
    }

    /// Takes a fault: pauses (and drops a lost connection) when the work may be tried again, else passes it on.
    pub(crate) async fn recover(&mut self, deck: &Deck, fault: Fault) -> Step<()> {
        self.failures += 1;
        self.give_back(deck);
        // What the connection's end was by its own account tells more than that it is closed.
        let ending = self.session.as_ref().and_then(|s| s.ending()).map(str::to_owned);
        let is_lost = fault.code().retry == Retry::AfterReconnect
            || self.session.as_ref().is_some_and(|s| s.is_closed());
        if is_lost {
            self.lose();
        }
        if self.failures > FAILURES_MAX || (fault.code().retry == Retry::Never && !is_lost) {
            return Err(Stop::Fault(fault));
        }
        // Whoever waited for a lock made others wait behind it: they get several times as long to go on.
        let is_lock = fault.code().id == corridor_pg::fault::LOCK_TIMEOUT.id;
        let (least, most) = if is_lock { LOCK_PAUSE_MS } else { PAUSE_MS };
        let ceiling = (least << self.failures.min(8)).min(most);
        let pause_ms = fastrand::u64(ceiling / 2..=ceiling);
        deck.say(&Progress::Retrying {
            fault: match ending {
                Some(ending) if is_lost && !fault.to_string().contains(&ending) => {
                    format!("{fault} ({ending})")
                }
                _ => fault.to_string(),
            },
            pause_ms,
        });
        deck.pause(Duration::from_millis(pause_ms)).await
    }
}
