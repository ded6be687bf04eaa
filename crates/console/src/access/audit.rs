//! What was done through the console and the HTTP interface, by whom and why.

use corridor_pg::{FaultContext, Result};
use serde::Serialize;
use serde_json::Value;
use tokio_postgres::GenericClient;

/// Entries that are kept, the newest.
pub const ENTRIES_MAX: i64 = 100_000;

/// Writes one entry, in the caller's transaction where there is one.
pub async fn append(
    client: &impl GenericClient,
    actor: &str,
    action: &str,
    object: &str,
    detail: &Value,
) -> Result<()> {
    client
        .execute(
            include_str!("../../sql/access/audit.sql"),
            &[&actor, &action, &object, &detail.to_string()],
        )
        .await
        .doing(|| format!("writing the audit: {action} {object}"))?;
    // Seldom, and cheap: by the primary key.
    if fastrand::u32(0..100) == 0 {
        client
            .execute(include_str!("../../sql/access/trim_audit.sql"), &[&ENTRIES_MAX])
            .await
            .doing(|| "removing old entries of the audit")?;
    }
    Ok(())
}

/// One entry.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Entry {
    /// Its id, which grows.
    pub id: i64,
    /// When; RFC 3339, UTC, the server's clock.
    pub at: String,
    /// Who.
    pub actor: String,
    /// What: `pause`, `account_added`.
    pub action: String,
    /// To what: `migration main/0003_fill`, `account anna`.
    pub object: String,
    /// With what, and why.
    pub detail: Value,
}

/// The newest entries in front of an id, the newest first.
pub async fn entries(client: &impl GenericClient, before: Option<i64>, limit: i64) -> Result<Vec<Entry>> {
    let rows = client
        .query(
            include_str!("../../sql/access/audit_entries.sql"),
            &[&before, &limit],
        )
        .await
        .doing(|| "reading the audit")?;
    Ok(rows
        .iter()
        .map(|row| Entry {
            id: row.get("id"),
            at: row.get("at"),
            actor: row.get("actor"),
            action: row.get("action"),
            object: row.get("object"),
            detail: serde_json::from_str(row.get("detail")).unwrap_or_default(),
        })
        .collect())
}
