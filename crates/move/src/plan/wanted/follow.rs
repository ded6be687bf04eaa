//! What should follow when a column is widened: columns that refer to it, sequences, functions. The move does not touch
//! other tables; it says what comes next.

use corridor_pg::catalog::{SequenceLink, Table};
use corridor_pg::ident::join;

use super::Remarks;
use crate::preflight::Reading;

pub(super) fn say(source: &Table, reading: &Reading, table: &Table, remarks: &mut Remarks) {
    let is_changed = |name| match (source.column(name), table.column(name)) {
        (Some(old), Some(new)) => (old.type_sql != new.type_sql).then_some(new),
        _ => None,
    };
    let mut has_followers = false;
    for referencing in &reading.referencing {
        let Some(new) = is_changed(&referencing.referenced) else {
            continue;
        };
        if referencing.type_sql == new.type_sql {
            continue;
        }
        has_followers = true;
        remarks.note(format!(
            "{}.{} is {} and refers to {}, which becomes {}: the foreign key holds, but values that {} cannot hold can \
             not be referred to. Next: corridor move {} --to FILE, with {} {}",
            referencing.table,
            referencing.column,
            referencing.type_sql,
            referencing.referenced,
            new.type_sql,
            referencing.type_sql,
            referencing.table,
            referencing.column,
            new.type_sql
        ));
    }
    for sequence in &table.sequences {
        let Some(new) = is_changed(&sequence.column) else {
            continue;
        };
        has_followers = true;
        if sequence.type_sql == new.base_type_sql {
            continue;
        }
        remarks.note(match sequence.link {
            SequenceLink::Default => format!(
                "sequence {} is {}, and belongs to nobody or to another table. Next: alter sequence {} as {}",
                sequence.name, sequence.type_sql, sequence.name, new.base_type_sql
            ),
            _ => format!(
                "sequence {} becomes {} in the swap, as its column does",
                sequence.name, new.base_type_sql
            ),
        });
    }
    if has_followers && !reading.functions.is_empty() {
        remarks.note(format!(
            "these functions name the table and an integer; look whether they hold the column's values in one: {}",
            join(&reading.functions, ", ")
        ));
    }
}
