//! From state to state: what a worker does until nothing is left to do, a person is needed, or it has to leave.

use std::time::Duration;

use corridor_pg::fault::FENCED;
use corridor_pg::{Fault, FaultContext, Isolation, Result, Retry, Session};

use super::deck::{Deck, Halt, Step, WORKER};
use super::fault::{NOT_FOR_THIS_KIND, UNHEALTHY};
use super::operation::{Hands, carry_out, take_back};
use super::seat::Seat;
use super::{Mover, News, guard};
use crate::definition::{Finish, Operation};
use crate::operation::OperationState;
use crate::state::{Course, Side, State};
use crate::step::{Action, Event, Verb, duties};
use crate::store;

/// Failures in a row of what may be tried again, before the worker gives up.
const FAILURES_MAX: u32 = 100;

/// How a worker's turn ended.
#[derive(Debug)]
pub(super) enum Ending {
    /// In this state.
    In(State),
    /// Interrupted, or the lease is lost.
    Left,
}

/// A worker's places and hands.
pub(super) struct Worker<'a> {
    deck: &'a Deck,
    seat: Seat,
    long: Seat,
    mover: Option<&'a dyn Mover>,
    /// What the migration failed with, while it goes back by itself.
    first: Option<Fault>,
}

impl<'a> Worker<'a> {
    pub(super) fn new(deck: &'a Deck, mover: Option<&'a dyn Mover>) -> Self {
        Worker {
            deck,
            seat: Seat::new(deck, WORKER, "work"),
            long: Seat::new(deck, WORKER, "statement"),
            mover,
            first: None,
        }
    }

    /// Works until there is nothing left to do without a person.
    pub(super) async fn run(&mut self) -> Result<Ending> {
        let mut failures = 0;
        loop {
            self.deck.turn.send_replace(false);
            if self.deck.must_leave() {
                return Ok(Ending::Left);
            }
            match self.turn().await {
                Ok(Some(state)) => {
                    return match self.first.take() {
                        Some(fault) => Err(fault),
                        None => Ok(Ending::In(state)),
                    };
                }
                Ok(None) => failures = 0,
                Err(Halt::Turn) => self.after_turn().await?,
                Err(Halt::Fault(fault)) => {
                    failures += 1;
                    if fault.code().id == FENCED.id {
                        return Err(fault);
                    }
                    if fault.code().retry == Retry::Never || failures > FAILURES_MAX {
                        self.fail(fault).await?;
                    } else {
                        let pause =
                            Duration::from_millis(fastrand::u64(100..=1_000 + 100 * u64::from(failures)));
                        self.deck.retrying(fault.to_string(), pause);
                        tokio::time::sleep(pause).await;
                    }
                }
            }
        }
    }

    /// Ended at a checkpoint: by a health check, by a beat that is late, or by a word that the state has.
    async fn after_turn(&mut self) -> Result<()> {
        let illness = self.deck.illness.send_replace(None);
        match illness {
            Some(words) => self.fail(Fault::new(&UNHEALTHY, words)).await,
            None => {
                tokio::time::sleep(Duration::from_millis(50)).await;
                Ok(())
            }
        }
    }

    async fn session(&mut self) -> Result<&mut Session> {
        let deck = self.deck;
        self.seat
            .session(&|fault, pause| deck.retrying(fault, pause))
            .await
    }

    /// One piece of work. A state: the turn ends in it.
    async fn turn(&mut self) -> Step<Option<State>> {
        let id = self.deck.id();
        let session = self.session().await?;
        let state = store::read_state(&**session, id).await?;
        match (duties(&state).first(), &state) {
            (Some(Action::Work), _) => self.work().await?,
            (Some(Action::SwapBack | Action::CleanUp), State::RollingBack { side }) => {
                self.back(*side).await?
            }
            (Some(Action::CleanUp), _) => self.apply(&[Event::CleanedUp]).await?,
            (Some(Action::Retire), _) => self.retire().await?,
            (Some(Action::MirrorBack | Action::Leave) | None, _) => return Ok(Some(state)),
            _ => {
                let detail = format!("{} is {}", self.deck.name, state.name());
                return Err(Fault::new(&NOT_FOR_THIS_KIND, detail).into());
            }
        }
        Ok(None)
    }

    async fn apply(&mut self, events: &[Event]) -> Result<()> {
        let deck = self.deck;
        let session = self.session().await?;
        let tx = session.begin(Isolation::ReadCommitted).await?;
        for event in events {
            store::apply(&tx, &deck.lease, event).await?;
        }
        corridor_pg::failpoint::step("event", tx.commit())
            .await
            .doing(|| "writing the state")
    }

    async fn work(&mut self) -> Step<()> {
        let deck = self.deck;
        let operations = &deck.plan.worked().operations;
        for (place, operation) in operations.iter().enumerate() {
            deck.checkpoint()?;
            let before = self.state_of(operation).await?;
            if before == OperationState::Done {
                continue;
            }
            self.begin(operation.name(), before).await?;
            self.say(place, operation, "began");
            carry_out(&mut self.hands(operation), operation).await?;
            self.say(place, operation, "done");
        }
        let is_held = deck.plan.worked().finish == Finish::ByHand;
        Ok(self.apply(&[Event::Completed { is_held }]).await?)
    }

    /// The operation begins, or is taken up again.
    async fn begin(&mut self, operation: &str, before: OperationState) -> Result<()> {
        let deck = self.deck;
        let session = self.session().await?;
        let tx = session.begin(Isolation::ReadCommitted).await?;
        let event = Event::OperationStarted {
            operation: operation.to_owned(),
        };
        store::apply(&tx, &deck.lease, &event).await?;
        if before == OperationState::Failed {
            tx.execute(
                include_str!("../../sql/data/begun_anew.sql"),
                &[&deck.id(), &operation],
            )
            .await
            .doing(|| format!("beginning {operation} anew"))?;
        }
        corridor_pg::failpoint::step("event", tx.commit())
            .await
            .doing(|| "writing the state")
    }

    async fn back(&mut self, side: Side) -> Step<()> {
        let deck = self.deck;
        let operations = &deck.plan.worked().operations;
        for (place, operation) in operations.iter().enumerate().rev() {
            deck.checkpoint()?;
            match self.state_of(operation).await? {
                OperationState::Pending | OperationState::Undone => continue,
                OperationState::Running | OperationState::Done | OperationState::Failed => {}
            }
            deck.step(format!("taking {} back", operation.name()));
            take_back(&mut self.hands(operation), operation).await?;
            self.say(place, operation, "undone");
        }
        let events = match side {
            Side::AfterCutover => vec![Event::SwappedBack, Event::CleanedUp],
            Side::BeforeCutover => vec![Event::CleanedUp],
        };
        Ok(self.apply(&events).await?)
    }

    /// What was kept so that it could be taken back is not needed any more.
    async fn retire(&mut self) -> Step<()> {
        let deck = self.deck;
        for operation in &deck.plan.worked().operations {
            deck.checkpoint()?;
            if let (Operation::Move(_), Some(mover)) = (operation, self.mover) {
                deck.rest();
                let name = super::operation::name_of(&deck.name, operation.name());
                if let super::Moved::Left(how) = mover.finish(&name).await? {
                    return Err(Fault::new(&super::fault::MOVE_LEFT, how).into());
                }
            }
        }
        Ok(self.apply(&[Event::Retired]).await?)
    }

    async fn state_of(&mut self, operation: &Operation) -> Result<OperationState> {
        let id = self.deck.id();
        let session = self.session().await?;
        let rows = store::operations(&**session, id).await?;
        rows.into_iter()
            .find(|row| row.name == operation.name())
            .map(|row| row.state)
            .ok_or_else(|| Fault::new(&crate::fault::NO_SUCH_OPERATION, operation.name().to_owned()))
    }

    fn hands<'b>(&'b mut self, operation: &'b Operation) -> Hands<'b> {
        Hands {
            deck: self.deck,
            seat: &mut self.seat,
            long: &mut self.long,
            mover: self.mover,
            operation: operation.name(),
        }
    }

    fn say(&self, place: usize, operation: &Operation, what: &'static str) {
        self.deck.say(&News::Operation {
            position: place + 1,
            of: self.deck.plan.worked().operations.len(),
            name: operation.name().to_owned(),
            kind: operation.kind(),
            what,
        });
    }

    /// Writes the failure down, and goes back by itself when the file says so. Returns the fault when there is nothing more
    /// to do.
    async fn fail(&mut self, fault: Fault) -> Result<()> {
        let (code, detail) = (fault.code().id.to_owned(), words(&fault));
        let id = self.deck.id();
        let session = self.session().await?;
        let state = store::read_state(&**session, id).await?;
        if !state.is_worked_on() {
            // Somebody has paused or stopped it meanwhile: their word counts.
            return Ok(());
        }
        let rows = store::operations(&**session, id).await?;
        // What is done before it stands, whatever the fault says of itself.
        let fault = match rows.iter().any(|row| row.state == OperationState::Done) {
            true => fault.with_durable_change(),
            false => fault,
        };
        let running = rows.into_iter().find(|row| row.state == OperationState::Running);
        let is_forward = state.course() == Some(Course::Forward);
        let event = match running {
            Some(row) if is_forward => Event::OperationFailed {
                operation: row.name,
                code,
                detail,
            },
            _ => Event::WorkFailed { code, detail },
        };
        self.apply(&[event]).await?;
        let is_ours_to_take_back = is_forward
            && self.deck.plan.worked().rollback_on_failure
            && fault.code().id != super::fault::OUTCOME_UNKNOWN.id
            && self.first.is_none();
        if is_ours_to_take_back && self.ask_back(&fault).await? {
            self.first = Some(fault);
            return Ok(());
        }
        Err(match self.first.take() {
            // What went wrong first is what a person looks for; that going back failed as well is in the journal.
            Some(first) => first.doing(format!("going back failed as well ({fault})")),
            None => fault,
        })
    }

    /// Begins to go back by itself; false when that is refused.
    async fn ask_back(&mut self, fault: &Fault) -> Result<bool> {
        let deck = self.deck;
        let session = self.session().await?;
        let tx = session.begin(Isolation::ReadCommitted).await?;
        let argument =
            serde_json::json!({ "why": format!("rollback_on_failure, after {}", fault.code().id) });
        match guard::grant(deck, &tx, Verb::Rollback, &argument, deck.lease.holder()).await {
            Ok(()) => {
                corridor_pg::failpoint::step("event", tx.commit())
                    .await
                    .doing(|| "beginning to go back")?;
                Ok(true)
            }
            Err(refused) if store::is_refusal(&refused) => {
                deck.step(format!("it cannot go back by itself: {refused}"));
                Ok(false)
            }
            Err(fault) => Err(fault),
        }
    }
}

/// Without the code, which stands beside it.
fn words(fault: &Fault) -> String {
    let all = fault.to_string();
    match all.strip_prefix(&format!("{}: ", fault.code().id)) {
        Some(rest) => rest.to_owned(),
        None => all,
    }
}
