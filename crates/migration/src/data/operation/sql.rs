//! Statements of a person's own.

use std::time::{Duration, Instant};

use corridor_pg::fault::{CANCELLED, LOCK_TIMEOUT};
use corridor_pg::lock_budget::LockBudget;
use corridor_pg::{Fault, FaultContext, Isolation, Result};
use serde_json::json;

use super::{Hands, time};
use crate::data::attempt::{Attempt, End, Place};
use crate::data::deck::{Halt, Step};
use crate::data::fault::{LOCK_NOT_FREE, OUTCOME_UNKNOWN, TIMED_OUT};
use crate::data::query_id;
use crate::data::question::{Answer, ask};
use crate::definition::Sql;
use crate::store;

/// How long one try waits for a lock, unless the file says otherwise: whoever comes behind it waits as long.
const LOCK_TIMEOUT_DEFAULT: Duration = Duration::from_millis(500);
/// How long all tries may take.
const LOCK_BUDGET_DEFAULT: Duration = Duration::from_secs(10 * 60);
/// Between two looks whether what another worker began has come to its end.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);

/// What one try may take.
pub(super) struct Limits {
    pub(super) timeout: Duration,
    pub(super) lock_timeout: Duration,
    pub(super) lock_budget: Duration,
}

impl Limits {
    pub(super) fn of(timeout: Option<&str>, lock_timeout: Option<&str>, lock_budget: Option<&str>) -> Self {
        Limits {
            // None: a migration of a week has statements of a day.
            timeout: time(timeout, Duration::ZERO),
            lock_timeout: time(lock_timeout, LOCK_TIMEOUT_DEFAULT),
            lock_budget: time(lock_budget, LOCK_BUDGET_DEFAULT),
        }
    }

    /// In front of a person's statements. `scope`: `local`, or nothing for the session.
    fn prefix(&self, scope: &str) -> String {
        format!(
            "set {scope} statement_timeout = {}; set {scope} lock_timeout = {}; set {scope} search_path to default; \
             set {scope} row_security to default; set {scope} idle_in_transaction_session_timeout = '60s'",
            self.timeout.as_millis(),
            self.lock_timeout.as_millis()
        )
    }
}

/// In one transaction with its end as an operation: done exactly once.
pub(super) async fn in_transaction(hands: &mut Hands<'_>, sql: &Sql) -> Step<()> {
    if is_done_already(hands, sql.done_when.as_deref()).await? == Some(true) {
        return hands.done().await;
    }
    let limits = Limits::of(
        sql.timeout.as_deref(),
        sql.lock_timeout.as_deref(),
        sql.lock_budget.as_deref(),
    );
    transact(hands, &sql.statement, &limits, false).await
}

/// Takes a statement back, in one transaction with the mark that it is.
pub(super) async fn take_back(
    hands: &mut Hands<'_>,
    statement: Option<&str>,
    lock_timeout: Option<&str>,
) -> Step<()> {
    match statement.map(str::trim) {
        None | Some("") => hands.undone().await,
        Some(statement) => transact(hands, statement, &Limits::of(None, lock_timeout, None), true).await,
    }
}

/// What commits together with a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    /// The operation's end.
    Done,
    /// The mark that the operation is taken back.
    Undone,
    /// Nothing: the catalogue says that it was done.
    Nothing,
}

/// A statement in a transaction with the end of the operation, or with the mark that it is taken back.
pub(super) async fn transact(
    hands: &mut Hands<'_>,
    statement: &str,
    limits: &Limits,
    is_rollback: bool,
) -> Step<()> {
    let then = if is_rollback { Then::Undone } else { Then::Done };
    tries(hands, statement, limits, then).await
}

/// A statement in a transaction of its own, of an operation that goes on after it.
pub(super) async fn transact_apart(hands: &mut Hands<'_>, statement: &str, limits: &Limits) -> Step<()> {
    tries(hands, statement, limits, Then::Nothing).await
}

/// Tries until the locks are free or the budget is used up.
async fn tries(hands: &mut Hands<'_>, statement: &str, limits: &Limits, then: Then) -> Step<()> {
    let mut patience = Patience::new(limits);
    loop {
        hands.deck.checkpoint()?;
        match once(hands, statement, limits, then).await {
            Err(Halt::Fault(fault)) if fault.code().id == LOCK_TIMEOUT.id => {
                patience.wait(hands, &fault).await?;
            }
            other => return other,
        }
    }
}

/// What is left of the time for locks, and the pauses between the tries.
struct Patience {
    begun: Instant,
    budget: Duration,
    pauses: Box<dyn Iterator<Item = Duration>>,
}

impl Patience {
    fn new(limits: &Limits) -> Self {
        let pauses = LockBudget {
            attempts_max: u32::MAX,
            ..LockBudget::default()
        };
        Patience {
            begun: Instant::now(),
            budget: limits.lock_budget,
            pauses: Box::new(pauses.pauses(fastrand::u64(..))),
        }
    }

    /// After a try whose locks were not free: a pause, or `MIG-151`.
    async fn wait(&mut self, hands: &Hands<'_>, fault: &Fault) -> Step<()> {
        if self.begun.elapsed() >= self.budget {
            let detail = format!(
                "{} for {} s: {}",
                hands.operation,
                self.budget.as_secs(),
                fault.detail()
            );
            return Err(Fault::new(&LOCK_NOT_FREE, detail).into());
        }
        let pause = self.pauses.next().unwrap_or(Duration::from_secs(10));
        hands.deck.retrying(fault.to_string(), pause);
        hands.deck.pause(pause).await
    }
}

/// The server's word that a try was ended, as the file's own limit when its time was used up: it would be again.
fn timed_out(result: Step<()>, begun: Instant, limits: &Limits, operation: &str) -> Step<()> {
    match result {
        Err(Halt::Fault(fault))
            if fault.code().id == CANCELLED.id
                && !limits.timeout.is_zero()
                && begun.elapsed() >= limits.timeout =>
        {
            let detail = format!("{operation}: ended after {} ms", limits.timeout.as_millis());
            Err(Fault::new(&TIMED_OUT, detail).caused_by(fault).into())
        }
        other => other,
    }
}

async fn once(hands: &mut Hands<'_>, statement: &str, limits: &Limits, then: Then) -> Step<()> {
    let (deck, operation) = (hands.deck, hands.operation);
    let is_rollback = then == Then::Undone;
    let place = Place {
        lease: &deck.lease,
        operation,
        is_rollback,
    };
    let session = hands.session().await?;
    let query_ids = Vec::from_iter(query_id::ahead(session, statement).await);
    let pid = session.backend_pid();
    let (number, tag) = place.begin(session, Some(pid), &query_ids).await?;
    let canceller = session.cancel_token();
    let result = async {
        let tx = session.begin(Isolation::ReadCommitted).await?;
        deck.lease.fence().hold(&tx).await?;
        let mine = own_transaction(&tx).await?;
        let sql = format!("{};\n/* {tag} */\n{statement}", limits.prefix("local"));
        let begun = Instant::now();
        let ran = deck
            .or_cancel(&canceller, async {
                tx.batch_execute(&sql)
                    .await
                    .doing(|| format!("the statement of {operation}"))
            })
            .await;
        timed_out(ran, begun, limits, operation)?;
        tx.batch_execute("set local search_path = pg_catalog, pg_temp; set local lock_timeout = '10s'")
            .await
            .doing(|| "after the statement")?;
        if own_transaction(&tx).await? != mine {
            let detail = format!(
                "{operation}: the statement has ended its own transaction; leave begin and commit to Corridor"
            );
            return Err(Halt::Fault(
                Fault::new(&OUTCOME_UNKNOWN, detail).with_durable_change(),
            ));
        }
        place.end(&tx, number, End::Done, &json!({})).await?;
        match then {
            Then::Undone => store::undo_operation(&tx, &deck.lease, operation).await?,
            Then::Done => finished(&tx, deck, operation).await?,
            Then::Nothing => {}
        }
        let step = if is_rollback {
            "statement-back"
        } else {
            "statement"
        };
        corridor_pg::failpoint::step(step, tx.commit())
            .await
            .doing(|| format!("committing {operation}"))?;
        Ok(())
    }
    .await;
    if let Err(Halt::Fault(fault)) = &result
        && super::is_lost(fault)
    {
        hands.seat.lose();
    } else {
        hands.seat.renew();
    }
    match result {
        Ok(()) => Ok(()),
        failed => hands.settle(number, is_rollback, failed).await,
    }
}

async fn finished(
    tx: &tokio_postgres::Transaction<'_>,
    deck: &crate::data::deck::Deck,
    operation: &str,
) -> Result<()> {
    let event = crate::Event::OperationFinished {
        operation: operation.to_owned(),
    };
    store::apply(tx, &deck.lease, &event).await.map(drop)
}

async fn own_transaction(tx: &tokio_postgres::Transaction<'_>) -> Result<String> {
    let row = tx
        .query_one("select pg_catalog.pg_current_xact_id()::text", &[])
        .await
        .doing(|| "asking for our own transaction")?;
    Ok(row.get(0))
}

/// Outside of a transaction: written down before, and never begun while a try before it may still run.
pub(super) async fn alone(hands: &mut Hands<'_>, sql: &Sql) -> Step<()> {
    let limits = Limits::of(
        sql.timeout.as_deref(),
        sql.lock_timeout.as_deref(),
        sql.lock_budget.as_deref(),
    );
    let mut patience = Patience::new(&limits);
    loop {
        if is_over(hands, sql).await? {
            return hands.done().await;
        }
        match run_alone(hands, &sql.statement, &limits, false).await {
            Err(Halt::Fault(fault)) if fault.code().id == LOCK_TIMEOUT.id => {
                patience.wait(hands, &fault).await?;
            }
            other => {
                other?;
                return hands.done().await;
            }
        }
    }
}

/// Whether a try before this one did it, once nobody is at one any more.
async fn is_over(hands: &mut Hands<'_>, sql: &Sql) -> Step<bool> {
    let before = wait_for_others(hands, false).await?;
    // A person has looked.
    if before
        .as_ref()
        .is_some_and(|attempt| attempt.outcome.as_deref() == Some("settled_done"))
    {
        return Ok(true);
    }
    match is_done_already(hands, sql.done_when.as_deref()).await? {
        Some(true) => Ok(true),
        // Nobody can tell, and somebody has tried.
        None if before.is_some_and(|attempt| attempt.outcome.is_none()) => {
            let detail = format!("{}: `done_when` did not say whether it was done", hands.operation);
            Err(Fault::new(&OUTCOME_UNKNOWN, detail).into())
        }
        _ => Ok(false),
    }
}

/// Runs one statement outside of a transaction, written down.
pub(super) async fn run_alone(
    hands: &mut Hands<'_>,
    statement: &str,
    limits: &Limits,
    is_rollback: bool,
) -> Step<()> {
    let (deck, operation) = (hands.deck, hands.operation);
    let place = Place {
        lease: &deck.lease,
        operation,
        is_rollback,
    };
    let pid = hands.long_session().await?.backend_pid();
    let session = hands.session().await?;
    let query_ids = Vec::from_iter(query_id::ahead(session, statement).await);
    let (number, tag) = place.begin(session, Some(pid), &query_ids).await?;
    let session = hands.long_session().await?;
    let result = if session.backend_pid() == pid {
        let canceller = session.cancel_token();
        let begun = Instant::now();
        let ran = deck
            .or_cancel(&canceller, async {
                session
                    .batch_execute(&limits.prefix(""))
                    .await
                    .doing(|| "preparing the session")?;
                session
                    .batch_execute(&format!("/* {tag} */ {statement}"))
                    .await
                    .doing(|| format!("the statement of {operation}"))
            })
            .await;
        timed_out(ran, begun, limits, operation)
    } else {
        // The connection was lost in between: nothing was sent.
        Err(Halt::Fault(Fault::new(
            &corridor_pg::fault::CONNECTION_LOST,
            format!("before the statement of {operation}"),
        )))
    };
    if let Err(Halt::Fault(fault)) = &result
        && super::is_lost(fault)
    {
        hands.long.lose();
    } else {
        hands.long.renew();
    }
    hands.settle(number, is_rollback, result).await
}

/// Waits until no server process is at a try of this operation any more. Returns the newest try.
pub(super) async fn wait_for_others(hands: &mut Hands<'_>, is_rollback: bool) -> Step<Option<Attempt>> {
    let mut has_said = false;
    loop {
        let (lease, operation) = (&hands.deck.lease, hands.operation);
        let place = Place {
            lease,
            operation,
            is_rollback,
        };
        let session = hands.session().await?;
        let newest = place.newest(&**session).await?;
        let Some(attempt) = newest else { return Ok(None) };
        if !attempt.is_running || attempt.outcome.is_some() {
            return Ok(Some(attempt));
        }
        // A worker that sleeps may wake up and send its statement: its connection must not be there then. A statement that
        // runs is waited for.
        session
            .execute(
                include_str!("../../../sql/data/end_idle.sql"),
                &[&lease.fence().migration_id, &operation, &attempt.number],
            )
            .await
            .doing(|| "ending a session that another worker has left")?;
        if !has_said {
            has_said = true;
            let worker = &attempt.worker;
            hands
                .deck
                .step(format!("{operation}: waiting for what {worker} began"));
        }
        hands.deck.pause(LOOK_INTERVAL).await?;
    }
}

/// What `done_when` says: `Some(false)` when there is none.
pub(super) async fn is_done_already(hands: &mut Hands<'_>, done_when: Option<&str>) -> Step<Option<bool>> {
    let Some(query) = done_when else {
        return Ok(Some(false));
    };
    let session = hands.session().await?;
    Ok(match ask(session, query).await? {
        Answer::Yes => Some(true),
        Answer::No => Some(false),
        Answer::Unknown { .. } => None,
    })
}
