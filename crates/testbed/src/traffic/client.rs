//! One client: draws work, does it, and notes what was acknowledged.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedRwLockReadGuard, watch};

use super::model::{Habits, Plan, Share, States, Step};
use super::session::{Backend, Failure, Session};
use super::statements::Statements;
use super::{Shared, StatementMode};

/// Pause between two attempts to connect: a server that restarts is back within a second or so.
const RECONNECT_PAUSE: Duration = Duration::from_millis(50);
/// Pause while a server process that lost its client comes to its end.
const REST_PAUSE: Duration = Duration::from_millis(10);
/// After this much idling for want of a fitting row, or of weight in the mix, another draw.
const IDLE_PAUSE: Duration = Duration::from_millis(2);
/// How long a client that is to stop goes on asking how its last transaction ended.
const LAST_ANSWER_PATIENCE: Duration = Duration::from_secs(10);

/// A transaction whose answer was lost: the rows are all as before, or all as after.
#[derive(Debug, Clone)]
pub(crate) struct Ambiguity {
    pub(crate) before: States,
    pub(crate) after: States,
    backend: Option<Backend>,
    /// It may stand there prepared.
    prepared_as: Option<String>,
}

/// What a client leaves behind.
#[derive(Debug)]
pub(crate) struct Remains {
    pub(crate) share: Share,
    pub(crate) ambiguity: Option<Ambiguity>,
}

/// Everything that a client works with.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) shared: Arc<Shared>,
    pub(crate) statements: Arc<Statements>,
    pub(crate) share: Share,
    pub(crate) ambiguity: Option<Ambiguity>,
    pub(crate) habits: Habits,
    pub(crate) url: String,
    pub(crate) mode: StatementMode,
    pub(crate) timeout: Duration,
    pub(crate) think_time: Duration,
    /// Time between two pieces of work, when a rate was asked for.
    pub(crate) spacing: Option<Duration>,
    pub(crate) random: fastrand::Rng,
    pub(crate) stop: watch::Receiver<bool>,
    /// Held while a piece of work is under way or unsettled: nobody truncates meanwhile.
    pub(crate) turn: Option<OwnedRwLockReadGuard<()>>,
    /// Truncates that are known to the share.
    pub(crate) truncations: u64,
}

enum Outcome {
    Done(Duration),
    NotDone(Failure),
    Unknown(Failure),
}

impl Worker {
    fn must_stop(&self) -> bool {
        *self.stop.borrow()
    }

    /// Sleeps, but not past the call to stop.
    async fn pause(&mut self, time: Duration) {
        tokio::select! {
            () = tokio::time::sleep(time) => {}
            _ = self.stop.wait_for(|stop| *stop) => {}
        }
    }

    pub(crate) async fn work(mut self) -> Remains {
        let mut session = None;
        let mut due = Instant::now() + self.spacing.unwrap_or_default().mul_f64(self.random.f64());
        while !self.must_stop() {
            if let Some(spacing) = self.spacing {
                let now = Instant::now();
                if due > now {
                    self.pause(due - now).await;
                    continue;
                }
                // What could not be done in time is not made up for in a burst.
                due = (due + spacing).max(now);
            }
            if self.turn.is_none() {
                self.take_turn().await;
            }
            let Some(open) = session.as_mut() else {
                session = self.reconnect().await;
                self.end_turn();
                continue;
            };
            let Some(plan) = self.share.plan(&self.habits, &mut self.random) else {
                self.pause(IDLE_PAUSE).await;
                continue;
            };
            if !self.carry_out(open, plan).await {
                session = None;
            }
            self.end_turn();
            if !self.think_time.is_zero() {
                self.pause(self.think_time).await;
            }
        }
        self.settle_before_leaving(session).await;
        self.turn = None;
        self.take_turn().await;
        Remains {
            share: self.share,
            ambiguity: self.ambiguity,
        }
    }

    async fn take_turn(&mut self) {
        self.turn = Some(Arc::clone(&self.shared.turns).read_owned().await);
        let truncations = self.shared.truncations.load(Ordering::SeqCst);
        if truncations != self.truncations {
            self.truncations = truncations;
            self.share.forget_all();
        }
    }

    /// While an answer is missing the turn lasts.
    fn end_turn(&mut self) {
        if self.ambiguity.is_none() {
            self.turn = None;
        }
    }

    /// Does a plan and notes its outcome. False when the session is not to be used again.
    async fn carry_out(&mut self, session: &mut Session, plan: Plan) -> bool {
        let is_read = plan.is_read();
        self.mark_in_flight(true);
        let outcome = perform(session, &self.statements, &plan).await;
        self.mark_in_flight(false);
        match outcome {
            Outcome::Done(latency) => {
                self.share.apply(&plan.effect);
                self.shared.meter().record(Instant::now(), latency, is_read);
                true
            }
            Outcome::NotDone(failure) => self.note(failure),
            Outcome::Unknown(failure) => {
                let before = plan.effect.keys().map(|n| (*n, self.share.row(*n))).collect();
                self.ambiguity = Some(Ambiguity {
                    before,
                    after: plan.effect,
                    backend: Some(session.backend.clone()),
                    prepared_as: plan.prepared_as,
                });
                self.note(failure)
            }
        }
    }

    /// Counts a failure. False when the session is not to be used again.
    fn note(&self, failure: Failure) -> bool {
        let now = Instant::now();
        match failure {
            Failure::Refused { sqlstate, message } => {
                // A key that should be free, or a row that breaks a rule that it kept before.
                if sqlstate.starts_with("23") {
                    self.shared.anomaly(format!("{message} ({sqlstate})"));
                }
                self.shared.meter().record_error(now, &sqlstate, &message);
                true
            }
            Failure::Lost { message } => {
                self.shared.meter().record_error(now, "connection", &message);
                false
            }
            Failure::Wrong(what) => {
                self.shared.anomaly(what.clone());
                self.shared.meter().record_error(now, "anomaly", &what);
                false
            }
        }
    }

    fn mark_in_flight(&self, is_in_flight: bool) {
        if let Some(since) = self.shared.in_flight_since_us.get(self.share.client as usize) {
            let now = self.shared.started.elapsed().as_micros() as u64;
            since.store(if is_in_flight { now.max(1) } else { 0 }, Ordering::Relaxed);
        }
    }

    /// A session in which it is known how everything before ended; `None` when that did not work out yet.
    async fn reconnect(&mut self) -> Option<Session> {
        let session = match Session::connect(&self.url, self.mode, self.timeout).await {
            Ok(session) => session,
            Err(failure) => {
                // A server that starts up, or has no room: everything here is worth another try.
                let (Failure::Refused { message, .. } | Failure::Lost { message } | Failure::Wrong(message)) =
                    failure;
                self.shared
                    .meter()
                    .record_error(Instant::now(), "connecting", &message);
                self.pause(RECONNECT_PAUSE).await;
                return None;
            }
        };
        self.resolve(session).await
    }

    /// Finds out how the transaction whose answer was lost ended.
    async fn resolve(&mut self, mut session: Session) -> Option<Session> {
        let Some(ambiguity) = self.ambiguity.clone() else {
            return Some(session);
        };
        match self.look(&mut session, &ambiguity).await {
            Ok(Some(states)) => {
                self.share.apply(&states);
                self.ambiguity = None;
                Some(session)
            }
            Ok(None) => {
                self.pause(REST_PAUSE).await;
                None
            }
            Err(failure) => {
                self.note(failure);
                self.pause(RECONNECT_PAUSE).await;
                None
            }
        }
    }

    /// The states that the rows are in; `None` while the old session still lives.
    async fn look(&self, session: &mut Session, ambiguity: &Ambiguity) -> Result<Option<States>, Failure> {
        if let Some(backend) = &ambiguity.backend
            && !session.put_to_rest(backend).await?
        {
            return Ok(None);
        }
        if let Some(name) = &ambiguity.prepared_as {
            session.roll_back_prepared(name).await?;
        }
        let table = &self.share.table;
        let mut found = Vec::new();
        for n in ambiguity.after.keys() {
            let key: Vec<Option<String>> = table.key.encode(*n).into_iter().map(Some).collect();
            found.push((*n, session.read(&self.statements, &key).await?));
        }
        let agrees = |states: &States| {
            found.iter().all(|(n, reading)| {
                let state = states.get(n).copied().flatten();
                *reading == state.map(|row| table.reading(&self.share.base, *n, &row))
            })
        };
        if agrees(&ambiguity.after) {
            return Ok(Some(ambiguity.after.clone()));
        }
        if !agrees(&ambiguity.before) {
            self.shared.anomaly(format!(
                "after a lost answer the rows are neither as before nor as after: before {:?}, after {:?}, found {found:?}",
                ambiguity.before, ambiguity.after
            ));
        }
        Ok(Some(ambiguity.before.clone()))
    }

    /// A client that stops with an open question asks a little longer, so that the ledger is exact.
    async fn settle_before_leaving(&mut self, session: Option<Session>) {
        drop(session);
        let deadline = Instant::now() + LAST_ANSWER_PATIENCE;
        while self.ambiguity.is_some() && Instant::now() < deadline {
            if let Ok(session) = Session::connect(&self.url, self.mode, self.timeout).await {
                self.resolve(session).await;
            }
            // Not `pause`: that ends at once now.
            tokio::time::sleep(REST_PAUSE).await;
        }
    }
}

/// Runs the steps. Pauses are not part of the latency.
async fn perform(session: &mut Session, statements: &Statements, plan: &Plan) -> Outcome {
    let is_transaction = matches!(plan.steps.first(), Some(Step::Begin(_)));
    let mut latency = Duration::ZERO;
    let mut is_in_transaction = false;
    let mut may_be_prepared = false;
    for step in &plan.steps {
        let started = Instant::now();
        let result = match step {
            Step::Begin(level) => {
                is_in_transaction = true;
                session.command(&format!("begin isolation level {level}")).await
            }
            Step::Commit => {
                is_in_transaction = false;
                session.command("commit").await
            }
            Step::Prepare(name) => {
                is_in_transaction = false;
                let result = session.command(&format!("prepare transaction '{name}'")).await;
                may_be_prepared = !matches!(result, Err(Failure::Refused { .. }));
                result
            }
            Step::EndPrepared { name, is_commit } => {
                let verb = if *is_commit { "commit" } else { "rollback" };
                session.command(&format!("{verb} prepared '{name}'")).await
            }
            Step::Savepoint => session.command("savepoint s").await,
            Step::RollbackToSavepoint => session.command("rollback to savepoint s").await,
            Step::Pause(time) => {
                tokio::time::sleep(*time).await;
                continue;
            }
            Step::Write {
                statement,
                values,
                rows,
            } => session
                .write(statements, *statement, values)
                .await
                .and_then(|touched| match touched == *rows {
                    true => Ok(()),
                    false => Err(Failure::Wrong(format!(
                        "{statement:?} {values:?} touched {touched} rows instead of {rows}"
                    ))),
                }),
            Step::Read { values, expected } => {
                session
                    .read(statements, values)
                    .await
                    .and_then(|found| match found == *expected {
                        true => Ok(()),
                        false => Err(Failure::Wrong(format!(
                            "reading {values:?} gave {found:?} instead of {expected:?}"
                        ))),
                    })
            }
        };
        latency += started.elapsed();
        let Err(failure) = result else { continue };
        return match failure {
            Failure::Refused { sqlstate, message } if may_be_prepared => Outcome::Unknown(Failure::Lost {
                message: format!("the second phase was refused: {message} ({sqlstate})"),
            }),
            Failure::Lost { .. } if may_be_prepared => Outcome::Unknown(failure),
            // Refused at commit, too, means rolled back.
            Failure::Refused { .. } => {
                if is_in_transaction && session.command("rollback").await.is_err() {
                    return Outcome::NotDone(Failure::Lost {
                        message: "the connection was lost while rolling back".to_owned(),
                    });
                }
                Outcome::NotDone(failure)
            }
            // Before the commit was sent nothing can have been kept.
            Failure::Lost { .. } if is_in_transaction || plan.effect.is_empty() => Outcome::NotDone(failure),
            Failure::Lost { .. } => Outcome::Unknown(failure),
            // The session is dropped, and with it an open transaction; alone, a statement has done what it did.
            Failure::Wrong(_) if is_transaction || plan.effect.is_empty() => Outcome::NotDone(failure),
            Failure::Wrong(_) => Outcome::Unknown(failure),
        };
    }
    Outcome::Done(latency)
}

/// Since when a client waits for an answer, in microseconds since the traffic started; 0: it does not.
pub(crate) type InFlight = AtomicU64;
