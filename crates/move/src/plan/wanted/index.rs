//! Indexes of the new table: those of the file, and those of the old table that hold over its columns.

use corridor_pg::Ident;
use corridor_pg::catalog::{Index, Table};

use super::Remarks;
use super::blend::{Columns, lasting_name};
use crate::carry::definition::index_tail;
use crate::preflight::Reading;

/// The indexes, the primary key's first; and for each of the old table's whether it is among them.
pub(super) fn blend(
    source: &Table,
    reading: &Reading,
    columns: &Columns<'_>,
    remarks: &mut Remarks,
) -> Vec<Index> {
    let mut all: Vec<Index> = Vec::new();
    for index in &reading.table.indexes {
        let mut index = index.clone();
        index.name = lasting_name(&index.name, &reading.table, source);
        match source.indexes.iter().find(|old| is_same(old, &index)) {
            Some(old) => take_over(old, &mut index),
            None => remarks.note(format!("index {} is new", index.name)),
        }
        all.push(index);
    }
    for old in &source.indexes {
        let is_replaced = all.iter().any(|index| index.name == old.name);
        if is_replaced {
            continue;
        }
        match obstacle(old, reading, columns) {
            Some(why) => remarks.note(format!("index {} is not carried: {why}", old.name)),
            None => all.push(old.clone()),
        }
    }
    all.sort_by_key(|index| !index.is_primary);
    all
}

/// The file's index stands for this one of the old table.
fn is_same(old: &Index, new: &Index) -> bool {
    let is_alike = || {
        let kind = |i: &Index| (i.is_unique, i.is_exclusion, i.constraint_oid.is_some());
        kind(old) == kind(new) && index_tail(&old.definition) == index_tail(&new.definition)
    };
    (old.is_primary && new.is_primary) || old.name == new.name || is_alike()
}

/// What a file cannot say, or does not.
fn take_over(old: &Index, new: &mut Index) {
    new.name = old.name.clone();
    new.constraint_name = new.constraint_name.as_ref().map(|_| old.name.clone());
    new.comment = old.comment.clone();
    new.is_clustered = old.is_clustered;
    new.is_replica_identity = old.is_replica_identity;
    new.tablespace = new.tablespace.take().or_else(|| old.tablespace.clone());
    if new.options.is_empty() {
        new.options = old.options.clone();
    }
    for column in &mut new.columns {
        let twin = old.columns.iter().find(|c| c.definition == column.definition);
        column.statistics_target = twin.and_then(|c| c.statistics_target);
    }
}

fn obstacle(old: &Index, reading: &Reading, columns: &Columns<'_>) -> Option<String> {
    let of_index: Vec<&Ident> = old.columns.iter().filter_map(|c| c.column.as_ref()).collect();
    if let Some(gone) = of_index.iter().find(|name| columns.is_gone(name)) {
        return Some(format!("{gone} goes"));
    }
    if old.is_primary && reading.table.indexes.iter().any(|i| i.is_primary) {
        return Some("the file has another primary key".into());
    }
    if let Some((_, words)) = reading.unheld.iter().find(|(name, _)| name == &old.name) {
        return Some(words.clone());
    }
    let changed = of_index.iter().find(|name| columns.is_changed(name));
    match (changed, reading.has_indexes) {
        (Some(changed), true) => Some(format!(
            "{changed} changes its type, and the file has indexes of its own"
        )),
        _ => None,
    }
}
