//! The journal of a migration, page by page, and its transitions.

use corridor_migration::store::Entry;
use corridor_pg::{FaultContext, Result, Session};
use tokio_postgres::Row;

use super::json;

/// Entries of one page.
pub(crate) const PAGE: i64 = 100;
/// Transitions of a timeline; the newest.
pub(crate) const TRANSITIONS_MAX: i64 = 60;

/// The newest entries before a number, the newest first; one more than a page where there is another page.
pub(crate) async fn page(session: &mut Session, id: i64, before: i64) -> Result<Vec<Entry>> {
    let rows = session
        .query(
            include_str!("../../sql/read/journal_page.sql"),
            &[&id, &before, &(PAGE + 1)],
        )
        .await
        .doing(|| "reading the journal")?;
    Ok(rows.iter().map(entry).collect())
}

/// The transitions, the oldest first.
pub(crate) async fn transitions(session: &mut Session, id: i64) -> Result<Vec<Entry>> {
    let rows = session
        .query(
            include_str!("../../sql/read/transitions.sql"),
            &[&id, &TRANSITIONS_MAX],
        )
        .await
        .doing(|| "reading the transitions")?;
    Ok(rows.iter().rev().map(entry).collect())
}

fn entry(row: &Row) -> Entry {
    Entry {
        number: row.get("number"),
        at: row.get("at"),
        actor: row.get("actor"),
        event: row.get("event"),
        from_state: row.get("from_state"),
        to_state: row.get("to_state"),
        operation: row.get("operation"),
        detail: json(row.get("detail")),
    }
}
