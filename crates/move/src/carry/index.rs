//! Indexes that are not unique, and what all indexes share: how one is built on the target, and how its name changes
//! hands.
//!
//! They are built after the copy. On a partitioned target each partition is a build of its own, so that no statement
//! runs longer than one partition takes, and the parent's index becomes valid when the last one is attached.

use corridor_pg::catalog::Index;
use corridor_pg::{Ident, QualifiedName};

use super::definition::{index_tail, with_tablespace};
use super::{Carried, Carry};
use crate::fault::INDEX_NOT_CARRIED;
use crate::names::IndexNames;
use crate::plan::{LockMode, Step};

/// Builds the indexes that are not unique, and renames all of them in the swap.
pub fn carry(carry: &Carry<'_>, out: &mut Carried) {
    for index in &carry.table.indexes {
        let Some(names) = carry.names.index(index.oid) else {
            continue;
        };
        if !index.is_valid {
            out.refuse(&INDEX_NOT_CARRIED, format!("index {} is invalid", index.name));
            continue;
        }
        if !index.is_unique && !index.is_exclusion {
            match index_tail(&index.definition) {
                Some(tail) => build(carry, index, names, tail, out),
                None => out.refuse(
                    &INDEX_NOT_CARRIED,
                    format!("index {}: {}", index.name, index.definition),
                ),
            }
        }
        rename_steps(carry, names, out);
    }
    // After all are there: `cluster on` remembers one of them.
    for index in carry.table.indexes.iter().filter(|i| i.is_clustered) {
        let Some(names) = carry.names.index(index.oid) else {
            continue;
        };
        match carry.is_partitioned() {
            true => out.warnings.push(format!(
                "the table is marked to be clustered on {}; partitions are not marked",
                index.name
            )),
            false => out.index.push(Step::new(
                format!("clustered on {}", index.name),
                format!("alter table {} cluster on {}", carry.names.target, names.own.new),
            )),
        }
    }
}

/// Adds the steps that build an index which no constraint owns. `tail` is the definition from `using` on.
pub(super) fn build(carry: &Carry<'_>, index: &Index, names: &IndexNames, tail: &str, out: &mut Carried) {
    let unique = if index.is_unique { "unique " } else { "" };
    let tail = with_tablespace(tail, index.tablespace.as_ref());
    let target = &carry.names.target;
    let create = |name: &Ident, table: &QualifiedName, only: &str| {
        format!("create {unique}index {name} on {only}{table} {tail}")
    };
    if !carry.is_partitioned() {
        let step = Step::new(
            format!("index {}", index.name),
            create(&names.own.new, target, ""),
        );
        out.index.push(step.whole_build([(target, LockMode::Share)]));
        push_statistics(carry, index, &names.own.new, out);
        return;
    }
    let step = Step::new(
        format!("index {}", index.name),
        create(&names.own.new, target, "only "),
    );
    out.index.push(step.brief([(target, LockMode::Share)]));
    for (partition, name) in carry.names.partitions.iter().zip(&names.on_partitions) {
        let what = format!("index {} on {}", index.name, partition.name);
        let step = Step::new(what, create(name, partition, ""));
        out.index.push(step.whole_build([(partition, LockMode::Share)]));
        push_statistics(carry, index, name, out);
        out.index.push(attach_step(carry, names, name));
    }
    push_statistics(carry, index, &names.own.new, out);
}

/// Makes a partition's index a part of the parent's.
pub(super) fn attach_step(carry: &Carry<'_>, names: &IndexNames, name: &Ident) -> Step {
    let parent = carry.names.sibling(&names.own.new);
    Step::new(
        format!("index {name} becomes part of {}", names.own.lasting),
        format!(
            "alter index {parent} attach partition {}",
            carry.names.sibling(name)
        ),
    )
    .brief([])
}

fn push_statistics(carry: &Carry<'_>, index: &Index, name: &Ident, out: &mut Carried) {
    for (place, column) in index.columns.iter().enumerate() {
        if let Some(target) = column.statistics_target {
            let name = carry.names.sibling(name);
            let number = place + 1;
            out.index.push(Step::new(
                format!("statistics target of column {number} of {}", name.name),
                format!("alter index {name} alter column {number} set statistics {target}"),
            ));
        }
    }
}

fn rename_steps(carry: &Carry<'_>, names: &IndexNames, out: &mut Carried) {
    let rename = |from: &Ident, to: &Ident| {
        let index = carry.names.sibling(from);
        Step::new(
            format!("index {from} becomes {to}"),
            format!("alter index {index} rename to {to}"),
        )
        .brief([(&index, LockMode::ShareUpdateExclusive)])
    };
    let own = &names.own;
    // An index that is new has nothing to put aside, and one that only the old table has keeps its name with it.
    let has_old = carry.source.indexes.iter().any(|old| old.name == own.lasting);
    if has_old {
        out.forward.aside.push(rename(&own.lasting, &own.old));
    }
    out.forward.arrive.push(rename(&own.new, &own.lasting));
    out.back.aside.push(rename(&own.lasting, &own.new));
    if has_old {
        out.back.arrive.push(rename(&own.old, &own.lasting));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::carry::sample;
    use crate::shape::Shape;

    fn sql(steps: &[Step]) -> Vec<&str> {
        steps.iter().map(|s| s.sql.as_str()).collect()
    }

    #[test]
    fn a_partitioned_index_is_built_piece_by_piece() {
        let mut table = sample::table("persons");
        table.indexes = vec![sample::index(102, "persons_name_idx", &["name"])];
        table.indexes[0].columns[0].statistics_target = Some(7);
        let out = sample::carried(&table, carry);
        assert_eq!(
            sql(&out.index),
            [
                "create index persons_name_idx__c_new_t on only public.persons__c_new_t USING btree (name)",
                "create index persons_name_idx_p0 on public.persons_p0 USING btree (name)",
                "alter index public.persons_name_idx_p0 alter column 1 set statistics 7",
                "alter index public.persons_name_idx__c_new_t attach partition public.persons_name_idx_p0",
                "create index persons_name_idx_p1 on public.persons_p1 USING btree (name)",
                "alter index public.persons_name_idx_p1 alter column 1 set statistics 7",
                "alter index public.persons_name_idx__c_new_t attach partition public.persons_name_idx_p1",
                "alter index public.persons_name_idx__c_new_t alter column 1 set statistics 7",
            ]
        );
        assert_eq!(
            sql(&out.forward.aside),
            ["alter index public.persons_name_idx rename to persons_name_idx__c_old_t"]
        );
        assert_eq!(
            sql(&out.back.aside),
            ["alter index public.persons_name_idx rename to persons_name_idx__c_new_t"]
        );
    }

    #[test]
    fn a_plain_index_is_built_at_once_and_an_invalid_one_refuses() {
        let mut table = sample::table("persons");
        table.indexes = vec![sample::index(102, "persons_name_idx", &["name"])];
        table.indexes[0].is_clustered = true;
        let out = sample::carried_as(&table, &Shape::Same, 15, carry);
        assert_eq!(
            sql(&out.index),
            [
                "create index persons_name_idx__c_new_t on public.persons__c_new_t USING btree (name)",
                "alter table public.persons__c_new_t cluster on persons_name_idx__c_new_t",
            ]
        );
        table.indexes[0].is_valid = false;
        assert_eq!(sample::carried(&table, carry).refusals[0].code, "MOV-045");
    }
}
