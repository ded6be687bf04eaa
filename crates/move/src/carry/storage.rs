//! How columns are stored and sampled: storage, compression, statistics targets, `n_distinct`.

use super::definition::parameters;
use super::{Carried, Carry};
use crate::plan::Step;

/// Adds collation and compression behind columns, and steps for what `create table` cannot say.
pub fn carry(carry: &Carry<'_>, out: &mut Carried) {
    let target = &carry.names.target;
    for column in &carry.table.columns {
        let name = &column.name;
        if let (true, Some(collation)) = (column.is_collation_explicit, &column.collation) {
            out.column(name, format!("collate {collation}"));
        }
        match column.compression.as_deref() {
            Some("p") => out.column(name, "compression pglz".to_owned()),
            Some("l") => out.column(name, "compression lz4".to_owned()),
            _ => {}
        }
        if let Some(storage) = column.storage.as_deref().and_then(storage_word) {
            // Before there are partitions: they inherit it. (`storage` inside of `create table` came with 16.)
            out.create_parent.push(Step::new(
                format!("storage of {name}"),
                format!("alter table {target} alter column {name} set storage {storage}"),
            ));
        }
        if let Some(statistics) = column.statistics_target {
            // With partitions: they do not inherit it, but the statement reaches them.
            out.create.push(Step::new(
                format!("statistics target of {name}"),
                format!("alter table {target} alter column {name} set statistics {statistics}"),
            ));
        }
        if !column.options.is_empty() {
            let options = parameters(&column.options, "").join(", ");
            out.create.push(Step::new(
                format!("options of {name}"),
                format!("alter table {target} alter column {name} set ({options})"),
            ));
        }
    }
}

fn storage_word(letter: &str) -> Option<&'static str> {
    match letter {
        "p" => Some("plain"),
        "e" => Some("external"),
        "m" => Some("main"),
        "x" => Some("extended"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::carry::sample;

    #[test]
    fn storage_comes_before_partitions_and_statistics_after_them() {
        let mut table = sample::table("persons");
        let column = &mut table.columns[2];
        column.storage = Some("e".into());
        column.compression = Some("l".into());
        column.statistics_target = Some(500);
        column.options = vec!["n_distinct=-0.5".into()];
        let out = sample::carried(&table, carry);
        assert_eq!(out.column_clauses[0].1, "compression lz4");
        assert_eq!(
            out.create_parent[0].sql,
            "alter table public.persons__c_new_t alter column name set storage external"
        );
        assert!(out.create[0].sql.ends_with("set statistics 500"));
        assert!(out.create[1].sql.ends_with("set (n_distinct = '-0.5')"));
    }
}
