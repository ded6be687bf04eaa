//! What all parts of a worker share.

use std::sync::Arc;
use std::time::Duration;

use corridor_pg::connect::Canceller;
use corridor_pg::fault::CANCELLED;
use corridor_pg::{ConnectOptions, Fault, Result};
use tokio::sync::watch;

use super::vigil::Roster;
use super::{DataPlan, Listener, News};
use crate::heart::{Pulse, Vitals};
use crate::lease::Lease;
use crate::setting::Settings;
use crate::throttle::Leave;

/// Why a piece of work ends before it is done.
#[derive(Debug)]
pub(super) enum Halt {
    /// Something else is to be done now: the state says what.
    Turn,
    /// A fault.
    Fault(Fault),
}

impl From<Fault> for Halt {
    fn from(fault: Fault) -> Self {
        Halt::Fault(fault)
    }
}

/// Result of the worker's inner steps.
pub(super) type Step<T> = std::result::Result<T, Halt>;

/// Shared.
pub(super) struct Deck {
    pub(super) connect: ConnectOptions,
    pub(super) name: String,
    pub(super) lease: Lease,
    pub(super) plan: DataPlan,
    pub(super) listener: Arc<dyn Listener>,
    pub(super) interrupt: watch::Receiver<bool>,
    pub(super) pulse: watch::Receiver<Pulse>,
    /// What the next beats carry.
    pub(super) vitals: watch::Sender<Vitals>,
    pub(super) settings: watch::Sender<Settings>,
    pub(super) leave: watch::Sender<Leave>,
    /// The state was changed by somebody's word.
    pub(super) turn: watch::Sender<bool>,
    /// What a health check found; ends the work.
    pub(super) illness: watch::Sender<Option<String>>,
    /// The connections that are waited for.
    pub(super) roster: Arc<Roster>,
}

/// The task that carries out operations, in the roster.
pub(super) const WORKER: &str = "worker";

impl Deck {
    pub(super) fn id(&self) -> i64 {
        self.lease.fence().migration_id
    }

    pub(super) fn say(&self, news: &News) {
        self.listener.on(news);
    }

    pub(super) fn step(&self, what: impl Into<String>) {
        self.say(&News::Step { what: what.into() });
    }

    pub(super) fn retrying(&self, fault: String, pause: Duration) {
        self.say(&News::Retrying {
            fault,
            pause_ms: u64::try_from(pause.as_millis()).unwrap_or(u64::MAX),
        });
    }

    /// Interrupted, or another worker has the lease.
    pub(super) fn must_leave(&self) -> bool {
        *self.interrupt.borrow() || *self.pulse.borrow() == Pulse::Lost
    }

    fn is_halted(&self) -> bool {
        self.must_leave()
            || *self.turn.borrow()
            || *self.pulse.borrow() != Pulse::Alive
            || self.illness.borrow().is_some()
    }

    /// Ends the piece of work when something else is to be done.
    pub(super) fn checkpoint(&self) -> Step<()> {
        if self.is_halted() { Err(Halt::Turn) } else { Ok(()) }
    }

    /// Until something else is to be done.
    pub(super) async fn halted(&self) {
        let (mut interrupt, mut pulse) = (self.interrupt.clone(), self.pulse.clone());
        let (mut turn, mut illness) = (self.turn.subscribe(), self.illness.subscribe());
        tokio::select! {
            Ok(_) = interrupt.wait_for(|is_asked| *is_asked) => {}
            Ok(_) = pulse.wait_for(|pulse| *pulse != Pulse::Alive) => {}
            Ok(_) = turn.wait_for(|is_turn| *is_turn) => {}
            Ok(_) = illness.wait_for(Option::is_some) => {}
        }
    }

    /// Until the worker must leave.
    pub(super) async fn left(&self) {
        let (mut interrupt, mut pulse) = (self.interrupt.clone(), self.pulse.clone());
        tokio::select! {
            Ok(_) = interrupt.wait_for(|is_asked| *is_asked) => {}
            Ok(_) = pulse.wait_for(|pulse| *pulse == Pulse::Lost) => {}
        }
    }

    /// The worker waits for something else than the server.
    pub(super) fn rest(&self) {
        self.roster.rest(WORKER);
    }

    /// Sleeps, unless something else is to be done.
    pub(super) async fn pause(&self, time: Duration) -> Step<()> {
        self.rest();
        tokio::select! {
            () = tokio::time::sleep(time) => self.checkpoint(),
            () = self.halted() => Err(Halt::Turn),
        }
    }

    /// Until the throttle lets go on.
    pub(super) async fn leave_to_go_on(&self) -> Step<()> {
        self.rest();
        let mut leave = self.leave.subscribe();
        tokio::select! {
            Ok(_) = leave.wait_for(Leave::is_go) => self.checkpoint(),
            () = self.halted() => Err(Halt::Turn),
        }
    }

    /// Waits for a statement; cancels it when something else is to be done. One that comes to its end all the same has its
    /// result counted.
    pub(super) async fn or_cancel<T>(
        &self,
        canceller: &Canceller,
        statement: impl Future<Output = Result<T>>,
    ) -> Step<T> {
        tokio::pin!(statement);
        tokio::select! {
            result = &mut statement => return Ok(result?),
            () = self.halted() => {}
        }
        loop {
            canceller.cancel().await.ok();
            match tokio::time::timeout(Duration::from_secs(1), &mut statement).await {
                Ok(Ok(value)) => return Ok(value),
                Ok(Err(fault)) if fault.code().id == CANCELLED.id => return Err(Halt::Turn),
                Ok(Err(fault)) => return Err(Halt::Fault(fault)),
                // The cancel may have come before the statement did.
                Err(_) if *self.pulse.borrow() == Pulse::Lost => return Err(Halt::Turn),
                Err(_) => {}
            }
        }
    }
}
