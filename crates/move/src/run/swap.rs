//! The cut-over, and its mirror image, the swap back.
//!
//! One transaction under a lock budget: hold the lease, lock, check that nothing has changed, refresh the last changes, drop
//! the capture triggers, swap, start the capture in the other direction, record the new state, commit. Whatever
//! fails before the commit leaves everything as it was. If the *answer* to the commit is lost, nobody tries again before
//! it is known who has the name.

use std::sync::Arc;
use std::time::{Duration, Instant};

use corridor_migration::{Event, store};
use corridor_mirror::fault::TRUNCATED;
use corridor_mirror::{Mirror, Still};
use corridor_pg::lock_budget::{LockBudget, LockMode, lock_tables};
use corridor_pg::{Fault, FaultContext, Isolation, QualifiedName, Result, Retry, Session};
use serde_json::json;
use tokio_postgres::Transaction;

use crate::plan::{Lock, Step as PlanStep};
use crate::run::deck::Deck;
use crate::run::fault::{CUTOVER_BLOCKED, NAME_TAKEN_OVER, OLD_SNAPSHOT, SWAP_UNANSWERED};
use crate::run::owner::{Verdict, after_lost_answer, look_up};
use crate::run::report::Progress;
use crate::run::seat::Seat;
use crate::run::stop::{Step, Stop};

/// Changes that may be left to refresh under the locks: some tens of milliseconds of work.
const REST_MAX: i64 = 2_000;
/// Changes that a try may begin with.
const BACKLOG_MAX: i64 = 20_000;
/// The mirror is in step when a whole round takes no longer than this.
const IN_STEP_MS: u64 = 30;
/// Rounds before a try goes on with what there is.
const ROUNDS_MAX: u32 = 20;
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
            ending_leaves: deck.plan.old_leaves(),
            beginning: (!deck.plan.is_one_way).then(|| (&deck.reverse, deck.plan.new_leaves())),
            locks: &deck.plan.swap_locks,
            steps: &deck.plan.swap,
            event: Event::CutOver,
        }
    }

    pub(crate) fn back(deck: &'a Deck) -> Self {
        Direction {
            is_back: true,
            ending: &deck.reverse,
            ending_leaves: deck.plan.new_leaves(),
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
        until_nearly_in_step(deck, direction.ending, &mut eyes).await?;
        let session = hands.session(deck).await?;
        // Held until it is clear what came of the try: after a swap the names mean other tables.
        let still = direction.ending.hold_still().await;
        match try_once(deck, direction, &still, session, budget.wait_ms_max).await {
            Ok(Tried::Swapped { waited, held }) => {
                direction.ending.end(&still);
                deck.say(&Progress::Swapped {
                    is_back: direction.is_back,
                    waited_ms: waited.as_secs_f64() * 1e3,
                    held_ms: held.as_secs_f64() * 1e3,
                    attempts: attempt,
                });
                return Ok(());
            }
            // Nothing to wait for here: the caller has to copy first.
            Ok(Tried::Again(fault)) if fault.code().id == TRUNCATED.id => return Err(Stop::Fault(fault)),
            Ok(Tried::Again(fault)) => {
                drop(still);
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
                let owner = look_up(&**session, &deck.plan, deck.fence.migration_id).await?;
                match after_lost_answer(owner, direction.is_back) {
                    Verdict::Swapped => {
                        direction.ending.end(&still);
                        deck.say(&Progress::Swapped {
                            is_back: direction.is_back,
                            waited_ms: 0.0,
                            held_ms: 0.0,
                            attempts: attempt,
                        });
                        return Ok(());
                    }
                    Verdict::Unclear(what) => {
                        crate::run::course::record(
                            deck,
                            &mut eyes,
                            &[Event::OwnershipAmbiguous { what: what.clone() }],
                        )
                        .await?;
                        return Err(Stop::Fault(
                            Fault::new(&NAME_TAKEN_OVER, what)
                                .caused_by(fault)
                                .with_ambiguous_ownership(),
                        ));
                    }
                    Verdict::NotSwapped => last = Some(fault),
                }
            }
            Err(fault) => {
                drop(still);
                hands.recover(deck, fault).await?;
            }
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
            Fault::new(&SWAP_UNANSWERED, format!("{lost}; and then: {fault}")).with_ambiguous_ownership(),
        ),
        other => other,
    }
}

/// Leaves a long backlog to the applier, whose rounds are short; the swap's own have no limit.
async fn until_nearly_in_step(deck: &Arc<Deck>, mirror: &Mirror, eyes: &mut Seat) -> Step<()> {
    loop {
        deck.checkpoint()?;
        let session = eyes.session(deck).await?;
        match mirror.pending(&**session, BACKLOG_MAX + 1).await {
            Ok(pending) if pending <= BACKLOG_MAX => return Ok(()),
            Ok(_) => deck.pause(Duration::from_millis(100)).await?,
            Err(fault) => eyes.recover(deck, fault).await?,
        }
    }
}

/// Rounds, with the applier held off, until what is left is what came within the last moments.
///
/// A busy table is never without pending changes; what counts is how long refreshing them takes.
async fn get_in_step(deck: &Deck, mirror: &Mirror, still: &Still<'_>, session: &mut Session) -> Result<()> {
    for _ in 0..ROUNDS_MAX {
        let round = mirror.round_still(still, session, &deck.fence).await?;
        if round.is_truncated {
            return Err(Fault::new(&TRUNCATED, deck.plan.source.name.to_string()));
        }
        if round.elapsed_ms <= IN_STEP_MS {
            return Ok(());
        }
    }
    Ok(()) // as close as it gets; `refresh_rest` refuses what is too much
}

async fn try_once(
    deck: &Deck,
    direction: &Direction<'_>,
    still: &Still<'_>,
    session: &mut Session,
    budget_ms: u32,
) -> Result<Tried> {
    match get_in_step(deck, direction.ending, still, session).await {
        Ok(()) => {}
        Err(fault) => return again(fault),
    }
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
    // Who reads through a view locks the view first and the table after it; so do we.
    for step in &deck.plan.swap_first {
        if let Err(fault) = tx.batch_execute(&step.sql).await.doing(|| step.what.clone()) {
            return again(fault);
        }
    }
    let left_ms = budget_ms.saturating_sub(asked.elapsed().as_millis() as u32);
    if let Err(fault) = lock_tables(&tx, &wanted, left_ms).await {
        return again(fault);
    }
    let locked = Instant::now();
    match under_lock(deck, direction, &tx).await {
        Ok(()) => {}
        Err(fault) => return again(fault),
    }
    // By its own text, so that a log, a proxy and a test can tell this commit from all others. The driver's own word
    // afterwards finds no transaction any more, which is a warning and nothing else.
    let committed =
        corridor_pg::failpoint::step("swap", tx.batch_execute("commit /* corridor: swap */")).await;
    let held = locked.elapsed();
    match committed {
        Ok(()) => {
            tx.commit().await.ok();
            Ok(Tried::Swapped {
                waited: locked - asked,
                held,
            })
        }
        Err(error) => {
            let fault = Fault::from_driver(error).doing(format!("committing {}", direction.what()));
            // A lost connection is no answer, and neither is a server that ends the session while it commits: it may
            // have committed already and only waited for a standby. Any other error is an answer: it rolled back.
            let is_answer = fault.code().retry != Retry::AfterReconnect && fault.sqlstate().is_some();
            Err(if is_answer {
                fault
            } else {
                fault.with_ambiguous_ownership()
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

/// Fails with `MOV-111` while somebody keeps a snapshot that is older than the rows of the arriving table.
///
/// Asked under the locks. A read-committed statement that waits for them takes the snapshot that it runs with afterwards.
/// A repeatable-read transaction whose first statement waits has taken its only one before, and is not seen here: it
/// misses the rows that the swap itself refreshes. The server does not tell the two apart.
async fn check_snapshots(tx: &Transaction<'_>) -> Result<()> {
    let rows = tx
        .query(include_str!("../../sql/run/old_snapshots.sql"), &[])
        .await
        .doing(|| "looking for older snapshots")?;
    let who: Vec<String> = rows
        .iter()
        .map(|row| {
            let (pid, age_s): (i32, f64) = (row.get("pid"), row.get("age_s"));
            let (app, user): (&str, &str) = (row.get("application_name"), row.get("user_name"));
            if row.get("is_hidden") {
                return format!(
                    "pid {pid} (user {user}), whose state is hidden: grant pg_read_all_stats to our role"
                );
            }
            format!("pid {pid} (app {app:?}, user {user}), in transaction for {age_s:.1} s")
        })
        .collect();
    if who.is_empty() {
        Ok(())
    } else {
        Err(Fault::new(&OLD_SNAPSHOT, who.join("; ")))
    }
}

async fn under_lock(deck: &Deck, direction: &Direction<'_>, tx: &Transaction<'_>) -> Result<()> {
    check_snapshots(tx).await?;
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
    deck.check_capture(tx, direction.is_back).await?;
    direction.ending.refresh_rest(tx, REST_MAX).await?;
    if !direction.is_back {
        // Keys that were written whenever the verification looked: nothing is pending now.
        deck.check_rest(tx).await?;
    }
    if direction.is_back {
        // What the old table could not take would be lost with the new one.
        direction.ending.check_all_fit(tx, true).await?;
    }
    let mut aside = direction
        .ending
        .spec()
        .drop_trigger_statements(&direction.ending_leaves);
    aside.extend(crate::run::fallback::drop_statements(deck));
    let steps = direction.steps.iter().map(|step| step.sql.clone()).collect();
    let arrive = match &direction.beginning {
        Some((mirror, leaves)) => mirror.spec().trigger_statements(leaves),
        None => Vec::new(),
    };
    // One message each: a round trip for every statement of a table with many partitions would be felt.
    let groups: [(&str, Vec<String>); 3] = [
        ("ending the capture", aside),
        ("swapping", steps),
        ("beginning the capture", arrive),
    ];
    for (what, statements) in groups {
        let doing = || format!("in {}, {what}", direction.what());
        tx.batch_execute(&statements.join(";\n")).await.doing(doing)?;
    }
    store::apply(tx, &deck.lease, &direction.event).await?;
    if !direction.is_back {
        // With the swap itself: that the operation has ended is recorded only after it, and a worker may die in between.
        store::note_operation_progress(tx, &deck.lease, "cutover", &json!({ "is_swapped": true })).await?;
    }
    Ok(())
}

async fn say_who(
    deck: &Deck,
    direction: &Direction<'_>,
    observer: &mut Session,
    our_pid: i32,
    attempt: u32,
    budget: &LockBudget,
    fault: &Fault,
) {
    let relations: Vec<QualifiedName> = direction.locks.iter().map(|l| l.relation.clone()).collect();
    crate::run::busy::say(
        deck,
        observer,
        &relations,
        our_pid,
        &format!("{}: {fault}", direction.what()),
        (attempt, budget.attempts_max),
    )
    .await;
}
