//! Defaults. They stand in the target from the start: a sequence that a default draws from is shared by both tables.

use super::{Carried, Carry};

/// Adds `default …` behind the columns that have one. Identity and generated columns have files of their own.
pub fn carry(carry: &Carry<'_>, out: &mut Carried) {
    for column in &carry.table.columns {
        if let Some(sql) = &column.default_sql {
            out.column(&column.name, format!("default {sql}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::carry::sample;

    #[test]
    fn a_default_stands_behind_its_column() {
        let mut table = sample::table("persons");
        table.columns[1].default_sql = Some("nextval('public.teams_seq'::regclass)".into());
        let out = sample::carried(&table, carry);
        let expected = (
            table.columns[1].name.clone(),
            "default nextval('public.teams_seq'::regclass)".to_owned(),
        );
        assert_eq!(out.column_clauses, [expected]);
    }
}
