//! What was done through the console and the HTTP interface, by whom and why.

use corridor_pg::{FaultContext, Result};
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
