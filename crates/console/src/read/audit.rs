//! What was done through the console, page by page.

use corridor_migration::schema;
use corridor_pg::{FaultContext, Result, Session};
use serde_json::Value;

use super::json;

/// Entries of one page.
pub(crate) const PAGE: i64 = 100;

/// One deed.
#[derive(Debug, Clone)]
pub(crate) struct Deed {
    pub(crate) id: i64,
    pub(crate) at: String,
    pub(crate) actor: String,
    pub(crate) action: String,
    pub(crate) object: String,
    pub(crate) detail: Value,
}

/// The newest before a number, the newest first; one more than a page where there is another page.
pub(crate) async fn page(session: &mut Session, before: i64) -> Result<Vec<Deed>> {
    if !schema::exists(&**session).await? {
        return Ok(Vec::new());
    }
    let rows = session
        .query(
            include_str!("../../sql/read/audit_page.sql"),
            &[&before, &(PAGE + 1)],
        )
        .await
        .doing(|| "reading the audit")?;
    Ok(rows
        .iter()
        .map(|row| Deed {
            id: row.get("id"),
            at: row.get("at"),
            actor: row.get("actor"),
            action: row.get("action"),
            object: row.get("object"),
            detail: json(row.get("detail")),
        })
        .collect())
}
