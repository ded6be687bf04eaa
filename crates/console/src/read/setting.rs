//! The settings that all migrations of a cluster have, unless one has its own.

use std::collections::BTreeMap;

use corridor_migration::schema;
use corridor_migration::store::StoredSetting;
use corridor_pg::{FaultContext, Result, Session};

/// What somebody has set, by key.
pub(crate) async fn defaults(session: &mut Session) -> Result<BTreeMap<String, StoredSetting>> {
    if !schema::exists(&**session).await? {
        return Ok(BTreeMap::new());
    }
    let rows = session
        .query(include_str!("../../sql/read/default_settings.sql"), &[])
        .await
        .doing(|| "reading the default settings")?;
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
