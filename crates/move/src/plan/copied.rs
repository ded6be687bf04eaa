//! What is copied: the key's columns, and all others with the way in which they are compared. Pure.

use corridor_mirror::spec::{Column, Digest, KeyColumn};
use corridor_pg::Ident;
use corridor_pg::catalog::{Index, Table};

/// The columns of a key, and those that it has to be widened by.
pub(super) fn key_columns(table: &Table, key: &Index, appended: &[&Ident]) -> Vec<KeyColumn> {
    let own = key.key().filter_map(|c| c.column.as_ref());
    own.chain(appended.iter().copied())
        .filter_map(|name| table.column(name))
        .map(|column| KeyColumn {
            name: column.name.clone(),
            target_name: None,
            type_sql: column.base_type_sql.clone(),
            collation: column.collation.clone().filter(|_| column.is_collation_explicit),
        })
        .collect()
}

/// Every column but the generated ones, as it is.
pub(super) fn copied_columns(table: &Table) -> Vec<Column> {
    let live = table.columns.iter().filter(|c| !c.is_generated());
    live.map(|column| Column {
        name: column.name.clone(),
        digest: digest(column),
        value: None,
    })
    .collect()
}

/// Types in which two values are equal only when they are the same to the byte: bool, bytea, "char", name, the
/// integers, oid, date, time, the timestamps, uuid; text and varchar unless the collation is loose. Not numeric
/// (`1.0 = 1.00`), float (`-0 = 0`), interval (24 hours are a day), jsonb (it holds numerics), character (blanks).
pub(super) fn digest(column: &corridor_pg::catalog::Column) -> Digest {
    const EXACT: [u32; 13] = [16, 17, 18, 19, 20, 21, 23, 26, 1082, 1083, 1114, 1184, 2950];
    const TEXTS: [u32; 2] = [25, 1043];
    let oid = column.type_oid.0;
    let is_exact = EXACT.contains(&oid) || (TEXTS.contains(&oid) && column.is_collation_deterministic);
    if is_exact { Digest::Native } else { Digest::Text }
}
