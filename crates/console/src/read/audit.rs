//! What was done through the console, page by page.

use corridor_migration::schema;
use corridor_pg::{FaultContext, Result};
use serde::Serialize;
use serde_json::Value;
use tokio_postgres::GenericClient;

use super::json;

/// Entries of one page.
pub(crate) const PAGE: i64 = 100;

/// One deed.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Deed {
    /// It grows.
    pub(crate) id: i64,
    /// RFC 3339, UTC, the server's clock.
    pub(crate) at: String,
    pub(crate) actor: String,
    pub(crate) action: String,
    pub(crate) object: String,
    pub(crate) detail: Value,
}

/// The newest before a number, the newest first.
pub(crate) async fn entries(client: &impl GenericClient, before: i64, limit: i64) -> Result<Vec<Deed>> {
    if !schema::exists(client).await? {
        return Ok(Vec::new());
    }
    let rows = client
        .query(include_str!("../../sql/read/audit_page.sql"), &[&before, &limit])
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
