//! The partitions of a table that is partitioned already.
//!
//! Into the same shape each of them is carried by itself, as the plain table that it is among others: with its own
//! indexes, grants, options, triggers, comments, checks, foreign keys and views, by the same functions as any other
//! table ([`same`]). What it has from its parent comes with the parent: foreign keys, triggers, the identity. An index
//! that is a part of the parent's is built like one of its own, and then made a part of the new parent's.
//!
//! Into another shape ([`left`]) the old partitions only step aside: what would act on rows that the mirror writes to them
//! (triggers, foreign keys) is switched off, and comes again on the way back. What hangs on single partitions has no
//! place in the new table. It is named, and whoever moves the table must have said that it may go.

use corridor_pg::catalog::{ConstraintKind, Partition, SequenceLink, Table, Trigger};
use corridor_pg::{Ident, Oid, QualifiedName};

use super::{Carried, Carry, carry_all, comment, foreign_key, trigger};
use crate::names::{Books, Names, RETIRED_SCHEMA};
use crate::plan::{LockMode, Step};

/// A partition of the source with the names that it gets.
#[derive(Debug)]
pub struct Part<'a> {
    /// As it was read.
    pub partition: &'a Partition,
    /// What it does not have from its parent.
    pub own: Table,
    /// Its names. `parked` is where it is after the swap.
    pub names: Names,
    /// Its name when it is retired; the schema is another then.
    pub retired: QualifiedName,
    /// Its part of the index that carries the mirror's key.
    key_index: Oid,
}

/// All partitions of the source. Into another shape they keep their names until they are retired.
pub fn parts<'a>(table: &'a Table, key: Oid, books: &mut Books, tag: &str, is_same: bool) -> Vec<Part<'a>> {
    let part = |partition: &'a Partition| {
        let own = own(&partition.table);
        let mut names = Names::assign_in(books, &own, &[], tag);
        let retired = QualifiedName::new(Ident::derived(RETIRED_SCHEMA, ""), names.parked.name.clone());
        if !is_same {
            names.parked = names.source.clone();
        }
        let key_index = own.indexes.iter().find(|i| i.parent_oid == Some(key));
        Part {
            partition,
            key_index: key_index.map_or(Oid(0), |i| i.oid),
            own,
            names,
            retired,
        }
    };
    table.partitions.iter().map(part).collect()
}

/// The partition as a plain table: without what its parent gives it.
fn own(partition: &Table) -> Table {
    let mut own = partition.clone();
    own.is_partition = false;
    own.inheritance.parents.clear();
    own.triggers.retain(|t| !t.is_inherited);
    own.sequences.retain(|s| s.link != SequenceLink::Identity);
    own.constraints.retain(|c| {
        let is_from_parent = !c.is_local && c.kind == ConstraintKind::ForeignKey;
        // The parent's own comes in the swap, and reaches the partitions.
        let comes_later = !c.is_local && !c.is_validated && c.is_enforced;
        !is_from_parent && !comes_later
    });
    for column in &mut own.columns {
        column.identity = None;
        let comes_later = |n: &corridor_pg::catalog::NotNull| n.is_inherited && !n.is_validated;
        if column.not_null_constraint.as_ref().is_some_and(comes_later) {
            column.not_null_constraint = None;
            column.is_not_null = false;
        }
    }
    own
}

fn context<'c>(carry: &Carry<'c>, part: &'c Part<'c>) -> Carry<'c> {
    Carry {
        table: &part.own,
        source: &part.own,
        names: &part.names,
        shape: &crate::shape::Shape::Same,
        key_index: part.key_index,
        ..*carry
    }
}

/// One partition, into the same shape. What it makes is its own; the rest is to be merged into the parent's.
pub fn same<'c>(carry: &Carry<'c>, part: &'c Part<'c>) -> Carried {
    let mut out = carry_all(&context(carry, part));
    for index in &part.own.indexes {
        let parent = index.parent_oid.and_then(|oid| carry.names.index(oid));
        let (Some(parent), Some(names)) = (parent, part.names.index(index.oid)) else {
            continue;
        };
        if index.oid == part.key_index {
            // Became a part with its table.
            continue;
        }
        let (whole, piece) = (
            carry.names.sibling(&parent.own.new),
            part.names.sibling(&names.own.new),
        );
        out.index.push(
            Step::new(
                format!(
                    "index {} becomes part of {}",
                    names.own.lasting, parent.own.lasting
                ),
                format!("alter index {whole} attach partition {piece}"),
            )
            .brief([]),
        );
    }
    for (inherited, _) in switched(carry, part) {
        let name = &part.names.source;
        out.forward
            .attach
            .push(trigger::state_step(name, inherited, inherited.enabled));
    }
    clones(carry, part, &mut out);
    out
}

/// One partition, left behind by another shape: it is silent while the mirror writes to it.
pub fn left<'c>(carry: &Carry<'c>, part: &'c Part<'c>) -> Carried {
    let mut all = Carried::default();
    let context = context(carry, part);
    foreign_key::own(&context, &mut all);
    trigger::carry(&context, &mut all);
    comment::carry(&context, &mut all);
    let mut out = Carried {
        locks: all.locks,
        settle_back: all.settle_back,
        retire: all.retire,
        ..Carried::default()
    };
    out.forward.detach = all.forward.detach;
    out.back.attach = all.back.attach;
    out.back.finish = all.back.finish;
    clones(carry, part, &mut out);
    out.retire.extend(retire_names(part));
    out
}

/// The partition goes where its retired parent goes.
pub fn retire(part: &Part<'_>) -> Step {
    let parked = part.names.parked.sibling(part.retired.name.clone());
    Step::new(
        format!("{} goes to {RETIRED_SCHEMA}", parked.name),
        format!("alter table {parked} set schema {RETIRED_SCHEMA}"),
    )
    .brief([(&parked, LockMode::AccessExclusive)])
}

/// Two moves of one table may be retired beside each other.
fn retire_names(part: &Part<'_>) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for index in &part.own.indexes {
        if let Some(names) = part.names.index(index.oid) {
            let (from, to) = (part.names.sibling(&names.own.lasting), &names.own.old);
            let sql = format!("alter index {from} rename to {to}");
            steps.push(Step::new(
                format!("index {} of the retired table", from.name),
                sql,
            ));
        }
    }
    let (from, to) = (&part.names.parked, &part.retired.name);
    let sql = format!("alter table {from} rename to {to}");
    steps.push(Step::new(
        format!("partition {} of the retired table", from.name),
        sql,
    ));
    steps
}

/// Copies of the parent's triggers whose state is another than the parent's, with the parent's.
pub fn switched<'t>(carry: &Carry<'t>, part: &Part<'t>) -> Vec<(&'t Trigger, &'t Trigger)> {
    let copies = part.partition.table.triggers.iter().filter(|t| t.is_inherited);
    let with_parent = copies.filter_map(|copy| {
        let mut all = carry.table.triggers.iter();
        Some((copy, all.find(|t| t.name == copy.name)?))
    });
    with_parent
        .filter(|(copy, parent)| copy.enabled != parent.enabled)
        .collect()
}

/// The parent's word reaches the copies, and says too much or too little where their states differ.
fn clones<'c>(carry: &Carry<'c>, part: &Part<'c>, out: &mut Carried) {
    use corridor_pg::catalog::TriggerEnabled::Disabled;
    let name = &part.names.source;
    for (copy, parent) in switched(carry, part) {
        if parent.enabled == Disabled {
            out.forward.detach.push(trigger::state_step(name, copy, Disabled));
        }
        out.back
            .attach
            .push(trigger::state_step(name, copy, copy.enabled));
    }
}
