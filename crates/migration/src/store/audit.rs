//! What was done beside the migrations, and by whom: append-only.

use corridor_pg::{FaultContext, Result};
use serde_json::Value;
use tokio_postgres::GenericClient;

use super::{object_text, stored_text};

/// Writes down who did what, in the transaction that does it; the newest 100,000 entries are kept.
///
/// - `action`: lower case with underscores: `setting_set`.
/// - `object`: what it was done to: `setting auto_start`.
/// - `detail`: a JSON object; nothing secret.
pub async fn audit(
    client: &impl GenericClient,
    actor: &str,
    action: &str,
    object: &str,
    detail: &Value,
) -> Result<()> {
    client
        .execute(
            include_str!("../../sql/store/audit.sql"),
            &[
                &stored_text(actor),
                &action,
                &stored_text(object),
                &object_text(detail),
            ],
        )
        .await
        .doing(|| format!("writing {action} into the audit"))?;
    Ok(())
}
