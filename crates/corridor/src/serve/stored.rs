//! Settings that are kept in the home cluster, for all services of it.

use corridor_migration::{schema, store};
use corridor_pg::{ApplicationName, ConnectOptions, FaultContext, Isolation, Result, Session};
use serde_json::json;
use tokio_postgres::GenericClient;

use super::config::{self, Config, Sources, Stored, StoredValue};

/// Older schemas have no such table: then nothing is kept.
const NO_SUCH_TABLE: &str = "42P01";

/// Reads what is kept.
///
/// Locks: access share on `corridor.service_setting`.
pub(crate) async fn read(client: &impl GenericClient) -> Result<Stored> {
    let rows = match client
        .query(include_str!("../../sql/serve/stored.sql"), &[])
        .await
        .doing(|| "reading the settings of the service")
    {
        Err(fault) if fault.sqlstate().is_some_and(|state| state == NO_SUCH_TABLE) => {
            return Ok(Stored::new());
        }
        rows => rows?,
    };
    Ok(rows
        .iter()
        .map(|row| {
            let kept = StoredValue {
                value: row.get("value"),
                by: row.get("set_by"),
                at: row.get("set_at"),
            };
            (row.get("key"), kept)
        })
        .collect())
}

/// The same from the home cluster, wherever that is; nothing where there is no schema.
pub(crate) async fn fetch(database: Option<&str>) -> Result<Stored> {
    let options = ConnectOptions::from_process(database)?;
    let session = options.connect(&ApplicationName::new("service", "-")).await?;
    match schema::exists(&*session).await? {
        true => read(&*session).await,
        false => Ok(Stored::new()),
    }
}

/// Changes one setting, or takes the change back, and writes down who did it. Returns what is kept then.
///
/// Refuses a key that is unknown, fixed by the command line or the environment, or never kept; and a value that makes no sense
/// beside the others.
///
/// Locks: share row exclusive on `corridor.service_setting`, for a moment.
pub(crate) async fn change(
    session: &mut Session,
    sources: &Sources,
    key: &str,
    value: Option<&str>,
    by: &str,
) -> Result<Stored> {
    config::check_key(key)?;
    schema::ensure(session).await?;
    let tx = session.begin(Isolation::ReadCommitted).await?;
    let doing = || format!("changing {key}");
    tx.execute(include_str!("../../sql/serve/lock_settings.sql"), &[])
        .await
        .doing(doing)?;
    let mut wanted = read(&tx).await?;
    let before = wanted.get(key).map(|kept| config::concealed(key, &kept.value));
    match value {
        Some(value) => {
            let kept = StoredValue {
                value: value.trim().to_owned(),
                by: by.to_owned(),
                at: String::new(),
            };
            wanted.insert(key.to_owned(), kept);
        }
        None => drop(wanted.remove(key)),
    }
    let now = Config::read(sources, &wanted)?;
    now.refuse_fixed(key)?;
    let action = match value {
        Some(value) => {
            let words: [&(dyn tokio_postgres::types::ToSql + Sync); 3] = [&key, &value.trim(), &by];
            tx.execute(include_str!("../../sql/serve/store.sql"), &words)
                .await
                .doing(doing)?;
            "setting_set"
        }
        None => {
            tx.execute(include_str!("../../sql/serve/forget.sql"), &[&key])
                .await
                .doing(doing)?;
            "setting_unset"
        }
    };
    let detail = json!({ "was": before, "value": value.map(|value| config::concealed(key, value.trim())) });
    store::audit(&tx, by, action, &format!("setting {key}"), &detail).await?;
    let stored = read(&tx).await?;
    tx.commit().await.doing(doing)?;
    Ok(stored)
}

#[cfg(test)]
mod tests;
