//! Check constraints. They bind the target from the start, save those that are not validated: rows that are there may
//! violate them, and the copy must be able to take those rows.

use corridor_pg::catalog::ConstraintKind;

use super::{Carried, Carry};
use crate::plan::{LockMode, Step};

/// Adds checks to `create table`, and those that are not validated to the swap.
pub fn carry(carry: &Carry<'_>, out: &mut Carried) {
    let checks = carry
        .table
        .constraints
        .iter()
        .filter(|c| c.kind == ConstraintKind::Check);
    for check in checks {
        let name = &check.name;
        let definition = match check.is_no_inherit && carry.is_partitioned() {
            // A partitioned table cannot have such a constraint; without other children it says nothing anyway.
            true => check.definition.replacen(" NO INHERIT", "", 1),
            false => check.definition.clone(),
        };
        if check.is_validated || !check.is_enforced {
            out.table_clauses.push(format!("constraint {name} {definition}"));
            continue;
        }
        let table = &carry.names.source;
        let locks = [(table, LockMode::AccessExclusive)];
        out.forward.attach.push(
            Step::new(
                format!("check {name}, not validated as before"),
                format!("alter table {table} add constraint {name} {definition}"),
            )
            .brief(locks),
        );
        out.back.detach.push(
            Step::new(
                format!("check {name} of the new table"),
                format!("alter table {table} drop constraint {name}"),
            )
            .brief(locks),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::carry::sample;

    #[test]
    fn a_check_that_is_not_validated_waits_for_the_swap() {
        let mut table = sample::table("persons");
        table
            .constraints
            .push(sample::check("valid", "CHECK ((id > 0)) NO INHERIT"));
        let mut late = sample::check("late", "CHECK ((id < 9)) NOT VALID");
        late.is_validated = false;
        table.constraints.push(late);
        table.constraints[0].is_no_inherit = true;
        let out = sample::carried(&table, carry);
        assert_eq!(out.table_clauses, ["constraint valid CHECK ((id > 0))"]);
        assert_eq!(
            out.forward.attach[0].sql,
            "alter table public.persons add constraint late CHECK ((id < 9)) NOT VALID"
        );
        assert_eq!(
            out.back.detach[0].sql,
            "alter table public.persons drop constraint late"
        );
    }
}
