//! Reading: the catalogue; and the sizes of the few largest relations.

use corridor_pg::{Oid, Result};
use tokio_postgres::Row;

use super::{Locks, PartitionTree, Relation, Size, Wide};
use crate::probe::Scope;
use crate::reader::Reader;

/// So many relations are judged and kept.
const RELATIONS: i64 = 24;
/// So many of them are asked for their size: each look counts the relation's files, a thousand for each TB.
const MEASURED: usize = 8;
/// Fewer column numbers than this are no matter.
const COLUMNS_MIN: i16 = 200;

/// Reads everything.
pub(super) async fn read(reader: &mut Reader, scope: &Scope) -> Result<Size> {
    let (schema, table) = match &scope.table {
        Some((schema, table)) => (Some(schema.as_str()), Some(table.as_str())),
        None => (None, None),
    };
    let sql = include_str!("../../../sql/size/relations.sql");
    let rows = reader
        .ask("the largest relations", sql, &[&schema, &table, &RELATIONS])
        .await?;
    let mut relations: Vec<Relation> = rows.unwrap_or_default().iter().map(relation).collect();
    measure(reader, &mut relations).await?;
    let sql = include_str!("../../../sql/size/columns.sql");
    let rows = reader
        .ask("tables of many columns", sql, &[&schema, &table, &COLUMNS_MIN])
        .await?;
    let wide = rows.unwrap_or_default().iter().map(wide).collect();
    let sql = include_str!("../../../sql/size/trees.sql");
    let rows = reader.ask("trees of partitions", sql, &[&schema, &table]).await?;
    let trees = rows.unwrap_or_default().iter().map(tree).collect();
    let sql = include_str!("../../../sql/size/locks.sql");
    let row = reader.ask_one("the table of locks", sql, &[]).await?;
    Ok(Size {
        server_version_num: reader.server_version_num(),
        relations,
        wide,
        trees,
        locks: row.as_ref().map(locks),
    })
}

/// Sizes as they are now. What somebody holds exclusively keeps what the catalogue says.
async fn measure(reader: &mut Reader, relations: &mut [Relation]) -> Result<()> {
    let sql = include_str!("../../../sql/bloat/size.sql");
    for relation in relations.iter_mut().take(MEASURED) {
        let what = format!("the size of {}", relation.object());
        let row = reader.ask_one(&what, sql, &[&relation.oid.0]).await?;
        if let Some(pages) = row.and_then(|row| row.get::<_, Option<i64>>("pages")) {
            relation.pages = pages as f64;
            relation.is_measured = true;
        }
    }
    Ok(())
}

fn root(row: &Row) -> Option<(String, String)> {
    let schema: Option<String> = row.get("root_schema");
    schema.zip(row.get("root_name"))
}

fn relation(row: &Row) -> Relation {
    Relation {
        oid: Oid(row.get("oid")),
        relation_schema: row.get("relation_schema"),
        relation_name: row.get("relation_name"),
        is_index: row.get("is_index"),
        is_toast: row.get("is_toast"),
        schema: row.get("schema_name"),
        table: row.get("table_name"),
        root: root(row),
        pages: row.get("pages"),
        is_measured: false,
        block_bytes: row.get("block_bytes"),
        live_rows: row.get("live_rows"),
        dead_rows: row.get("dead_rows"),
        key_column: row.get("key_column"),
    }
}

fn wide(row: &Row) -> Wide {
    Wide {
        schema: row.get("schema_name"),
        table: row.get("table_name"),
        root: root(row),
        used: row.get("used"),
        dropped: row.get("dropped"),
    }
}

fn tree(row: &Row) -> PartitionTree {
    PartitionTree {
        schema: row.get("schema_name"),
        table: row.get("table_name"),
        partitions: row.get("partitions"),
        relations: row.get("relations"),
        bytes: row.get("bytes"),
        partition_key: row.get("partition_key"),
    }
}

fn locks(row: &Row) -> Locks {
    Locks {
        locks_each: row.get("locks_each"),
        max_connections: row.get("max_connections"),
        max_prepared: row.get("max_prepared"),
        objects: row.get("objects"),
        holders: row.get("holders"),
        top_places: row.get::<_, Option<f64>>("top_places").unwrap_or(0.0),
        top_pid: row.get("top_pid"),
    }
}
