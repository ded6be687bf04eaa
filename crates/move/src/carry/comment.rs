//! Comments on the table, its columns, indexes, constraints, triggers and identity sequences.

use corridor_pg::catalog::{ConstraintKind, SequenceLink};
use corridor_pg::{Ident, Literal, QualifiedName};

use super::foreign_key::{is_back_by_partition, is_by_partition};
use super::{Carried, Carry};
use crate::plan::Step;

/// Adds every comment where the object that it is about exists.
pub fn carry(carry: &Carry<'_>, out: &mut Carried) {
    let table = carry.table;
    let target = &carry.names.target;
    if let Some(text) = &table.comment {
        out.create
            .push(step(format!("{} {target}", carry.kind_word()), text));
    }
    for column in &table.columns {
        if let Some(text) = &column.comment {
            out.create
                .push(step(format!("column {target}.{}", column.name), text));
        }
        if let Some((constraint, text)) = column
            .not_null_constraint
            .as_ref()
            .and_then(|n| Some((n, n.comment.as_ref()?)))
        {
            match constraint.is_validated {
                true => out
                    .create
                    .push(step(format!("constraint {} on {target}", constraint.name), text)),
                false => out.forward.finish.push(step(
                    format!("constraint {} on {}", constraint.name, table.name),
                    text,
                )),
            }
        }
    }
    for sequence in table
        .sequences
        .iter()
        .filter(|s| s.link == SequenceLink::Identity)
    {
        if let (Some(text), Some(names)) = (&sequence.comment, carry.names.sequence(sequence.oid)) {
            out.create.push(step(
                format!("sequence {}", carry.names.sibling(&names.new)),
                text,
            ));
        }
    }
    for index in &table.indexes {
        if let (Some(text), Some(names)) = (&index.comment, carry.names.index(index.oid)) {
            out.index.push(step(
                format!("index {}", carry.names.sibling(&names.own.new)),
                text,
            ));
        }
    }
    constraints(carry, out);
    for trigger in &table.triggers {
        if let Some(text) = &trigger.comment {
            out.forward
                .finish
                .push(step(format!("trigger {} on {}", trigger.name, table.name), text));
        }
    }
}

fn constraints(carry: &Carry<'_>, out: &mut Carried) {
    let table = carry.table;
    let on = |name: &Ident, relation: &QualifiedName| format!("constraint {name} on {relation}");
    for constraint in &table.constraints {
        let Some(text) = &constraint.comment else {
            continue;
        };
        match constraint.kind {
            ConstraintKind::PrimaryKey | ConstraintKind::Unique | ConstraintKind::Exclusion => {
                if let Some(names) = constraint.index_oid.and_then(|oid| carry.names.index(oid)) {
                    out.index
                        .push(step(on(&names.own.new, &carry.names.target), text));
                }
            }
            ConstraintKind::Check if constraint.is_validated || !constraint.is_enforced => {
                out.create
                    .push(step(on(&constraint.name, &carry.names.target), text));
            }
            ConstraintKind::Check => out
                .forward
                .finish
                .push(step(on(&constraint.name, &table.name), text)),
            ConstraintKind::ForeignKey => {
                let step = step(on(&constraint.name, &table.name), text);
                match is_by_partition(carry) {
                    true => out.settle.push(step.clone()),
                    false => out.forward.finish.push(step.clone()),
                }
                match is_back_by_partition(carry) {
                    true => out.settle_back.push(step),
                    false => out.back.finish.push(step),
                }
            }
        }
    }
    for key in &table.incoming {
        if let Some(text) = &key.comment {
            let step = step(on(&key.name, &key.table), text);
            out.forward.finish.push(step.clone());
            out.back.finish.push(step);
        }
    }
}

fn step(object: String, text: &str) -> Step {
    Step::new(
        format!("comment on {object}"),
        format!("comment on {object} is {}", Literal(text)),
    )
    .brief([])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::carry::sample;

    #[test]
    fn comments_stand_where_their_objects_are_made() {
        let mut table = sample::table("persons");
        table.comment = Some("it's \\ all".into());
        table.columns[2].comment = Some("full name".into());
        table.indexes[0].comment = Some("by id".into());
        table.constraints.push(sample::check("c", "CHECK (true)"));
        table.constraints[0].comment = Some("always".into());
        let out = sample::carried(&table, carry);
        let created: Vec<_> = out.create.iter().map(|s| s.sql.as_str()).collect();
        assert_eq!(
            created,
            [
                "comment on table public.persons__c_new_t is E'it''s \\\\ all'",
                "comment on column public.persons__c_new_t.name is 'full name'",
                "comment on constraint c on public.persons__c_new_t is 'always'",
            ]
        );
        assert_eq!(
            out.index[0].sql,
            "comment on index public.persons_pkey__c_new_t is 'by id'"
        );
    }

    #[test]
    fn a_foreign_key_is_commented_again_wherever_it_is_made_again() {
        let mut table = sample::table("persons");
        let mut key = sample::check("fk", "FOREIGN KEY (team_id) REFERENCES public.teams(id)");
        key.kind = ConstraintKind::ForeignKey;
        key.comment = Some("team".into());
        table.constraints.push(key);
        let out = sample::carried(&table, carry);
        assert_eq!(
            (out.settle.len(), out.forward.finish.len(), out.back.finish.len()),
            (1, 0, 1)
        );
        let out = sample::carried_as(&table, &sample::shape(), 18, carry);
        assert_eq!(
            (out.settle.len(), out.forward.finish.len(), out.back.finish.len()),
            (0, 1, 1)
        );
    }
}
