//! Reading a table whole: one statement a kind, each of which answers with JSON that serde turns into data.

use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio_postgres::GenericClient;

use super::Table;
use crate::fault::{Fault, FaultContext, NO_SUCH_OBJECT, PROTOCOL, Result};
use crate::value::Oid;

macro_rules! sql {
    ($name:literal) => {
        ($name, include_str!(concat!("../../sql/catalog/", $name, ".sql")))
    };
}

/// Field of [`Table`] and the statement that fills it.
const PARTS: &[(&str, &str)] = &[
    sql!("columns"),
    sql!("indexes"),
    sql!("constraints"),
    (
        "incoming",
        include_str!("../../sql/catalog/incoming_foreign_keys.sql"),
    ),
    sql!("triggers"),
    sql!("sequences"),
    sql!("views"),
    sql!("grants"),
    sql!("policies"),
    sql!("rules"),
    sql!("statistics"),
    sql!("publications"),
    sql!("inheritance"),
    sql!("security_labels"),
    sql!("dependents"),
];

/// Reads relation `oid` and everything that hangs on it.
///
/// `client` should be a repeatable-read transaction, so that all statements see one moment. Locks: `ACCESS SHARE`
/// on catalogues, and on the relation itself for its size.
pub async fn read_table(client: &impl GenericClient, oid: Oid) -> Result<Table> {
    let doing = || format!("reading the catalogue of relation {oid}");
    let relation = sql!("relation").1;
    let row = client.query_opt(relation, &[&oid.0]).await.doing(doing)?;
    let Some(row) = row else {
        return Err(Fault::new(&NO_SUCH_OBJECT, format!("no relation has the id {oid}")).doing(doing()));
    };
    let mut whole: Value = parse("relation", &row.try_get::<_, String>(0)?)?;
    for (field, statement) in PARTS {
        let row = client.query_one(*statement, &[&oid.0]).await.doing(doing)?;
        whole[*field] = parse(field, &row.try_get::<_, String>(0)?)?;
    }
    let row = client
        .query_one(sql!("event_triggers").1, &[])
        .await
        .doing(doing)?;
    whole["event_triggers"] = parse("event_triggers", &row.try_get::<_, String>(0)?)?;
    serde_json::from_value(whole)
        .map_err(|e| Fault::new(&PROTOCOL, format!("the catalogue of relation {oid}: {e}")).caused_by(e))
}

fn parse<T: DeserializeOwned>(what: &str, text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|e| Fault::new(&PROTOCOL, format!("{what}: {e}")).caused_by(e))
}
