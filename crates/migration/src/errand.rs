//! An errand: an order that is left with the worker that lives, and what comes of it.
//!
//! Whoever runs an errand has no vigil. So its connection is given up when a look is not answered for 20 seconds, and the
//! errand goes on with a new one: the order is a row, and what comes of it is another.

use std::time::{Duration, Instant};

use corridor_pg::{ApplicationName, ConnectOptions, Fault, FaultContext, Isolation, Result, Retry, Session};
use serde_json::Value;
use tokio::sync::watch;

use crate::fault::{LEASE_HELD, VERB_REFUSED};
use crate::lease::{TTL_DEFAULT, Tenure, take, this_process};
use crate::name::Name;
use crate::order::{Order, Outcome};
use crate::state::State;
use crate::store::{self, Outcome as RequestOutcome, Request, Verification};

/// Between two looks for an answer, or for the end of a silence.
const ANSWER_INTERVAL: Duration = Duration::from_millis(100);
/// Between two looks at what a granted order has brought about.
const FOLLOW_INTERVAL: Duration = Duration::from_millis(200);

/// A look is a statement of milliseconds. One that takes this long is not answered any more.
const SILENCE_MAX: Duration = Duration::from_secs(20);
/// How long the server may stay away.
const AWAY_MAX: Duration = Duration::from_secs(15 * 60);

/// Who waits for what comes of an errand.
pub trait Waiter: Send + Sync {
    /// The connection was lost, or a try to make it again failed; it is tried again after the pause.
    fn retrying(&self, fault: &str, pause: Duration);
    /// A verification came to its verdict: whether it is a proof.
    fn verdict(&self, verification: &Verification) -> Result<bool>;
    /// The worker that was handed the order failed, with this code and these words.
    fn failure(&self, code: &str, detail: &str) -> Fault;
}

/// An order for somebody else.
pub struct Errand<'a> {
    /// Where to.
    pub connect: &'a ConnectOptions,
    /// The migration's name.
    pub name: &'a str,
    /// Its id.
    pub migration_id: i64,
    /// What is asked for.
    pub order: Order,
    /// Why, in the words of whoever asks; may be empty.
    pub why: &'a str,
    /// Whoever waits may leave.
    pub interrupt: &'a watch::Receiver<bool>,
    /// Who waits.
    pub waiter: &'a dyn Waiter,
}

impl Errand<'_> {
    /// Leaves the order with a worker that lives, and waits for what comes of it. `None`: nobody lives, do it yourself.
    pub async fn hand_over(&self, session: &mut Session, by: &str) -> Result<Option<Outcome>> {
        let mut patience = Patience::with(session);
        let seen = Tenure::look(&**session, self.migration_id).await?;
        if !seen.is_alive {
            return Ok(None);
        }
        let request = match self.order {
            Order::Start | Order::Resume => None,
            ref order => {
                let argument = order.argument(self.why);
                Some(store::ask(&**session, self.migration_id, order.verb(), &argument, by).await?)
            }
        };
        loop {
            let waited = match request {
                None => self.wait_for_silence(session, &patience, &seen).await,
                Some(request) => self.wait_for_answer(session, &patience, request).await,
            };
            match waited {
                Err(fault) if fault.code().retry == Retry::AfterReconnect => {
                    let ending = session.ending().map(str::to_owned);
                    let Some(again) = self.reconnect(fault, ending).await? else {
                        return Ok(Some(Outcome::Interrupted));
                    };
                    *session = again;
                    patience = Patience::with(session);
                }
                outcome => return outcome,
            }
        }
    }

    /// True when another worker turned out to live, and takes orders such as this one. `resume` and `start` ask for what it does
    /// already, and are told so.
    pub fn can_be_left(&self, held: &Fault) -> bool {
        held.code().id == LEASE_HELD.id && !matches!(self.order, Order::Start | Order::Resume)
    }

    /// A new connection; `None` when the person who waits leaves first.
    async fn reconnect(&self, fault: Fault, ending: Option<String>) -> Result<Option<Session>> {
        let say = |fault: &dyn std::fmt::Display, pause: Duration| {
            self.waiter.retrying(&fault.to_string(), pause);
        };
        match ending {
            Some(ending) => say(&format!("{fault} ({ending})"), Duration::ZERO),
            None => say(&fault, Duration::ZERO),
        }
        let mut interrupt = self.interrupt.clone();
        let name = ApplicationName::new("control", self.name);
        tokio::select! {
            session = self.connect.connect_with_retry(&name, AWAY_MAX, |fault, pause| say(fault, pause)) => session.map(Some),
            Ok(_) = interrupt.wait_for(|is_asked| *is_asked) => Ok(None),
        }
    }

    async fn wait_for_answer(
        &self,
        session: &Session,
        patience: &Patience,
        request: i64,
    ) -> Result<Option<Outcome>> {
        loop {
            patience.is_answered();
            match store::outcome(&**session, request).await? {
                RequestOutcome::Answered { outcome } => {
                    if outcome.get("granted").and_then(Value::as_bool) == Some(true) {
                        let verdicts = outcome.get("verifications").and_then(Value::as_i64);
                        let verdicts = verdicts.unwrap_or(0) as i32;
                        return self.follow(session, patience, verdicts).await;
                    }
                    let detail = outcome
                        .get("detail")
                        .and_then(Value::as_str)
                        .unwrap_or_default()
                        .to_owned();
                    return Err(Fault::new(&VERB_REFUSED, detail));
                }
                RequestOutcome::Gone => return Ok(None),
                RequestOutcome::Open | RequestOutcome::Taken => {
                    if *self.interrupt.borrow() {
                        store::withdraw(&**session, request).await?;
                        return Ok(Some(Outcome::Interrupted));
                    }
                    if !Tenure::look(&**session, self.migration_id).await?.is_alive
                        && store::withdraw(&**session, request).await?
                    {
                        return Ok(None);
                    }
                }
            }
            tokio::time::sleep(ANSWER_INTERVAL).await;
        }
    }

    /// A worker that was killed looks alive until its last beat is old enough. Wait as long as no new beat comes.
    async fn wait_for_silence(
        &self,
        session: &Session,
        patience: &Patience,
        first: &Tenure,
    ) -> Result<Option<Outcome>> {
        let mut age_ms = first.heartbeat_age_ms;
        let begun = Instant::now();
        loop {
            patience.is_answered();
            let now = Tenure::look(&**session, self.migration_id).await?;
            if !now.is_alive {
                return Ok(None);
            }
            // A younger beat than before: it lives. `take` refuses, and names it.
            if now.heartbeat_age_ms < age_ms
                || begun.elapsed() > Duration::from_millis(now.ttl_ms.unsigned_abs() * 2)
            {
                return Ok(None);
            }
            age_ms = now.heartbeat_age_ms;
            if *self.interrupt.borrow() {
                return Ok(Some(Outcome::Interrupted));
            }
            tokio::time::sleep(ANSWER_INTERVAL).await;
        }
    }

    /// Waits for what a granted order brings about. `verdicts`: the newest verdict when it was granted. `None`: the
    /// worker died over it, take it up yourself.
    async fn follow(&self, session: &Session, patience: &Patience, verdicts: i32) -> Result<Option<Outcome>> {
        // After the cut-over the state says nothing about a comparison: the verdict is the sign. One that source and
        // target differ fails the migration in the same transaction, so it is not the end of this wait.
        let mut is_proven = (self.order != Order::Verify).then_some(true);
        loop {
            patience.is_answered();
            let state = store::read_state(&**session, self.migration_id).await?;
            if is_proven.is_none() {
                is_proven = self.hear_verdict(session, verdicts).await?;
            }
            if let State::Failed { code, detail, .. } = &state {
                return Err(self.waiter.failure(code, detail));
            }
            // A cut-over or swap back that was given up waits again; the reason is in the journal.
            let is_back = match (&state, self.order) {
                (State::Waiting { .. }, Order::Cutover | Order::Verify | Order::Rollback) => {
                    is_proven == Some(true)
                }
                (State::Paused { .. }, _) => true,
                _ => false,
            };
            if is_back || state.is_final() {
                return Ok(Some(Outcome::of(state)));
            }
            if *self.interrupt.borrow() {
                return Ok(Some(Outcome::Interrupted));
            }
            if !Tenure::look(&**session, self.migration_id).await?.is_alive {
                return Ok(None);
            }
            tokio::time::sleep(FOLLOW_INTERVAL).await;
        }
    }

    /// Whether the verdict that came after the order is a proof, once there is one; then it is said here too.
    async fn hear_verdict(&self, session: &Session, verdicts: i32) -> Result<Option<bool>> {
        let newest = store::verifications(&**session, self.migration_id, verdicts, 1).await?;
        let Some(verdict) = newest.first() else {
            return Ok(None);
        };
        let is_proven = self.waiter.verdict(verdict)?;
        Ok(Some(is_proven))
    }
}

/// Answers a request that nobody could carry out, for nobody tries it again: as long as it is open, and no worker lives who
/// would answer it otherwise.
///
/// Errors: of the connection; then the request stays open.
pub async fn turn_down(
    connect: &ConnectOptions,
    name: &Name,
    request: &Request,
    fault: &Fault,
) -> Result<()> {
    let mut session = connect
        .connect(&ApplicationName::new("control", name.as_str()))
        .await?;
    if !matches!(
        store::outcome(&*session, request.id).await?,
        RequestOutcome::Open | RequestOutcome::Taken
    ) {
        return Ok(());
    }
    let Some(migration_id) = store::find(&*session, name).await? else {
        return Ok(());
    };
    let row = session
        .query_one("select current_user::text", &[])
        .await
        .doing(|| "asking who we are")?;
    let holder = this_process(row.get::<_, &str>(0));
    let lease = match take(&mut session, migration_id, &holder, TTL_DEFAULT).await {
        Ok(lease) => lease,
        // It answers.
        Err(held) if held.code().id == LEASE_HELD.id => return Ok(()),
        Err(fault) => return Err(fault),
    };
    let answered = async {
        let tx = session.begin(Isolation::ReadCommitted).await?;
        if store::hold_open(&tx, request.id).await? {
            store::answer(&tx, &lease, request.id, &store::refusal(fault)).await?;
        }
        corridor_pg::failpoint::step("request", tx.commit())
            .await
            .doing(|| "answering a request")
    }
    .await;
    lease.release(&session).await?;
    answered
}

/// Severs a connection that does not answer for [`SILENCE_MAX`]; ends when it is dropped.
struct Patience {
    answered: watch::Sender<()>,
}

impl Patience {
    fn with(session: &Session) -> Self {
        let (answered, mut heard) = watch::channel(());
        let severer = session.severer();
        tokio::spawn(async move {
            loop {
                match tokio::time::timeout(SILENCE_MAX, heard.changed()).await {
                    Ok(Ok(())) => {}
                    // Nobody waits any more.
                    Ok(Err(_)) => return,
                    Err(_) => {
                        severer.sever(&format!("no answer for {} s", SILENCE_MAX.as_secs()));
                        return;
                    }
                }
            }
        });
        Patience { answered }
    }

    /// The last look was answered.
    fn is_answered(&self) {
        self.answered.send_replace(());
    }
}
