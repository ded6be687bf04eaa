//! Reading: catalogue and sequences; no table.

use std::collections::{BTreeMap, BTreeSet};

use corridor_pg::Result;
use tokio_postgres::Row;

use super::{Key, Narrow, Sequence, Sequences};
use crate::probe::Scope;
use crate::probe::words::grouped;
use crate::reader::Reader;

/// So many values with one statement: each locks its sequence, and the table of locks is everybody's.
const BATCH: usize = 250;
/// So many sequences are read, those of wide types and quiet tables last; `sequences.sql` has the same limit.
const READ: u16 = 4_000;
/// So many are judged and kept: those nearest to their end.
const KEPT: usize = 100;

/// Reads everything.
pub(super) async fn read(reader: &mut Reader, scope: &Scope) -> Result<Sequences> {
    let (schema, table) = match &scope.table {
        Some((schema, table)) => (Some(schema.as_str()), Some(table.as_str())),
        None => (None, None),
    };
    let sql = include_str!("../../../sql/sequences/sequences.sql");
    let rows = reader.ask("sequences", sql, &[&schema, &table]).await?;
    let mut sequences: Vec<Sequence> = rows.unwrap_or_default().iter().map(sequence).collect();
    values(reader, &mut sequences).await?;
    let sql = include_str!("../../../sql/sequences/narrow.sql");
    let narrow = reader.ask("foreign keys", sql, &[&schema, &table]).await?;
    let sql = include_str!("../../../sql/sequences/keys.sql");
    let keys = reader.ask("integer keys", sql, &[&schema, &table]).await?;
    let sql = include_str!("../../../sql/sequences/hidden.sql");
    let row = reader.ask_one("hidden sequences", sql, &[]).await?;
    let (hidden, all) = row.map_or((0.0, 0.0), |row| {
        (row.get::<_, f64>("hidden"), row.get::<_, f64>("sequences"))
    });
    if all > f64::from(READ) && scope.table.is_none() {
        reader.note(
            "the values of sequences",
            format!("{} of quiet tables were not read", grouped(all - f64::from(READ))),
            "corridor check --only sequences --table SCHEMA.TABLE",
        );
    }
    if hidden > 0.0 {
        reader.note(
            "the values of sequences",
            format!("{} of them are hidden from this role", grouped(hidden)),
            "grant pg_read_all_data to the role",
        );
    }
    Ok(Sequences {
        sequences,
        narrow: narrow.unwrap_or_default().iter().map(narrow_key).collect(),
        keys: keys.unwrap_or_default().iter().map(key).collect(),
    })
}

/// Reads the values, and keeps those that are nearest to their end.
async fn values(reader: &mut Reader, sequences: &mut Vec<Sequence>) -> Result<()> {
    // In the order of urgency, each once.
    let mut seen = BTreeSet::new();
    let readable = sequences.iter().filter(|s| s.may_read).map(|s| s.oid);
    let oids: Vec<u32> = readable.filter(|oid| seen.insert(*oid)).collect();
    let mut values: BTreeMap<u32, Option<f64>> = BTreeMap::new();
    let sql = include_str!("../../../sql/sequences/values.sql");
    for batch in oids.chunks(BATCH) {
        let Some(rows) = reader.ask("the values of sequences", sql, &[&batch]).await? else {
            break;
        };
        values.extend(
            rows.iter()
                .map(|row| (row.get::<_, u32>("oid"), row.get::<_, Option<f64>>("last_value"))),
        );
    }
    for sequence in sequences.iter_mut() {
        sequence.last_value = values.get(&sequence.oid).copied().flatten();
        sequence.may_read = values.contains_key(&sequence.oid);
    }
    let share = |s: &Sequence| s.used().map_or(-1.0, |(used, capacity)| used / capacity);
    sequences.sort_by(|a, b| share(b).total_cmp(&share(a)));
    sequences.truncate(KEPT);
    Ok(())
}

fn sequence(row: &Row) -> Sequence {
    Sequence {
        oid: row.get("oid"),
        name: row.get("sequence"),
        table: row.get("table"),
        column: row.get("column"),
        is_owned: row.get("is_owned"),
        has_owner: row.get("has_owner"),
        type_name: row.get("sequence_type"),
        min: row.get("min"),
        max: row.get("max"),
        column_max: row.get("column_max"),
        start: row.get("start"),
        increment: row.get("increment"),
        cache: row.get("cache"),
        is_cycle: row.get("is_cycle"),
        may_read: row.get("may_read"),
        last_value: None,
        pages: row.get("pages"),
        is_unique: row.get("is_unique"),
    }
}

fn narrow_key(row: &Row) -> Narrow {
    Narrow {
        table: row.get("table"),
        column: row.get("column"),
        referenced_table: row.get("referenced_table"),
        referenced_column: row.get("referenced_column"),
        column_max: row.get("column_max"),
        pages: row.get("pages"),
    }
}

fn key(row: &Row) -> Key {
    Key {
        table: row.get("table"),
        column: row.get("column"),
        column_max: row.get("column_max"),
        pages: row.get("pages"),
        highest: row.get("highest"),
    }
}
