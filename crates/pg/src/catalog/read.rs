//! Reading a table whole: one statement a kind, each of which answers with JSON that serde turns into data.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio_postgres::{GenericClient, Row, Statement};

use super::{MaterializedView, Partition, Table};
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
    sql!("foreign_users"),
    sql!("dependents"),
];

/// Reads relation `oid` and everything that hangs on it.
///
/// `client` should be a repeatable-read transaction, so that all statements see one moment. Locks: `ACCESS SHARE`
/// on catalogues, and on the relation itself for its size.
pub async fn read_table(client: &impl GenericClient, oid: Oid) -> Result<Table> {
    let mut table = read_relation(client, oid).await?;
    let statement = client
        .prepare(sql!("materialized_views").1)
        .await
        .doing(|| format!("reading the materialized views of {}", table.name))?;
    table.materialized_views = read_materialized_views(client, &statement, &table).await?;
    for partition in &mut table.partitions {
        let own = read_materialized_views(client, &statement, &partition.table).await?;
        partition.table.materialized_views = own;
    }
    Ok(table)
}

/// Reads them whole. Their queries are read with the schemas concerned in the search path, so that the relations there
/// stand in them by their bare names: that is how each can be made again on another relation of the same name.
async fn read_materialized_views(
    client: &impl GenericClient,
    statement: &Statement,
    table: &Table,
) -> Result<Vec<MaterializedView>> {
    let doing = || format!("reading the materialized views of {}", table.name);
    let rows = client.query(statement, &[&table.oid.0]).await.doing(doing)?;
    if rows.is_empty() {
        return Ok(vec![]);
    }
    let mut schemas = vec![table.name.schema.to_string()];
    for row in &rows {
        let schema: String = row.try_get("schema")?;
        if !schemas.contains(&schema) {
            schemas.push(schema);
        }
    }
    let search_path = schemas.join(", ");
    let own: String = client
        .query_one("select current_setting('search_path')", &[])
        .await
        .doing(doing)?
        .try_get(0)?;
    let set = "select set_config('search_path', $1, true)";
    let mut views = vec![];
    for row in &rows {
        let oid = Oid(row.try_get("oid")?);
        client.query_one(set, &[&search_path]).await.doing(doing)?;
        let definition = client
            .query_one("select rtrim(pg_get_viewdef($1::oid), '; ')", &[&oid.0])
            .await
            .doing(doing)?
            .try_get(0)?;
        client.query_one(set, &[&own]).await.doing(doing)?;
        views.push(MaterializedView {
            relation: read_relation(client, oid).await?,
            definition,
            search_path: search_path.clone(),
            is_populated: row.try_get("is_populated")?,
            is_narrowed: row.try_get("is_narrowed")?,
        });
    }
    Ok(views)
}

async fn read_relation(client: &impl GenericClient, oid: Oid) -> Result<Table> {
    let doing = || format!("reading the catalogue of relation {oid}");
    let row = client
        .query_one(sql!("event_triggers").1, &[])
        .await
        .doing(doing)?;
    let event_triggers: Value = parse("event_triggers", &row.try_get::<_, String>(0)?)?;
    let row = client
        .query_one(sql!("partitions").1, &[&oid.0])
        .await
        .doing(doing)?;
    let children: Vec<Child> = parse("partitions", &row.try_get::<_, String>(0)?)?;
    let statements = Statements::new(client, !children.is_empty()).await.doing(doing)?;
    let mut whole = statements.read(client, oid, &event_triggers).await?;
    let mut partitions = Vec::with_capacity(children.len());
    for child in children {
        partitions.push(Partition {
            bounds: child.bounds,
            is_detach_pending: child.is_detach_pending,
            table: statements.read(client, child.oid, &event_triggers).await?,
        });
    }
    whole.partitions = partitions;
    Ok(whole)
}

#[derive(Deserialize)]
struct Child {
    oid: Oid,
    bounds: String,
    is_detach_pending: bool,
}

/// The statements, prepared where they are asked once for each of many partitions: planning them costs more than they do.
struct Statements {
    relation: Asked,
    parts: Vec<Asked>,
}

enum Asked {
    Text(&'static str),
    Prepared(Statement),
}

impl Statements {
    async fn new(client: &impl GenericClient, is_prepared: bool) -> Result<Self> {
        let mut all = Vec::with_capacity(PARTS.len() + 1);
        for sql in std::iter::once(sql!("relation").1).chain(PARTS.iter().map(|(_, sql)| *sql)) {
            all.push(match is_prepared {
                true => Asked::Prepared(client.prepare(sql).await?),
                false => Asked::Text(sql),
            });
        }
        Ok(Statements {
            relation: all.remove(0),
            parts: all,
        })
    }

    async fn read(&self, client: &impl GenericClient, oid: Oid, event_triggers: &Value) -> Result<Table> {
        let doing = || format!("reading the catalogue of relation {oid}");
        let row = self.relation.ask(client, oid).await.doing(doing)?;
        let Some(row) = row else {
            return Err(Fault::new(&NO_SUCH_OBJECT, format!("no relation has the id {oid}")).doing(doing()));
        };
        let mut whole: Value = parse("relation", &row.try_get::<_, String>(0)?)?;
        for ((field, _), statement) in PARTS.iter().zip(&self.parts) {
            let row = statement.ask(client, oid).await.doing(doing)?;
            let text: String = match row {
                Some(row) => row.try_get(0)?,
                None => return Err(Fault::new(&PROTOCOL, format!("{field}: no answer")).doing(doing())),
            };
            whole[*field] = parse(field, &text)?;
        }
        whole["event_triggers"] = event_triggers.clone();
        serde_json::from_value(whole)
            .map_err(|e| Fault::new(&PROTOCOL, format!("the catalogue of relation {oid}: {e}")).caused_by(e))
    }
}

impl Asked {
    async fn ask(&self, client: &impl GenericClient, oid: Oid) -> Result<Option<Row>> {
        Ok(match self {
            Asked::Text(sql) => client.query_opt(*sql, &[&oid.0]).await?,
            Asked::Prepared(statement) => client.query_opt(statement, &[&oid.0]).await?,
        })
    }
}

fn parse<T: DeserializeOwned>(what: &str, text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|e| Fault::new(&PROTOCOL, format!("{what}: {e}")).caused_by(e))
}
