//! The cut-over, and its mirror image, the swap back.
//!
//! One transaction under a lock budget: hold the lease, lock, check that nothing has changed, refresh the last changes, drop
//! the capture triggers, swap, start the capture in the other direction, record the new state, commit. Whatever
//! fails before the commit leaves everything as it was. If the *answer* to the commit is lost, nobody tries again before
//! it is known who has the name.

use std::sync::Arc;
use std::time::{Duration, Instant};

use corridor_migration::{Event, store};
use corridor_mirror::Mirror;
use corridor_pg::lock_budget::{LockBudget, LockMode, holders, lock_tables};
use corridor_pg::{Fault, FaultContext, Isolation, QualifiedName, Result, Retry, Session};
use tokio_postgres::Transaction;

use crate::plan::{Lock, Step as PlanStep};
use crate::run::deck::Deck;
use crate::run::fault::{CUTOVER_BLOCKED, NAME_TAKEN_OVER};
use crate::run::owner::{Owner, look_up};
use crate::run::report::Progress;
use crate::run::seat::Seat;
use crate::run::stop::{Step, Stop};

/// Changes that may be left to refresh under the locks: a few milliseconds of work.
const REST_MAX: i64 = 500;
/// Changes that may be pending when a try begins; the rest of the budget is for those that arrive meanwhile.
const PENDING_MAX: i64 = 100;
/// Nothing in a swap takes longer; if it does, the application is let go on.
const STATEMENT_MS_MAX: u64 = 3_000;
/// A worker that is stopped amid a swap (a paused process, a cut network) holds the locks no longer than this.
const IDLE_MS_MAX: u64 = 2_000;

/// A swap in one of its two directions.
pub(crate) struct Direction<'a> {
    pub(crate) is_back: bool,
    /// The mirror whose last changes are refreshed, and whose capture ends.
    pub(crate) ending: &'a Arc<Mirror>,
    /// Partitions of the ending mirror's source.
    pub(crate) ending_leaves: Vec<QualifiedName>,
    /// The mirror whose capture begins in the same transaction.
    pub(crate) beginning: Option<(&'a Arc<Mirror>, Vec<QualifiedName>)>,
    pub(crate) locks: &'a [Lock],
    pub(crate) steps: &'a [PlanStep],
    pub(crate) event: Event,
}

impl<'a> Direction<'a> {
    pub(crate) fn forward(deck: &'a Deck) -> Self {
        Direction {
            is_back: false,
            ending: &deck.forward,
            ending_leaves: Vec::new(),
            beginning: Some((&deck.reverse, deck.leaves())),
            locks: &deck.plan.swap_locks,
            steps: &deck.plan.swap,
            event: Event::CutOver,
        }
    }

    pub(crate) fn back(deck: &'a Deck) -> Self {
        Direction {
            is_back: true,
            ending: &deck.reverse,
            ending_leaves: deck.leaves(),
            beginning: None,
            locks: &deck.plan.swap_back_locks,
            steps: &deck.plan.swap_back,
            event: Event::SwappedBack,
        }
    }

    fn what(&self) -> &'static str {
        if self.is_back {
            "the swap back"
        } else {
            "the cut-over"
        }
    }
}

/// What came of one try.
enum Tried {
    Swapped { waited: Duration, held: Duration },
    Again(Fault),
}

/// Tries until the swap is made, the attempts are used up (`MOV` cut-over blocked), or something else is asked for.
pub(crate) async fn swap(deck: &Arc<Deck>, direction: &Direction<'_>) -> Step<()> {
    let settings = deck.settings();
    let budget = LockBudget {
        wait_ms_max: settings.cutover_lock_budget_ms as u32,
        attempts_max: settings.cutover_attempts,
        ..LockBudget::default()
    };
    let mut hands = Seat::new("swap");
    let mut eyes = Seat::new("observe");
    let mut pauses = budget.pauses(fastrand::u64(..));
    let mut last: Option<Fault> = None;
    for attempt in 1..=budget.attempts_max.max(1) {
        until_in_step(deck, direction.ending, &mut eyes).await?;
        let session = hands.session(deck).await?;
        match try_once(deck, direction, session, budget.wait_ms_max).await {
            Ok(Tried::Swapped { waited, held }) => {
                deck.say(&Progress::Swapped {
                    is_back: direction.is_back,
                    waited_ms: waited.as_secs_f64() * 1e3,
                    held_ms: held.as_secs_f64() * 1e3,
                    attempts: attempt,
                });
                return Ok(());
            }
            Ok(Tried::Again(fault)) => {
                say_who(
                    deck,
                    direction,
                    eyes.session(deck).await?,
                    session.backend_pid(),
                    attempt,
                    &budget,
                    &fault,
                )
                .await;
                last = Some(fault);
                if let Some(pause) = pauses.next() {
                    deck.pause(pause).await?;
                }
            }
            Err(fault) if fault.is_ownership_ambiguous() => {
                // A new connection, after the old backend is certainly gone; then look before anything else.
                let session = hands
                    .session(deck)
                    .await
                    .map_err(|stop| still_ambiguous(stop, &fault))?;
                match look_up(&**session, &deck.plan, deck.fence.migration_id).await? {
                    owner if owner.is(!direction.is_back) => {
                        deck.say(&Progress::Swapped {
                            is_back: direction.is_back,
                            waited_ms: 0.0,
                            held_ms: 0.0,
                            attempts: attempt,
                        });
                        return Ok(());
                    }
                    Owner::Unclear(what) => return Err(Stop::Fault(fault.doing(what))),
                    _ => last = Some(fault),
                }
            }
            Err(fault) => hands.recover(deck, fault).await?,
        }
    }
    let why = last.map_or_else(String::new, |f| f.to_string());
    Err(Stop::Fault(Fault::new(
        &CUTOVER_BLOCKED,
        format!(
            "{} of {}: {} attempts of {} ms; last: {why}",
            direction.what(),
            deck.plan.source.name,
            budget.attempts_max,
            budget.wait_ms_max
        ),
    )))
}

/// The connection could not be made again: what is unknown stays unknown, and the exit code says so.
fn still_ambiguous(stop: Stop, lost: &Fault) -> Stop {
    match stop {
        Stop::Fault(fault) => Stop::Fault(
            Fault::new(fault.code(), format!("{}; before that: {lost}", fault.detail()))
                .with_ambiguous_ownership(),
        ),
        other => other,
    }
}

/// Waits until few changes are pending, so that the locks are held for a short time only. The applier works meanwhile.
async fn until_in_step(deck: &Arc<Deck>, mirror: &Mirror, eyes: &mut Seat) -> Step<()> {
    loop {
        deck.checkpoint()?;
        let session = eyes.session(deck).await?;
        match mirror.pending(&**session, PENDING_MAX + 1).await {
            Ok(pending) if pending <= PENDING_MAX => return Ok(()),
            Ok(_) => deck.pause(Duration::from_millis(20)).await?,
            Err(fault) => eyes.recover(deck, fault).await?,
        }
    }
}

async fn try_once(
    deck: &Deck,
    direction: &Direction<'_>,
    session: &mut Session,
    budget_ms: u32,
) -> Result<Tried> {
    let _still = direction.ending.hold_still().await;
    let tx = session.begin(Isolation::ReadCommitted).await?;
    let settings = format!(
        "set local statement_timeout = {STATEMENT_MS_MAX}; set local idle_in_transaction_session_timeout = {IDLE_MS_MAX}; \
         set local lock_timeout = {budget_ms}"
    );
    tx.batch_execute(&settings).await.doing(|| "preparing the swap")?;
    deck.fence.hold(&tx).await?;
    let asked = Instant::now();
    let wanted: Vec<(QualifiedName, LockMode)> = direction
        .locks
        .iter()
        .map(|l| (l.relation.clone(), l.mode))
        .collect();
    if let Err(fault) = lock_tables(&tx, &wanted, budget_ms).await {
        return again(fault);
    }
    let locked = Instant::now();
    match under_lock(deck, direction, &tx).await {
        Ok(()) => {}
        Err(fault) => return again(fault),
    }
    match tx.commit().await {
        Ok(()) => Ok(Tried::Swapped {
            waited: locked - asked,
            held: locked.elapsed(),
        }),
        Err(error) => {
            let fault = Fault::from_driver(error).doing(format!("committing {}", direction.what()));
            // An error that the server sent is an answer: it rolled back. A lost connection is none.
            Err(if fault.sqlstate().is_none() {
                fault.with_ambiguous_ownership()
            } else {
                fault
            })
        }
    }
}

/// A lock that was not free, a lost race or a statement that took too long: the transaction is rolled back, try again.
fn again(fault: Fault) -> Result<Tried> {
    match fault.code().retry {
        Retry::AfterPause => Ok(Tried::Again(fault)),
        Retry::Never | Retry::AfterReconnect => Err(fault),
    }
}

async fn under_lock(deck: &Deck, direction: &Direction<'_>, tx: &Transaction<'_>) -> Result<()> {
    let owner = look_up(tx, &deck.plan, deck.fence.migration_id).await?;
    if !owner.is(direction.is_back) {
        return Err(Fault::new(
            &NAME_TAKEN_OVER,
            format!("{}: {owner}", deck.plan.source.name),
        ));
    }
    if direction.is_back {
        deck.check_new_definition(tx).await?;
    } else {
        deck.check_definition(tx).await?;
        deck.check_proof(tx).await?;
    }
    direction.ending.refresh_rest(tx, REST_MAX).await?;
    let mut statements = direction
        .ending
        .spec()
        .drop_trigger_statements(&direction.ending_leaves);
    statements.extend(crate::run::fallback::drop_statements(deck));
    statements.extend(direction.steps.iter().map(|step| step.sql.clone()));
    if let Some((mirror, leaves)) = &direction.beginning {
        statements.extend(mirror.spec().trigger_statements(leaves));
    }
    for sql in &statements {
        tx.batch_execute(sql)
            .await
            .doing(|| format!("in {}, running `{sql}`", direction.what()))?;
    }
    store::apply(tx, &deck.lease, &direction.event).await?;
    Ok(())
}

async fn say_who(
    deck: &Deck,
    direction: &Direction<'_>,
    observer: &Session,
    our_pid: i32,
    attempt: u32,
    budget: &LockBudget,
    fault: &Fault,
) {
    let relations: Vec<QualifiedName> = direction.locks.iter().map(|l| l.relation.clone()).collect();
    let mut lines = match holders(observer, &relations, &[our_pid, observer.backend_pid()]).await {
        Ok(found) => found.iter().map(ToString::to_string).collect(),
        Err(error) => vec![format!("(cannot see who: {error})")],
    };
    lines.truncate(10);
    deck.say(&Progress::LockBusy {
        what: format!("{}: {fault}", direction.what()),
        holders: lines,
        attempt,
        attempts_max: budget.attempts_max,
    });
}
