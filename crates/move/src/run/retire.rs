//! The ends: cleaning up before the cut-over (or after the swap back), and retiring the old table.

use std::sync::Arc;

use corridor_migration::{Event, OperationState, Side, store};
use corridor_pg::lock_budget::{LockMode, lock_tables};
use corridor_pg::{FaultContext, Isolation, QualifiedName, Result, Session};
use tokio_postgres::Transaction;

use crate::plan::{Lock, Step as PlanStep};
use crate::run::answer::Unanswered;
use crate::run::deck::Deck;
use crate::run::owner::{Owner, look_up};
use crate::run::prepare::{cancel_on_halt, run_step, say_busy, steps_done, target_oid};
use crate::run::report::Progress;
use crate::run::seat::Seat;
use crate::run::stop::Step;
use crate::run::{fallback, fault::NAME_TAKEN_OVER};

/// Removes everything that Corridor made on and beside the table. The old table must have its name.
pub(crate) async fn clean_up(deck: &Arc<Deck>) -> Step<()> {
    let mut seat = Seat::new("control");
    if was_swapped_back(deck, &mut seat).await? {
        // How far this is stands in the operation that will not come any more: no other writes there.
        settle(deck, "finish", &deck.plan.settle_back, &mut seat).await?;
    }
    in_one_transaction(deck, &mut seat, clean_up_once).await
}

/// Retires (or drops) the old table: from here on there is no way back.
///
/// `finish` may come before everything that the swap has left is validated: then that comes first, since nobody would
/// come back to it.
pub(crate) async fn retire(deck: &Arc<Deck>) -> Step<()> {
    let mut seat = Seat::new("control");
    settle(deck, "hold", &deck.plan.settle, &mut seat).await?;
    in_one_transaction(deck, &mut seat, retire_once).await
}

async fn in_one_transaction(
    deck: &Arc<Deck>,
    seat: &mut Seat,
    work: impl AsyncFn(&Deck, &Transaction<'_>) -> Result<()>,
) -> Step<()> {
    let mut unanswered = Unanswered::default();
    loop {
        let session = seat.session(deck).await?;
        let outcome = async {
            if unanswered.was_committed(&**session).await? {
                return Ok(());
            }
            let tx = session.begin(Isolation::ReadCommitted).await?;
            crate::run::busy::be_brief(&tx).await?;
            deck.fence.hold(&tx).await?;
            work(deck, &tx).await?;
            unanswered.commit("clean-up", tx, "cleaning up").await
        }
        .await;
        match outcome {
            Ok(()) => return Ok(()),
            Err(fault) => {
                say_busy(deck, seat, &fault).await?;
                seat.recover(deck, fault).await?;
            }
        }
    }
}

async fn run_all(tx: &Transaction<'_>, statements: impl IntoIterator<Item = String>) -> Result<()> {
    for sql in statements {
        tx.batch_execute(&sql)
            .await
            .doing(|| format!("running `{sql}`"))?;
    }
    Ok(())
}

fn wanted(locks: &[Lock]) -> Vec<(QualifiedName, LockMode)> {
    locks.iter().map(|l| (l.relation.clone(), l.mode)).collect()
}

async fn clean_up_once(deck: &Deck, tx: &Transaction<'_>) -> Result<()> {
    let budget_ms = deck.settings().cutover_lock_budget_ms as u32;
    let owner = look_up(tx, &deck.plan, deck.fence.migration_id).await?;
    let has_source = match owner {
        Owner::Old => true,
        // Somebody renamed or dropped the source: what is ours goes all the same, and theirs is left alone.
        Owner::Unclear(_) => false,
        Owner::New => {
            return Err(corridor_pg::Fault::new(
                &NAME_TAKEN_OVER,
                format!("{}: {owner}", deck.plan.source.name),
            ));
        }
    };
    if has_source {
        lock_tables(tx, &wanted(&deck.plan.clean_up_locks), budget_ms).await?;
    }
    run_all(tx, deck.forward.drop_found_triggers(tx).await?).await?;
    run_all(tx, fallback::drop_statements(deck)).await?;
    if target_oid(tx, deck).await?.is_some() {
        run_all(tx, deck.plan.drop_target.iter().map(|step| step.sql.clone())).await?;
    }
    run_all(tx, deck.forward.spec().drop_statements()).await?;
    run_all(tx, deck.reverse.spec().drop_statements()).await?;
    for operation in super::OPERATIONS.iter().rev() {
        store::undo_operation(tx, &deck.lease, operation).await?;
    }
    store::apply(tx, &deck.lease, &Event::CleanedUp).await?;
    Ok(())
}

async fn retire_once(deck: &Deck, tx: &Transaction<'_>) -> Result<()> {
    let budget_ms = deck.settings().cutover_lock_budget_ms as u32;
    let owner = look_up(tx, &deck.plan, deck.fence.migration_id).await?;
    if owner != Owner::New {
        return Err(corridor_pg::Fault::new(
            &NAME_TAKEN_OVER,
            format!("{}: {owner}", deck.plan.source.name),
        ));
    }
    lock_tables(tx, &wanted(&deck.plan.finish_locks), budget_ms).await?;
    run_all(tx, deck.reverse.drop_found_triggers(tx).await?).await?;
    let operations = store::operations(tx, deck.fence.migration_id).await?;
    let finish = operations.iter().find(|o| o.name == "finish");
    let is_drop = finish
        .and_then(|o| o.progress.get("drop"))
        .and_then(serde_json::Value::as_bool)
        .unwrap_or(false);
    let steps: &[PlanStep] = if is_drop {
        &deck.plan.drop_parked
    } else {
        &deck.plan.retire
    };
    run_all(tx, steps.iter().map(|step| step.sql.clone())).await?;
    run_all(tx, deck.reverse.spec().drop_statements()).await?;
    run_all(tx, deck.forward.spec().drop_statements()).await?;
    if finish.is_some_and(|o| o.state == OperationState::Running) {
        store::apply(
            tx,
            &deck.lease,
            &Event::OperationFinished {
                operation: "finish".to_owned(),
            },
        )
        .await?;
    }
    store::apply(tx, &deck.lease, &Event::Retired).await?;
    Ok(())
}

/// After a swap: validates what was added not valid, each step by itself, with a lock budget, until all are done.
pub(crate) async fn settle(
    deck: &Arc<Deck>,
    operation: &str,
    steps: &[PlanStep],
    seat: &mut Seat,
) -> Step<()> {
    loop {
        let session = seat.session(deck).await?;
        let done = steps_done(&**session, deck, operation).await?;
        let Some(step) = steps.get(done) else {
            return Ok(());
        };
        deck.say(&Progress::Step {
            what: step.what.clone(),
        });
        let guard = cancel_on_halt(deck, session);
        let budget_ms = deck.settings().cutover_lock_budget_ms;
        let outcome = run_step(deck, session, operation, done, &step.sql, &step.what, budget_ms).await;
        guard.abort();
        match outcome {
            Ok(()) => seat.succeeded(deck),
            Err(fault) => seat.recover(deck, fault).await?,
        }
    }
}

async fn was_swapped_back(deck: &Arc<Deck>, seat: &mut Seat) -> Step<bool> {
    let session: &Session = seat.session(deck).await?;
    let operations = store::operations(&**session, deck.fence.migration_id).await?;
    let is_swapped = |progress: &serde_json::Value| {
        let noted = progress.get("is_swapped");
        noted.and_then(serde_json::Value::as_bool).unwrap_or(false)
    };
    Ok(operations
        .iter()
        .any(|o| o.name == "cutover" && (o.state == OperationState::Done || is_swapped(&o.progress))))
}

/// The side that the catalogue itself shows.
pub(crate) fn side_of(owner: &Owner) -> Option<Side> {
    match owner {
        Owner::Old => Some(Side::BeforeCutover),
        Owner::New => Some(Side::AfterCutover),
        Owner::Unclear(_) => None,
    }
}
