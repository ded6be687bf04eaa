//! Triggers that people made. The old table's are switched off in the swap, because the reverse mirror writes to it
//! and must not set off anything; the new table's are made in the swap, because the copy must not either.

use corridor_pg::catalog::{Trigger, TriggerEnabled};
use corridor_pg::{Ident, QualifiedName};

use super::{Carried, Carry};
use crate::fault::TRIGGER_NOT_CARRIED;
use crate::plan::{LockMode, Step};

/// Moves every trigger with its enabled state, forth and back.
pub fn carry(carry: &Carry<'_>, out: &mut Carried) {
    let is_partitioned = carry.is_partitioned();
    for trigger in &carry.table.triggers {
        if trigger.name.as_str().starts_with("corridor_") {
            // Ours; a table that has any is refused before (`MOV-019`).
            continue;
        }
        if is_partitioned && trigger.is_for_each_row && trigger.has_transition_tables {
            out.refuse(
                &TRIGGER_NOT_CARRIED,
                format!("trigger {} ({})", trigger.name, trigger.definition),
            );
            continue;
        }
        carry_one(carry, trigger, out);
        let name = &trigger.name;
        out.retire.push(Step::new(
            format!("trigger {name} of the retired table"),
            format!("drop trigger {name} on {}", carry.names.parked),
        ));
    }
    let row: Vec<&Ident> = carry
        .table
        .triggers
        .iter()
        .filter(|t| t.is_for_each_row)
        .map(|t| &t.name)
        .collect();
    if is_partitioned && !carry.is_source_partitioned() && !row.is_empty() {
        out.warnings.push(format!(
            "row triggers ({}) fire on the partition: TG_TABLE_NAME and TG_RELID are the partition's, not the table's",
            corridor_pg::ident::join(row, ", ")
        ));
    }
}

fn carry_one(carry: &Carry<'_>, trigger: &Trigger, out: &mut Carried) {
    let table = &carry.names.source;
    let name = &trigger.name;
    let locks = [(table, LockMode::ShareRowExclusive)];
    if trigger.enabled != TriggerEnabled::Disabled {
        out.forward.detach.push(
            Step::new(
                format!("trigger {name} of the old table"),
                format!("alter table {table} disable trigger {name}"),
            )
            .brief(locks),
        );
        out.back.attach.push(state_step(table, trigger, trigger.enabled));
    }
    let create = Step::new(format!("trigger {name}"), trigger.definition.clone());
    out.forward.attach.push(create.brief(locks));
    if trigger.enabled != TriggerEnabled::Origin {
        out.forward
            .attach
            .push(state_step(table, trigger, trigger.enabled));
    }
    out.back.detach.push(
        Step::new(
            format!("trigger {name} of the new table"),
            format!("drop trigger {name} on {table}"),
        )
        .brief([(table, LockMode::AccessExclusive)]),
    );
}

/// Sets a trigger's state. On a partitioned table it reaches the partitions' copies.
pub(super) fn state_step(table: &QualifiedName, trigger: &Trigger, state: TriggerEnabled) -> Step {
    let word = match state {
        TriggerEnabled::Origin => "enable",
        TriggerEnabled::Disabled => "disable",
        TriggerEnabled::Replica => "enable replica",
        TriggerEnabled::Always => "enable always",
    };
    Step::new(
        format!("trigger {} as before", trigger.name),
        format!("alter table {table} {word} trigger {}", trigger.name),
    )
    .brief([(table, LockMode::ShareRowExclusive)])
}

#[cfg(test)]
mod tests {
    use corridor_pg::Oid;

    use super::*;
    use crate::carry::sample;
    use crate::shape::Shape;

    fn trigger(enabled: TriggerEnabled) -> Trigger {
        Trigger {
            oid: Oid(500),
            name: sample::id("touch"),
            definition:
                "CREATE TRIGGER touch BEFORE UPDATE ON public.persons FOR EACH ROW EXECUTE FUNCTION f()"
                    .into(),
            enabled,
            is_inherited: false,
            function_oid: Oid(501),
            function: sample::public("f"),
            is_for_each_row: true,
            is_before: true,
            is_constraint: false,
            has_transition_tables: false,
            comment: None,
        }
    }

    #[test]
    fn the_enabled_state_goes_forth_and_comes_back() {
        let mut table = sample::table("persons");
        table.triggers.push(trigger(TriggerEnabled::Always));
        let out = sample::carried(&table, carry);
        assert_eq!(
            out.forward.detach[0].sql,
            "alter table public.persons disable trigger touch"
        );
        assert_eq!(
            out.forward.attach[1].sql,
            "alter table public.persons enable always trigger touch"
        );
        assert_eq!(out.back.detach[0].sql, "drop trigger touch on public.persons");
        assert_eq!(
            out.back.attach[0].sql,
            "alter table public.persons enable always trigger touch"
        );
        assert!(out.warnings[0].contains("TG_TABLE_NAME"));
    }

    #[test]
    fn a_disabled_trigger_stays_disabled_on_both_sides() {
        let mut table = sample::table("persons");
        table.triggers.push(trigger(TriggerEnabled::Disabled));
        let out = sample::carried(&table, carry);
        assert_eq!(out.forward.detach, []);
        assert_eq!(
            out.forward.attach[1].sql,
            "alter table public.persons disable trigger touch"
        );
        assert_eq!(out.back.attach, []);
    }

    #[test]
    fn row_triggers_with_transition_tables_refuse_only_where_postgresql_does() {
        let mut table = sample::table("persons");
        table.triggers.push(trigger(TriggerEnabled::Origin));
        table.triggers[0].has_transition_tables = true;
        assert_eq!(sample::carried(&table, carry).refusals[0].code, "MOV-041");
        assert_eq!(sample::carried_as(&table, &Shape::Same, 15, carry).refusals, []);
    }
}
