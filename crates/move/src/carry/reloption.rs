//! Where and how rows are stored: access method, storage parameters of table and TOAST table, tablespace.

use super::definition::parameters;
use super::{Carried, Carry};
use crate::shape::Shape;

/// Adds `using … with (…) tablespace …` to the relations that store rows: the partitions, or the plain target.
pub fn carry(carry: &Carry<'_>, out: &mut Carried) {
    let table = carry.table;
    let mut clause = String::new();
    if let Some(method) = &table.access_method {
        clause.push_str(&format!(" using {method}"));
        if *carry.shape == Shape::Same && carry.is_partitioned() {
            // It was said of the table (PostgreSQL 17), for partitions that are made later.
            out.parent_clause = clause.clone();
        }
    }
    let mut options = parameters(&table.options, "");
    options.extend(parameters(&table.toast_options, "toast."));
    if !options.is_empty() {
        clause.push_str(&format!(" with ({})", options.join(", ")));
    }
    if let Some(tablespace) = &table.tablespace {
        clause.push_str(&format!(" tablespace {tablespace}"));
        if carry.is_partitioned() {
            // For partitions that are made later.
            out.parent_clause.push_str(&format!(" tablespace {tablespace}"));
        }
    }
    out.storage_clause = clause;
}

#[cfg(test)]
mod tests {
    use corridor_pg::Ident;

    use super::*;
    use crate::carry::sample;

    #[test]
    fn parameters_of_table_and_toast_stand_in_one_clause() {
        let mut table = sample::table("persons");
        table.options = vec!["fillfactor=70".into()];
        table.toast_options = vec!["autovacuum_enabled=false".into()];
        table.tablespace = Some(Ident::new("fast").unwrap());
        let out = sample::carried(&table, carry);
        assert_eq!(
            out.storage_clause,
            " using heap with (fillfactor = '70', toast.autovacuum_enabled = 'false') tablespace fast"
        );
        assert_eq!(out.parent_clause, " tablespace fast");
    }
}
