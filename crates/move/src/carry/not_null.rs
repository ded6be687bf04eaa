//! Not-null constraints; from PostgreSQL 18 on they have names and may be `not valid`.

use super::{Carried, Carry};
use crate::fault::DEFINITION_NOT_CARRIED;

/// Adds `not null` behind the columns that have it, with the constraint's name where there is one.
pub fn carry(carry: &Carry<'_>, out: &mut Carried) {
    for column in carry.table.columns.iter() {
        let Some(constraint) = &column.not_null_constraint else {
            if column.is_not_null {
                out.column(&column.name, "not null".to_owned());
            }
            continue;
        };
        if !constraint.is_validated {
            out.refuse(
                &DEFINITION_NOT_CARRIED,
                format!("column {}: {} is not validated", column.name, constraint.name),
            );
            continue;
        }
        // A partitioned table passes everything on to its partitions, and has nobody else to pass it on to.
        let is_no_inherit = constraint.is_no_inherit && !carry.shape.is_partitioned();
        let tail = if is_no_inherit { " no inherit" } else { "" };
        out.column(
            &column.name,
            format!("constraint {} not null{tail}", constraint.name),
        );
    }
}

#[cfg(test)]
mod tests {
    use corridor_pg::Ident;
    use corridor_pg::catalog::NotNull;

    use super::*;
    use crate::carry::sample;

    #[test]
    fn a_named_not_null_keeps_its_name_and_an_unvalidated_one_refuses() {
        let mut table = sample::table("persons");
        let named = NotNull {
            name: Ident::new("id there").unwrap(),
            is_validated: true,
            is_inherited: false,
            is_no_inherit: true,
            comment: None,
        };
        table.columns[0].not_null_constraint = Some(named.clone());
        let out = sample::carried(&table, carry);
        assert_eq!(out.column_clauses[0].1, "constraint \"id there\" not null");
        assert_eq!(out.column_clauses[1].1, "not null");
        table.columns[0].not_null_constraint = Some(NotNull {
            is_validated: false,
            ..named
        });
        assert_eq!(sample::carried(&table, carry).refusals[0].code, "MOV-048");
    }
}
