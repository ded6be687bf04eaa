//! Settings as rows. Checked by the table in [`crate::setting`] on the way in and on the way out.

use std::collections::BTreeMap;

use corridor_pg::{FaultContext, Result};
use serde::Serialize;
use serde_json::json;
use tokio_postgres::{GenericClient, Transaction};

use super::{journal, stored_text};
use crate::setting::{Settings, definition, normalise};

/// What somebody has set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StoredSetting {
    /// The value, in the setting's own unit.
    pub value: String,
    /// Who set it.
    pub set_by: String,
    /// When.
    pub set_at: String,
}

/// Sets one setting and writes it to the journal. Needs no lease: a worker reads it with its next sample. Returns
/// the value as it is stored.
pub async fn set(
    tx: &Transaction<'_>,
    migration_id: i64,
    key: &str,
    value: &str,
    by: &str,
) -> Result<String> {
    let value = normalise(key, value)?;
    let by = stored_text(by);
    tx.execute(
        include_str!("../../sql/store/set.sql"),
        &[&migration_id, &key, &value, &by],
    )
    .await
    .doing(|| format!("setting {key}"))?;
    let detail = json!({ "key": key, "value": value });
    journal::append(tx, migration_id, &by, "set", None, None, &detail).await?;
    Ok(value)
}

/// Gives one setting its default back, and writes it to the journal.
pub async fn unset(tx: &Transaction<'_>, migration_id: i64, key: &str, by: &str) -> Result<()> {
    let default = definition(key)?.default;
    tx.execute(include_str!("../../sql/store/unset.sql"), &[&migration_id, &key])
        .await
        .doing(|| format!("giving {key} its default back"))?;
    let detail = json!({ "key": key, "default": default });
    journal::append(tx, migration_id, &stored_text(by), "unset", None, None, &detail).await?;
    Ok(())
}

/// What was set, by key.
pub async fn stored_settings(
    client: &impl GenericClient,
    migration_id: i64,
) -> Result<BTreeMap<String, StoredSetting>> {
    let rows = client
        .query(include_str!("../../sql/store/settings.sql"), &[&migration_id])
        .await
        .doing(|| "reading the settings")?;
    Ok(rows
        .iter()
        .map(|row| {
            let stored = StoredSetting {
                value: row.get("value"),
                set_by: row.get("set_by"),
                set_at: row.get("set_at"),
            };
            (row.get("key"), stored)
        })
        .collect())
}

/// All settings of one migration, resolved.
pub async fn read_settings(client: &impl GenericClient, migration_id: i64) -> Result<Settings> {
    let stored = stored_settings(client, migration_id).await?;
    Settings::resolve(&stored.into_iter().map(|(key, s)| (key, s.value)).collect())
}
