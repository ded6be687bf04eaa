//! Reading the catalogue of indexes: four statements, whatever the number of tables.

use corridor_pg::Result;
use tokio_postgres::Row;

use super::{Indexes, Invalid, Pair, Side, Unused};
use crate::probe::Scope;
use crate::reader::Reader;

/// Smaller ones are not worth a word: 1 MB.
const UNUSED_PAGES_MIN: i32 = 128;

/// Reads everything.
pub(super) async fn read(reader: &mut Reader, scope: &Scope) -> Result<Indexes> {
    let (schema, table) = match &scope.table {
        Some((schema, table)) => (Some(schema.as_str()), Some(table.as_str())),
        None => (None, None),
    };
    let since = reader
        .ask_one(
            "since when statistics are counted",
            include_str!("../../../sql/indexes/since.sql"),
            &[],
        )
        .await?;
    let invalid = reader
        .ask(
            "invalid indexes",
            include_str!("../../../sql/indexes/invalid.sql"),
            &[&schema, &table],
        )
        .await?
        .unwrap_or_default();
    let unused = reader
        .ask(
            "unused indexes",
            include_str!("../../../sql/indexes/unused.sql"),
            &[&schema, &table, &UNUSED_PAGES_MIN],
        )
        .await?
        .unwrap_or_default();
    let pairs = reader
        .ask(
            "duplicate indexes",
            include_str!("../../../sql/indexes/duplicate.sql"),
            &[&schema, &table],
        )
        .await?
        .unwrap_or_default();
    Ok(Indexes {
        server_version_num: reader.server_version_num(),
        since_s: since.as_ref().and_then(|row| row.get("since_s")),
        replicas: since.map_or(0, |row| row.get("replicas")),
        invalid: invalid
            .iter()
            .map(|row| Invalid {
                schema: row.get("schema_name"),
                table: row.get("table_name"),
                name: row.get("index_name"),
                pages: row.get("pages"),
                is_partitioned: row.get("is_partitioned"),
                is_written: row.get("is_written"),
                is_unique: row.get("is_unique"),
                is_exclusion: row.get("is_exclusion"),
                has_valid_twin: row.get("has_valid_twin"),
            })
            .collect(),
        unused: unused
            .iter()
            .map(|row| Unused {
                schema: row.get("schema_name"),
                table: row.get("table_name"),
                name: row.get("index_name"),
                pages: row.get("pages"),
                entries_written: row.get("entries_written"),
                has_expressions: row.get("has_expressions"),
                is_for_reference: row.get("is_for_reference"),
            })
            .collect(),
        pairs: pairs
            .iter()
            .map(|row| Pair {
                schema: row.get("schema_name"),
                table: row.get("table_name"),
                first: side(row, "first"),
                second: side(row, "second"),
                is_same: row.get("is_same"),
                is_partitioned: row.get("is_partitioned"),
            })
            .collect(),
    })
}

fn side(row: &Row, which: &str) -> Side {
    let column = |name: &str| format!("{which}_{name}");
    Side {
        name: row.get(column("name").as_str()),
        constraint: row.get(column("constraint").as_str()),
        is_unique: row.get(column("is_unique").as_str()),
        is_primary: row.get(column("is_primary").as_str()),
        is_identity: row.get(column("is_identity").as_str()),
        is_clustered: row.get(column("is_clustered").as_str()),
        pages: row.get(column("pages").as_str()),
        scans: row.get(column("scans").as_str()),
    }
}
