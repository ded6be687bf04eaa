//! The journal: what happened, by whom, append-only, bounded.

use corridor_pg::{Fault, FaultContext, Isolation, Result, Session};
use serde::Serialize;
use serde_json::Value;
use tokio_postgres::{GenericClient, Transaction};

use super::{json, object_text, stored_text};
use crate::fault::NO_SUCH_MIGRATION;
use crate::lease::Lease;
use crate::state::StateName;
use crate::throttle::Leave;

/// The newest entries of each migration that are kept; older ones are removed as new ones come.
pub const JOURNAL_ENTRIES_MAX: i64 = 10_000;

/// One entry.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Entry {
    /// Counts from 1 without gaps, for each migration.
    pub number: i64,
    /// When, by the server's clock; RFC 3339, UTC.
    pub at: String,
    /// Who: `role@host pid`.
    pub actor: String,
    /// What.
    pub event: String,
    /// The state before, when the event was a transition.
    pub from_state: Option<String>,
    /// The state after.
    pub to_state: Option<String>,
    /// The operation that it speaks of.
    pub operation: Option<String>,
    /// What else is known.
    pub detail: Value,
}

/// Appends one entry. Entries of one migration wait for each other until their transactions end.
pub(crate) async fn append(
    tx: &impl GenericClient,
    migration_id: i64,
    actor: &str,
    event: &str,
    states: Option<(StateName, StateName)>,
    operation: Option<&str>,
    detail: &Value,
) -> Result<i64> {
    let (from, to) = states.map_or((None, None), |(from, to)| {
        (Some(from.as_str()), Some(to.as_str()))
    });
    let row = tx
        .query_opt(
            include_str!("../../sql/store/append_journal.sql"),
            &[
                &migration_id,
                &stored_text(actor),
                &event,
                &from,
                &to,
                &operation,
                &object_text(detail),
            ],
        )
        .await
        .doing(|| format!("writing {event} to the journal"))?
        .ok_or_else(|| Fault::new(&NO_SUCH_MIGRATION, format!("id {migration_id}")))?;
    let number: i64 = row.get("number");
    if number > JOURNAL_ENTRIES_MAX {
        tx.execute(
            include_str!("../../sql/store/trim_journal.sql"),
            &[&migration_id, &(number - JOURNAL_ENTRIES_MAX)],
        )
        .await
        .doing(|| "removing old entries of the journal")?;
    }
    Ok(number)
}

/// Writes down something that is no transition (a hold of the throttle, a retry), in the worker's transaction.
/// `event` is lower case with underscores. Holds the fence.
pub async fn note(
    tx: &Transaction<'_>,
    lease: &Lease,
    event: &str,
    operation: Option<&str>,
    detail: &Value,
) -> Result<()> {
    lease.fence().hold(tx).await?;
    append(
        tx,
        lease.fence().migration_id,
        lease.holder(),
        event,
        None,
        operation,
        detail,
    )
    .await?;
    Ok(())
}

/// The newest `limit` entries after number `after` (0 for all), oldest first.
pub async fn logs(
    client: &impl GenericClient,
    migration_id: i64,
    after: i64,
    limit: u32,
) -> Result<Vec<Entry>> {
    let rows = client
        .query(
            include_str!("../../sql/store/journal.sql"),
            &[&migration_id, &after, &i64::from(limit)],
        )
        .await
        .doing(|| "reading the journal")?;
    rows.iter()
        .map(|row| {
            Ok(Entry {
                number: row.get("number"),
                at: row.get("at"),
                actor: row.get("actor"),
                event: row.get("event"),
                from_state: row.get("from_state"),
                to_state: row.get("to_state"),
                operation: row.get("operation"),
                detail: json(row, "detail")?,
            })
        })
        .collect()
}

/// As [`append`], for what is neither a transition nor an operation.
pub(crate) async fn append_plain(
    tx: &impl GenericClient,
    migration_id: i64,
    actor: &str,
    event: &str,
    detail: &Value,
) -> Result<i64> {
    append(tx, migration_id, actor, event, None, None, detail).await
}

/// Appends the throttle's word, in a transaction of its own.
pub async fn note_throttle(session: &mut Session, lease: &Lease, leave: &Leave) -> Result<()> {
    let tx = session.begin(Isolation::ReadCommitted).await?;
    let detail = serde_json::to_value(leave).unwrap_or_default();
    note(&tx, lease, "throttle", None, &detail).await?;
    tx.commit().await.doing(|| "writing the journal")
}
