//! Settings as rows. Checked by the table in [`crate::setting`] on the way in and on the way out.

use std::collections::BTreeMap;

use corridor_pg::{FaultContext, Result};
use serde::Serialize;
use serde_json::{Value, json};
use tokio_postgres::{GenericClient, Row, Transaction};

use super::{audit, journal, stored_text};
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

/// Sets one setting and writes it to the journal, with who and why (which may be empty). Needs no lease: a worker reads it with its next sample. Returns
/// the value as it is stored.
pub async fn set(
    tx: &Transaction<'_>,
    migration_id: i64,
    key: &str,
    value: &str,
    (by, why): (&str, &str),
) -> Result<String> {
    let value = normalise(key, value)?;
    let by = stored_text(by);
    tx.execute(
        include_str!("../../sql/store/set.sql"),
        &[&migration_id, &key, &value, &by],
    )
    .await
    .doing(|| format!("setting {key}"))?;
    let detail = because(json!({ "key": key, "value": value }), why);
    journal::append(tx, migration_id, &by, "set", None, None, &detail).await?;
    Ok(value)
}

/// Gives one setting its default back, or what holds for all migrations, and writes it to the journal.
pub async fn unset(
    tx: &Transaction<'_>,
    migration_id: i64,
    key: &str,
    (by, why): (&str, &str),
) -> Result<()> {
    let default = definition(key)?.default;
    tx.execute(include_str!("../../sql/store/unset.sql"), &[&migration_id, &key])
        .await
        .doing(|| format!("giving {key} its default back"))?;
    let detail = because(json!({ "key": key, "default": default }), why);
    journal::append(tx, migration_id, &stored_text(by), "unset", None, None, &detail).await?;
    Ok(())
}

/// Sets one setting for all migrations that have no value of their own, and writes that into the audit. Returns the value as it
/// is stored. Workers read it with their next sample.
pub async fn set_default(
    tx: &Transaction<'_>,
    key: &str,
    value: &str,
    (by, why): (&str, &str),
) -> Result<String> {
    let value = normalise(key, value)?;
    let was = stored_defaults(tx).await?.remove(key).map(|set| set.value);
    tx.execute(
        include_str!("../../sql/store/set_default.sql"),
        &[&key, &value, &stored_text(by)],
    )
    .await
    .doing(|| format!("setting {key} for all migrations"))?;
    let detail = because(json!({ "was": was, "value": value }), why);
    audit(tx, by, "default_set", &format!("setting {key}"), &detail).await?;
    Ok(value)
}

/// All migrations without a value of their own have the default of the setting again; written into the audit.
pub async fn unset_default(tx: &Transaction<'_>, key: &str, (by, why): (&str, &str)) -> Result<()> {
    definition(key)?;
    let was = stored_defaults(tx).await?.remove(key).map(|set| set.value);
    tx.execute(include_str!("../../sql/store/unset_default.sql"), &[&key])
        .await
        .doing(|| format!("giving {key} its default back for all migrations"))?;
    let detail = because(json!({ "was": was }), why);
    audit(tx, by, "default_unset", &format!("setting {key}"), &detail).await
}

/// With the reason, when somebody gave one.
fn because(mut detail: Value, why: &str) -> Value {
    if !why.is_empty() {
        detail["why"] = Value::from(stored_text(why));
    }
    detail
}

/// What was set for all migrations, by key.
pub async fn stored_defaults(client: &impl GenericClient) -> Result<BTreeMap<String, StoredSetting>> {
    let doing = || "reading the settings of all migrations";
    let row = client
        .query_one(include_str!("../../sql/store/has_defaults.sql"), &[])
        .await
        .doing(doing)?;
    if !row.get::<_, bool>("has_defaults") {
        return Ok(BTreeMap::new());
    }
    let rows = client
        .query(include_str!("../../sql/store/defaults.sql"), &[])
        .await
        .doing(doing)?;
    Ok(by_key(&rows))
}

/// What was set for one migration, by key. Beneath it lies what [`stored_defaults`] says, then the definitions' defaults.
pub async fn stored_settings(
    client: &impl GenericClient,
    migration_id: i64,
) -> Result<BTreeMap<String, StoredSetting>> {
    let rows = client
        .query(include_str!("../../sql/store/settings.sql"), &[&migration_id])
        .await
        .doing(|| "reading the settings")?;
    Ok(by_key(&rows))
}

fn by_key(rows: &[Row]) -> BTreeMap<String, StoredSetting> {
    rows.iter()
        .map(|row| {
            let stored = StoredSetting {
                value: row.get("value"),
                set_by: row.get("set_by"),
                set_at: row.get("set_at"),
            };
            (row.get("key"), stored)
        })
        .collect()
}

/// All settings of one migration, resolved: its own, else those of all migrations, else the defaults.
pub async fn read_settings(client: &impl GenericClient, migration_id: i64) -> Result<Settings> {
    let mut stored = stored_defaults(client).await?;
    stored.append(&mut stored_settings(client, migration_id).await?);
    Settings::resolve(&stored.into_iter().map(|(key, s)| (key, s.value)).collect())
}
