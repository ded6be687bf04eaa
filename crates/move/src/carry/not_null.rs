//! Not-null constraints; from PostgreSQL 18 on they have names and may be `not valid`. One that is not validated comes in
//! the swap, as such a check does: rows that are there may violate it, and the copy must be able to take them.

use corridor_pg::Ident;
use corridor_pg::catalog::NotNull;

use super::{Carried, Carry};
use crate::plan::{LockMode, Step};

/// Adds `not null` behind the columns that have it, with the constraint's name where there is one.
pub fn carry(carry: &Carry<'_>, out: &mut Carried) {
    for column in carry.table.columns.iter() {
        let Some(constraint) = &column.not_null_constraint else {
            if column.is_not_null {
                out.column(&column.name, "not null".to_owned());
            }
            continue;
        };
        // A partitioned table passes everything on to its partitions, and has nobody else to pass it on to.
        let is_no_inherit = constraint.is_no_inherit && !carry.is_partitioned();
        let tail = if is_no_inherit { " no inherit" } else { "" };
        if !constraint.is_validated {
            later(carry, &column.name, constraint, tail, out);
            continue;
        }
        out.column(
            &column.name,
            format!("constraint {} not null{tail}", constraint.name),
        );
    }
}

fn later(carry: &Carry<'_>, column: &Ident, constraint: &NotNull, tail: &str, out: &mut Carried) {
    let table = &carry.names.source;
    let name = &constraint.name;
    let locks = [(table, LockMode::AccessExclusive)];
    out.forward.attach.push(
        Step::new(
            format!("not null {name}, not validated as before"),
            format!("alter table {table} add constraint {name} not null {column}{tail} not valid"),
        )
        .brief(locks),
    );
    out.back.detach.push(
        Step::new(
            format!("not null {name} of the new table"),
            format!("alter table {table} drop constraint {name}"),
        )
        .brief(locks),
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::carry::sample;

    #[test]
    fn a_named_not_null_keeps_its_name_and_an_unvalidated_one_comes_in_the_swap() {
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
        let out = sample::carried_as(&table, &crate::shape::Shape::Same, 18, carry);
        assert_eq!(
            out.forward.attach[0].sql,
            "alter table public.persons add constraint \"id there\" not null id no inherit not valid"
        );
        assert_eq!(
            out.back.detach[0].sql,
            "alter table public.persons drop constraint \"id there\""
        );
    }
}
