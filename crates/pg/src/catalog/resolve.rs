//! From the name that a person typed to a relation.

use tokio_postgres::GenericClient;

use crate::fault::{Fault, FaultContext, NO_SUCH_OBJECT, Result};
use crate::ident::{Ident, QualifiedName, parse_name};
use crate::near::{SUGGESTIONS_MAX, did_you_mean, remoteness};
use crate::value::Oid;

/// Finds the relation that `text` names.
///
/// A bare name is looked up along the search path that psql would have for this role and database, not along the
/// session's own, which is pinned. Fails with `PG-020` when the text is no name, and with `PG-014`, naming what comes
/// near, when there is no such relation.
pub async fn resolve(client: &impl GenericClient, text: &str) -> Result<(Oid, QualifiedName)> {
    let parts = parse_name(text)?;
    let doing = || format!("looking for {text}");
    let row = match parts.as_slice() {
        [schema, name] => {
            let statement = include_str!("../../sql/catalog/resolve_qualified.sql");
            let params = [&schema.as_str() as _, &name.as_str() as _];
            client.query_opt(statement, &params).await.doing(doing)?
        }
        [name] => {
            let statement = include_str!("../../sql/catalog/resolve_unqualified.sql");
            client
                .query_opt(statement, &[&name.as_str()])
                .await
                .doing(doing)?
        }
        _ => None,
    };
    match row {
        Some(row) => {
            let name = qualified(&row)?;
            Ok((Oid(row.try_get("oid")?), name))
        }
        None => Err(Fault::new(&NO_SUCH_OBJECT, missing(client, text, &parts).await?)),
    }
}

fn qualified(row: &tokio_postgres::Row) -> Result<QualifiedName> {
    Ok(QualifiedName::new(
        Ident::new(row.try_get::<_, String>("schema")?)?,
        Ident::new(row.try_get::<_, String>("name")?)?,
    ))
}

async fn missing(client: &impl GenericClient, text: &str, parts: &[Ident]) -> Result<String> {
    let (schema, name) = match parts {
        [schema, name] => (schema.as_str(), name.as_str()),
        [name] => ("", name.as_str()),
        _ => ("", ""),
    };
    let rows = client
        .query(
            include_str!("../../sql/catalog/near_names.sql"),
            &[&schema, &name],
        )
        .await
        .doing(|| format!("looking for names like {text}"))?;
    let names = rows.iter().map(qualified).collect::<Result<Vec<_>>>()?;
    let mut ranked: Vec<_> = names
        .iter()
        .filter_map(|near| {
            let own = remoteness(name, near.name.as_str())?;
            // Where the schema was typed, a table of that schema, or of one that reads like it, comes first.
            let schema = match schema {
                "" => 0,
                schema => remoteness(schema, near.schema.as_str()).unwrap_or(usize::MAX),
            };
            Some((own, schema, near))
        })
        .collect();
    ranked.sort();
    ranked.truncate(SUGGESTIONS_MAX);
    let near: Vec<_> = ranked.into_iter().map(|(.., near)| near).collect();
    Ok(format!("no relation is named {text}{}", did_you_mean(&near)))
}
