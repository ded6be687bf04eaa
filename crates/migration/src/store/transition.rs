//! Transitions: the fence, the pure step, and the rows that record it, in one transaction.

use corridor_pg::{Fault, FaultContext, Result};
use serde_json::{Value, json};
use tokio_postgres::{GenericClient, Transaction};

use super::{journal, object_text, state_columns, state_of, stored_text};
use crate::fault::{EVENT_OUT_OF_PLACE, NO_SUCH_MIGRATION, NO_SUCH_OPERATION, UNREADABLE_ROW};
use crate::lease::Lease;
use crate::operation::{OperationEvent, OperationState};
use crate::state::{State, Wait};
use crate::step::{Action, Event, step};

/// What a transition led to.
#[derive(Debug, Clone, PartialEq)]
pub struct Applied {
    /// The state before.
    pub from: State,
    /// The state now (once the transaction commits).
    pub state: State,
    /// What the worker has to do next.
    pub actions: Vec<Action>,
}

/// The state as it stands; no lock.
pub async fn read_state(client: &impl GenericClient, migration_id: i64) -> Result<State> {
    read(
        client,
        migration_id,
        include_str!("../../sql/store/read_state.sql"),
    )
    .await
}

async fn read(client: &impl GenericClient, migration_id: i64, sql: &str) -> Result<State> {
    let row = client
        .query_opt(sql, &[&migration_id])
        .await
        .doing(|| "reading the state of the migration")?
        .ok_or_else(|| Fault::new(&NO_SUCH_MIGRATION, format!("id {migration_id}")))?;
    state_of(&row)
}

/// Applies `event` in the caller's transaction: holds the fence, asks [`step`], writes state, operation and journal.
///
/// Nothing is durable before the caller commits; dropping the transaction undoes all of it. In a repeatable-read
/// transaction an entry of the journal that somebody else wrote since the snapshot (a `set`, for example) makes
/// this fail with `PG-011`: begin again.
///
/// Locks: the lease row `for share`, the migration's row until the transaction ends.
pub async fn apply(tx: &Transaction<'_>, lease: &Lease, event: &Event) -> Result<Applied> {
    lease.fence().hold(tx).await?;
    let id = lease.fence().migration_id;
    let from = read(tx, id, include_str!("../../sql/store/lock_state.sql")).await?;
    let (mut next, actions) = step(&from, event)?;
    if let State::Failed { detail, .. } | State::Ambiguous { what: detail, .. } = &mut next {
        *detail = stored_text(detail);
    }
    if let State::Paused { by, why, .. } = &mut next {
        (*by, *why) = (stored_text(by), stored_text(why));
    }
    match event {
        Event::OperationStarted { operation } => {
            move_operation(tx, id, operation, OperationEvent::Start, None).await?;
            set_current(tx, id, operation).await?;
        }
        Event::OperationFinished { operation } => {
            move_operation(tx, id, operation, OperationEvent::Finish, None).await?;
        }
        Event::OperationFailed {
            operation,
            code,
            detail,
        } => {
            let error = stored_text(&format!("{code}: {detail}"));
            move_operation(tx, id, operation, OperationEvent::Fail, Some(&error)).await?;
        }
        _ => {}
    }
    let is_waiting = matches!(
        next,
        State::Waiting {
            for_what: Wait::Cutover
        }
    );
    if (is_waiting || next.is_final()) && next != from {
        // A cut-over that was given up runs no more; it begins anew when it is asked for again. Nothing runs behind the end.
        yield_operations(tx, id, "").await?;
    }
    if next != from {
        let (name, detail) = state_columns(&next);
        tx.execute(
            include_str!("../../sql/store/write_state.sql"),
            &[&id, &name, &detail],
        )
        .await
        .doing(|| format!("writing the state {name}"))?;
    }
    journal::append(
        tx,
        id,
        lease.holder(),
        event.name(),
        Some((from.name(), next.name())),
        event.operation(),
        &detail_of(event),
    )
    .await?;
    Ok(Applied {
        from,
        state: next,
        actions,
    })
}

/// Whichever operation runs, save `operation`, is not at work any more.
async fn yield_operations(tx: &Transaction<'_>, migration_id: i64, operation: &str) -> Result<()> {
    tx.execute(
        include_str!("../../sql/store/yield_operations.sql"),
        &[&migration_id, &operation],
    )
    .await
    .doing(|| "letting another operation go first")?;
    Ok(())
}

/// What the journal keeps of an event beside its name and its operation.
fn detail_of(event: &Event) -> Value {
    match event {
        Event::Asked { by, why, .. } if why.is_empty() => json!({ "by": stored_text(by) }),
        Event::Asked { by, why, .. } => json!({ "by": stored_text(by), "why": stored_text(why) }),
        Event::OperationFailed { code, detail, .. } | Event::WorkFailed { code, detail } => {
            json!({ "code": code, "detail": stored_text(detail) })
        }
        Event::Skipped { by, why } => json!({ "by": stored_text(by), "why": stored_text(why) }),
        Event::CutoverGivenUp { why } => json!({ "why": stored_text(why) }),
        Event::OwnershipAmbiguous { what } => json!({ "what": stored_text(what) }),
        Event::OwnershipResolved { side } => json!({ "side": side }),
        _ => Value::Null,
    }
}

/// An operation that was done begins again, by the plan's own word (`verify`). Holds the fence.
pub async fn repeat_operation(tx: &Transaction<'_>, lease: &Lease, operation: &str) -> Result<()> {
    let id = lease.fence().migration_id;
    lease.fence().hold(tx).await?;
    move_operation(tx, id, operation, OperationEvent::Repeat, None).await?;
    set_current(tx, id, operation).await?;
    journal::append(
        tx,
        id,
        lease.holder(),
        "operation_repeated",
        None,
        Some(operation),
        &Value::Null,
    )
    .await?;
    Ok(())
}

/// What an operation made is gone (`stop`, `rollback`); says nothing of one that was never begun. Holds the fence.
pub async fn undo_operation(tx: &Transaction<'_>, lease: &Lease, operation: &str) -> Result<()> {
    let id = lease.fence().migration_id;
    lease.fence().hold(tx).await?;
    let (from, to) = move_operation(tx, id, operation, OperationEvent::Undo, None).await?;
    if from != to {
        journal::append(
            tx,
            id,
            lease.holder(),
            "operation_undone",
            None,
            Some(operation),
            &Value::Null,
        )
        .await?;
    }
    Ok(())
}

/// Writes what the operation that runs says about its progress (a JSON object). Holds the fence.
///
/// The ledger of the data plane is the truth; this is for people. Call it from one place and a few times per
/// second at most, not from every chunk: one row, written by all lanes, would make them wait for each other.
pub async fn write_operation_progress(
    tx: &Transaction<'_>,
    lease: &Lease,
    operation: &str,
    progress: &Value,
) -> Result<()> {
    lease.fence().hold(tx).await?;
    tx.execute(
        include_str!("../../sql/store/progress.sql"),
        &[&lease.fence().migration_id, &operation, &object_text(progress)],
    )
    .await
    .doing(|| format!("writing the progress of {operation}"))?;
    Ok(())
}

/// Adds to the progress of an operation, also of one that is over: what an operation leaves behind may be finished after
/// the next one has begun.
///
/// Locks: one row of `corridor.operation`.
///
/// # Errors
/// When the lease is lost.
pub async fn note_operation_progress(
    tx: &Transaction<'_>,
    lease: &Lease,
    operation: &str,
    progress: &Value,
) -> Result<()> {
    lease.fence().hold(tx).await?;
    tx.execute(
        include_str!("../../sql/store/note_progress.sql"),
        &[&lease.fence().migration_id, &operation, &object_text(progress)],
    )
    .await
    .doing(|| format!("noting the progress of {operation}"))?;
    Ok(())
}

async fn set_current(tx: &Transaction<'_>, migration_id: i64, operation: &str) -> Result<()> {
    tx.execute(
        include_str!("../../sql/store/current_operation.sql"),
        &[&migration_id, &operation],
    )
    .await
    .doing(|| format!("naming {operation} as the current operation"))?;
    Ok(())
}

async fn move_operation(
    tx: &Transaction<'_>,
    migration_id: i64,
    operation: &str,
    event: OperationEvent,
    error: Option<&str>,
) -> Result<(OperationState, OperationState)> {
    let row = tx
        .query_opt(
            include_str!("../../sql/store/lock_operation.sql"),
            &[&migration_id, &operation],
        )
        .await
        .doing(|| format!("reading operation {operation}"))?
        .ok_or_else(|| Fault::new(&NO_SUCH_OPERATION, operation.to_owned()))?;
    let text: &str = row.get("state");
    let from = OperationState::parse(text)
        .ok_or_else(|| Fault::new(&UNREADABLE_ROW, format!("operation state {text:?}")))?;
    let to = from.after(event).ok_or_else(|| {
        Fault::new(
            &EVENT_OUT_OF_PLACE,
            format!("operation {operation} is {from}, {event:?} does not fit"),
        )
    })?;
    if to == OperationState::Running {
        // At most one runs: `OperationEvent::Yield` of whichever does.
        yield_operations(tx, migration_id, operation).await?;
    }
    let written = if to == OperationState::Running {
        tx.execute(
            include_str!("../../sql/store/start_operation.sql"),
            &[&migration_id, &operation],
        )
        .await
    } else if to != from {
        tx.execute(
            include_str!("../../sql/store/end_operation.sql"),
            &[&migration_id, &operation, &to.as_str(), &error],
        )
        .await
    } else {
        Ok(0)
    };
    written.doing(|| format!("writing operation {operation}"))?;
    Ok((from, to))
}
