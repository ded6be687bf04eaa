//! Extended statistics. They are made with the indexes, so that they are filled before the swap.

use corridor_pg::catalog::ExtendedStatistics;
use corridor_pg::{Ident, Literal, QualifiedName};

use super::definition::find_outside;
use super::{Carried, Carry};
use crate::fault::EXTENDED_STATISTICS;
use crate::names::RETIRED_SCHEMA;
use crate::plan::Step;

/// Makes all of them on the target, and lets names change hands in the swap.
pub fn carry(carry: &Carry<'_>, out: &mut Carried) {
    for statistics in &carry.table.statistics {
        let Some(names) = carry.names.statistics(statistics.oid) else {
            continue;
        };
        let new = statistics.name.sibling(names.new.clone());
        let Some(create) = create(statistics, &new, &carry.names.target) else {
            out.refuse(
                &EXTENDED_STATISTICS,
                format!("{}: {}", statistics.name, statistics.definition),
            );
            continue;
        };
        let mut push = |what: &str, sql: String| {
            out.index
                .push(Step::new(format!("{what} {}", statistics.name), sql));
        };
        push("extended statistics", create);
        if let Some(target) = statistics.target {
            push(
                "statistics target of",
                format!("alter statistics {new} set statistics {target}"),
            );
        }
        if let Some(comment) = &statistics.comment {
            let comment = Literal(comment);
            push("comment on", format!("comment on statistics {new} is {comment}"));
        }
        if &statistics.owner != carry.role {
            push(
                "owner of",
                format!("alter statistics {new} owner to {}", statistics.owner),
            );
        }
        let rename = |from: &Ident, to: &Ident| {
            let object = statistics.name.sibling(from.clone());
            Step::new(
                format!("statistics {from} becomes {to}"),
                format!("alter statistics {object} rename to {to}"),
            )
            .brief([])
        };
        let old = statistics.name.sibling(names.old.clone());
        out.retire.push(Step::new(
            format!("statistics {} of the retired table", statistics.name),
            format!("alter statistics {old} set schema {RETIRED_SCHEMA}"),
        ));
        out.forward.aside.push(rename(&names.lasting, &names.old));
        out.forward.arrive.push(rename(&names.new, &names.lasting));
        out.back.aside.push(rename(&names.lasting, &names.new));
        out.back.arrive.push(rename(&names.old, &names.lasting));
    }
}

/// `CREATE STATISTICS app.s (ndistinct) ON a, b FROM app.t` with another name, on another table.
fn create(statistics: &ExtendedStatistics, new: &QualifiedName, target: &QualifiedName) -> Option<String> {
    let definition = &statistics.definition;
    let rest = definition.strip_prefix(&format!("CREATE STATISTICS {}", statistics.name))?;
    // Expressions are in parentheses, so the first `FROM` outside of them is the clause.
    let from = find_outside(rest, " FROM ")?;
    Some(format!("create statistics {new}{} FROM {target}", &rest[..from]))
}

#[cfg(test)]
mod tests {
    use corridor_pg::Oid;

    use super::*;
    use crate::carry::sample;

    #[test]
    fn they_are_made_on_the_target_and_renamed_in_the_swap() {
        let mut table = sample::table("persons");
        table.statistics.push(ExtendedStatistics {
            oid: Oid(77),
            name: sample::public("a FROM b"),
            definition: "CREATE STATISTICS public.\"a FROM b\" (mcv) ON id, (lower(name) || ' FROM '::text) FROM public.persons".into(),
            target: Some(9),
            owner: sample::id("boss"),
            comment: None,
        });
        let out = sample::carried(&table, carry);
        assert_eq!(
            out.index[0].sql,
            "create statistics public.\"a FROM b__c_new_t\" (mcv) ON id, (lower(name) || ' FROM '::text) FROM public.persons__c_new_t"
        );
        assert_eq!(
            out.index[1].sql,
            "alter statistics public.\"a FROM b__c_new_t\" set statistics 9"
        );
        assert_eq!(
            out.retire[0].sql,
            "alter statistics public.\"a FROM b__c_old_t\" set schema corridor_retired"
        );
        assert_eq!(
            out.back.arrive[0].sql,
            "alter statistics public.\"a FROM b__c_old_t\" rename to \"a FROM b\""
        );
    }
}
