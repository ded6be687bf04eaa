//! Rewrite rules. The old table's are switched off in the swap, because the reverse mirror writes to it and must write
//! what it says; the new table's are made in the swap, because the copy must, too.

use corridor_pg::Literal;
use corridor_pg::catalog::{Rule, TriggerEnabled};

use super::{Carried, Carry};
use crate::plan::{LockMode, Step};

/// Moves every rule with its enabled state, forth and back.
pub fn carry(carry: &Carry<'_>, out: &mut Carried) {
    let table = &carry.names.source;
    for rule in &carry.table.rules {
        let name = &rule.name;
        if rule.enabled != TriggerEnabled::Disabled {
            out.forward
                .detach
                .push(state(carry, rule, TriggerEnabled::Disabled));
            out.back.attach.push(state(carry, rule, rule.enabled));
        }
        let create = Step::new(format!("rule {name}"), rule.definition.clone());
        out.forward
            .attach
            .push(create.brief([(table, LockMode::AccessExclusive)]));
        if rule.enabled != TriggerEnabled::Origin {
            out.forward.attach.push(state(carry, rule, rule.enabled));
        }
        if let Some(comment) = &rule.comment {
            let sql = format!("comment on rule {name} on {table} is {}", Literal(comment));
            let step = Step::new(format!("comment on rule {name}"), sql);
            out.forward.finish.push(step.brief([]));
        }
        out.retire.push(Step::new(
            format!("rule {name} of the retired table"),
            format!("drop rule {name} on {}", carry.names.parked),
        ));
    }
}

fn state(carry: &Carry<'_>, rule: &Rule, state: TriggerEnabled) -> Step {
    let table = &carry.names.source;
    let word = match state {
        TriggerEnabled::Origin => "enable",
        TriggerEnabled::Disabled => "disable",
        TriggerEnabled::Replica => "enable replica",
        TriggerEnabled::Always => "enable always",
    };
    Step::new(
        format!("rule {}: {word}", rule.name),
        format!("alter table {table} {word} rule {}", rule.name),
    )
    .brief([(table, LockMode::AccessExclusive)])
}

#[cfg(test)]
mod tests {
    use corridor_pg::Oid;

    use super::*;
    use crate::carry::sample;

    #[test]
    fn the_old_tables_rule_is_switched_off_while_the_mirror_writes_to_it() {
        let mut table = sample::table("persons");
        table.rules.push(Rule {
            oid: Oid(1),
            name: sample::id("keep"),
            definition: "CREATE RULE keep AS\n    ON DELETE TO public.persons DO INSTEAD NOTHING".into(),
            enabled: TriggerEnabled::Always,
            comment: None,
        });
        let out = sample::carried(&table, carry);
        let sql = |steps: &[Step]| steps.iter().map(|s| s.sql.clone()).collect::<Vec<_>>();
        assert_eq!(
            sql(&out.forward.detach),
            ["alter table public.persons disable rule keep"]
        );
        assert_eq!(
            sql(&out.forward.attach)[1],
            "alter table public.persons enable always rule keep"
        );
        assert_eq!(
            sql(&out.back.attach),
            ["alter table public.persons enable always rule keep"]
        );
        assert_eq!(sql(&out.retire), ["drop rule keep on public.persons__c_old_t"]);
    }
}
