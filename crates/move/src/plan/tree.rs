//! A source that is partitioned already: whether it can be moved, and what the move into another shape would lose.

use std::borrow::Cow;

use corridor_pg::catalog::{
    Column, Grant, Index, Partition, Persistence, PublicationReach, RelationKind, ReplicaIdentity,
    SequenceLink, Table,
};
use corridor_pg::ident::join;
use corridor_pg::{Code, Oid};

use super::PlanInput;
use crate::carry::Carried;
use crate::carry::partition::{Part, switched};
use crate::fault;
use crate::shape::Shape;

/// Losses that are shown one by one.
const LOSSES_SHOWN: usize = 40;

/// Why the partitions cannot be moved.
pub(super) fn obstacle(table: &Table) -> Option<(&'static Code, String)> {
    table.partitions.iter().find_map(|partition| {
        let name = &partition.table.name;
        if partition.is_detach_pending {
            return Some((
                &fault::PARTITIONED_SOURCE,
                format!("its partition {name} is being detached"),
            ));
        }
        match partition.table.kind {
            RelationKind::Table if partition.table.persistence == Persistence::Permanent => None,
            RelationKind::Table => Some((
                &fault::UNLOGGED_TABLE,
                format!("its partition {name} is empty after a crash"),
            )),
            other => Some((
                &fault::PARTITIONED_SOURCE,
                format!("its partition {name} is a {other}"),
            )),
        }
    })
}

/// The table as it counts: its size is that of its partitions. For another shape it also has what all of them have
/// alike, because the new ones are to have that too.
pub(super) fn effective<'t>(table: &'t Table, shape: &Shape) -> Cow<'t, Table> {
    let Some(first) = table.partitions.first().map(|p| &p.table) else {
        return Cow::Borrowed(table);
    };
    let all = || table.partitions.iter().map(|p| &p.table);
    let mut whole = table.clone();
    whole.heap_bytes = all().map(|t| t.heap_bytes).sum();
    whole.toast_bytes = all().map(|t| t.toast_bytes).sum();
    whole.index_bytes = all().map(|t| t.index_bytes).sum();
    whole.row_estimate = match all().all(|t| t.row_estimate < 0.0) {
        true => -1.0,
        false => all().map(|t| t.row_estimate.max(0.0)).sum(),
    };
    if *shape == Shape::Same {
        return Cow::Owned(whole);
    }
    if all().all(|t| t.options == first.options) {
        whole.options = first.options.clone();
    }
    if all().all(|t| t.toast_options == first.toast_options) {
        whole.toast_options = first.toast_options.clone();
    }
    if all().all(|t| t.tablespace == first.tablespace) {
        whole.tablespace = first.tablespace.clone();
    }
    if all().all(|t| t.access_method == first.access_method) {
        whole.access_method = first.access_method.clone();
    }
    whole.replica_identity = match replica_identity(table) {
        Some((ReplicaIdentity::Index, index)) => {
            for own in &mut whole.indexes {
                own.is_replica_identity = Some(own.oid) == index;
            }
            ReplicaIdentity::Index
        }
        Some((other, _)) => other,
        None => ReplicaIdentity::Default,
    };
    Cow::Owned(whole)
}

/// The replica identity that all partitions have, and the parent's index that it goes by. The parent's own says nothing:
/// it has no rows.
fn replica_identity(table: &Table) -> Option<(ReplicaIdentity, Option<Oid>)> {
    let of = |partition: &Partition| {
        let index = partition.table.indexes.iter().find(|i| i.is_replica_identity);
        (partition.table.replica_identity, index.and_then(|i| i.parent_oid))
    };
    let first = of(table.partitions.first()?);
    let is_whole = first.0 != ReplicaIdentity::Index || first.1.is_some();
    (is_whole && table.partitions.iter().all(|p| of(p) == first)).then_some(first)
}

/// What all partitions grant alike.
pub(super) fn common_grants(table: &Table) -> &[Grant] {
    match table.partitions.first() {
        Some(first)
            if table
                .partitions
                .iter()
                .all(|p| p.table.grants == first.table.grants) =>
        {
            &first.table.grants
        }
        _ => &[],
    }
}

/// Refuses what no other shape could take over from single partitions, and what it would lose unless that was accepted.
/// `table` is the [`effective`] one.
pub(super) fn judge(
    input: &PlanInput,
    table: &Table,
    parts: &[Part<'_>],
    carry: &crate::carry::Carry<'_>,
    out: &mut Carried,
) {
    if input.shape == Shape::Plain && table.kind != RelationKind::PartitionedTable {
        let why = "--unpartitioned, and the table is not partitioned; --same-shape writes it anew";
        out.refuse(&fault::BAD_SHAPE, why);
    }
    judge_locks(input, table, out);
    if input.shape == Shape::Same {
        judge_views(table, parts, out);
        return;
    }
    let mut losses: Vec<String> = Vec::new();
    for part in parts {
        let name = &part.partition.table.name.name;
        bound_to(part, out);
        let mut lost = own_settings(table, &part.partition.table, &part.own);
        let states = switched(carry, part);
        lost.extend(
            states
                .iter()
                .map(|(copy, _)| format!("the state of trigger {}", copy.name)),
        );
        if !lost.is_empty() {
            losses.push(format!("{name}: {}", lost.join(", ")));
        }
    }
    if losses.is_empty() {
        return;
    }
    let more = losses.len().saturating_sub(LOSSES_SHOWN);
    losses.truncate(LOSSES_SHOWN);
    if more > 0 {
        losses.push(format!("and {more} partitions more"));
    }
    let text = losses.join("; ");
    match input.accepts_partition_settings {
        true => out.warnings.push(format!("lost, of single partitions: {text}")),
        false => out.refuse(&fault::PARTITION_SETTINGS, text),
    }
}

/// A materialised view is made anew once for each table that it reads.
fn judge_views(table: &Table, parts: &[Part<'_>], out: &mut Carried) {
    let mut known: Vec<Oid> = Vec::new();
    let tables = std::iter::once(table).chain(parts.iter().map(|p| &p.own));
    for view in tables.flat_map(|t| &t.materialized_views) {
        if known.contains(&view.relation.oid) {
            let why = format!(
                "{} reads more than one of the table and its partitions",
                view.relation.name
            );
            out.refuse(&fault::MATERIALIZED_VIEW, why);
        }
        known.push(view.relation.oid);
    }
}

/// The swap and the end of the old table hold locks on all partitions, their TOAST tables and indexes at once.
fn judge_locks(input: &PlanInput, table: &Table, out: &mut Carried) {
    const TABLE_AND_TOAST: usize = 3;
    let source: usize = table
        .partitions
        .iter()
        .map(|p| TABLE_AND_TOAST + p.table.indexes.len())
        .sum();
    let target = match input.shape {
        Shape::Same => source,
        _ => super::partition::layout(input).len() * (TABLE_AND_TOAST + table.indexes.len()),
    };
    let locks = (source + target) as i64;
    if source > 0 && locks > input.facts.lock_slots {
        out.refuse(
            &fault::TOO_MANY_PARTITIONS,
            format!(
                "the {} old partitions and the new ones need {locks} locks in one transaction, the server has {} \
                 (max_locks_per_transaction x max_connections)",
                table.partitions.len(),
                input.facts.lock_slots
            ),
        );
    }
}

/// What other objects want of this very partition has no place to go to.
fn bound_to(part: &Part<'_>, out: &mut Carried) {
    let table = &part.own;
    let name = &table.name;
    for key in &table.incoming {
        let why = format!(
            "{} of {} references the partition {name} itself",
            key.name, key.table
        );
        out.refuse(&fault::FOREIGN_KEY_NOT_CARRIED, why);
    }
    let views = table.views.iter();
    for view in views.filter(|v| v.kind == RelationKind::View) {
        let why = format!("{} reads the partition {name} itself", view.name);
        out.refuse(&fault::VIEW_NOT_CARRIED, why);
    }
    for view in &table.materialized_views {
        let why = format!("{} reads the partition {name} itself", view.relation.name);
        out.refuse(&fault::MATERIALIZED_VIEW, why);
    }
    for sequence in table.sequences.iter().filter(|s| s.link == SequenceLink::Owned) {
        let why = format!("{} belongs to the partition {name} itself", sequence.name);
        out.refuse(&fault::SEQUENCE_NOT_CARRIED, why);
    }
    for publication in table
        .publications
        .iter()
        .filter(|p| p.reach == PublicationReach::Table)
    {
        let why = format!(
            "publication {} contains the partition {name} itself",
            publication.name
        );
        out.refuse(&fault::PUBLICATION, why);
    }
    for user in &table.foreign_users {
        let why = format!("{} uses the partition {name} itself", user.name);
        out.refuse(&fault::UNKNOWN_DEPENDENT, why);
    }
    for dependent in &table.dependents {
        let why = format!("{} uses the partition {name} itself", dependent.what);
        out.refuse(&fault::UNKNOWN_DEPENDENT, why);
    }
}

/// What a partition has that its parent has not. `parent` is the effective one; `own` is the partition without what it
/// has from its parent.
fn own_settings(parent: &Table, partition: &Table, own: &Table) -> Vec<String> {
    let mut lost: Vec<String> = Vec::new();
    let mut say = |is_lost: bool, what: &str| {
        if is_lost {
            lost.push(what.to_owned());
        }
    };
    say(partition.comment.is_some(), "comment");
    say(partition.owner != parent.owner, "owner");
    say(partition.options != parent.options, "storage parameters");
    say(
        partition.toast_options != parent.toast_options,
        "storage parameters of the TOAST table",
    );
    say(partition.tablespace != parent.tablespace, "tablespace");
    say(partition.access_method != parent.access_method, "access method");
    say(
        partition.replica_identity != parent.replica_identity,
        "replica identity",
    );
    say(
        !is_closed(partition) && partition.grants != common_grants(parent),
        "grants",
    );
    say(
        partition.has_row_security || !partition.policies.is_empty(),
        "row security",
    );
    say(!partition.rules.is_empty(), "rules");
    say(!partition.statistics.is_empty(), "extended statistics");
    say(!partition.security_labels.is_empty(), "security labels");
    let constraints = own
        .constraints
        .iter()
        .filter(|c| c.is_local && c.index_oid.is_none());
    lost.extend(constraints.map(|c| format!("constraint {}", c.name)));
    lost.extend(own.triggers.iter().map(|t| format!("trigger {}", t.name)));
    lost.extend(own.indexes.iter().filter_map(|i| index_loss(parent, i)));
    for column in &own.columns {
        let of_parent = parent.column(&column.name);
        let what = of_parent.map_or_else(Vec::new, |of_parent| column_losses(of_parent, column));
        if !what.is_empty() {
            lost.push(format!("{} of column {}", what.join(" and "), column.name));
        }
    }
    lost
}

/// Nobody but the owner has a right, and the owner has all.
fn is_closed(table: &Table) -> bool {
    // As many as every major has; `MAINTAIN` came with 17.
    const OWNERS_MIN: usize = 7;
    let is_owners = |grant: &&Grant| grant.grantee.as_ref() == Some(&table.owner) && grant.column.is_none();
    let owners = table.grants.iter().filter(is_owners).count();
    owners == table.grants.len() && owners >= OWNERS_MIN
}

fn index_loss(parent: &Table, index: &Index) -> Option<String> {
    let Some(whole) = index.parent_oid.and_then(|oid| parent.index(oid)) else {
        return Some(format!("index {}", index.name));
    };
    let targets = |i: &Index| i.columns.iter().map(|c| c.statistics_target).collect::<Vec<_>>();
    let mut what: Vec<&str> = Vec::new();
    for (is_lost, word) in [
        (index.options != whole.options, "storage parameters"),
        (index.tablespace != whole.tablespace, "tablespace"),
        (targets(index) != targets(whole), "statistics targets"),
        (index.comment.is_some(), "comment"),
        (index.is_clustered, "cluster mark"),
    ] {
        if is_lost {
            what.push(word);
        }
    }
    (!what.is_empty()).then(|| format!("{} of index {}", join(what, " and "), index.name))
}

fn column_losses(parent: &Column, column: &Column) -> Vec<&'static str> {
    let all: [(bool, &'static str); 7] = [
        (column.default_sql != parent.default_sql, "default"),
        (column.is_not_null && !parent.is_not_null, "not null"),
        (column.storage != parent.storage, "storage"),
        (column.compression != parent.compression, "compression"),
        (
            column.statistics_target != parent.statistics_target,
            "statistics target",
        ),
        (column.options != parent.options, "options"),
        (column.comment.is_some(), "comment"),
    ];
    all.into_iter()
        .filter_map(|(is_lost, what)| is_lost.then_some(what))
        .collect()
}

#[cfg(test)]
mod tests {
    use corridor_pg::catalog::{Constraint, ConstraintKind, Referenced};

    use super::*;
    use crate::carry::sample::{self, id, public};
    use crate::plan::make::tests::input;
    use crate::plan::plan;

    /// `persons`, by hash of its key in as many partitions as names, each with its part of the key's index.
    fn partitioned(names: &[&str]) -> PlanInput {
        let mut input = input();
        let mut parent = sample::table("persons");
        parent.kind = RelationKind::PartitionedTable;
        parent.inheritance.partition_key = Some("HASH (id)".into());
        for (at, name) in names.iter().enumerate() {
            let mut table = sample::table(name);
            table.oid = Oid(1000 + at as u32);
            table.is_partition = true;
            table.inheritance.parents = vec![parent.name.clone()];
            table.indexes[0].oid = Oid(2000 + at as u32);
            table.indexes[0].parent_oid = Some(Oid(101));
            table.indexes[0].name = id(&format!("{name}_pkey"));
            table.indexes[0].constraint_oid = Some(Oid(3000 + at as u32));
            parent.partitions.push(Partition {
                bounds: format!("FOR VALUES WITH (modulus {}, remainder {at})", names.len()),
                is_detach_pending: false,
                table,
            });
        }
        input.table = parent;
        input
    }

    fn sql(steps: &[crate::plan::Step]) -> Vec<&str> {
        steps.iter().map(|s| s.sql.as_str()).collect()
    }

    #[test]
    fn a_partition_is_whole_before_it_is_attached() {
        let mut input = partitioned(&["one", "two"]);
        input.shape = Shape::Same;
        let plan = plan(&input).unwrap();
        assert_eq!(plan.refusals, []);
        let created = sql(&plan.create);
        assert!(created[0].contains("partition by HASH (id)"), "{}", created[0]);
        assert!(created[2].starts_with("create table public.one__c_new_t (\n"));
        assert_eq!(
            created[3..5],
            [
                "alter table public.one__c_new_t add constraint one_pkey__c_new_t primary key (id)",
                "alter table public.persons__c_new_t attach partition public.one__c_new_t \
                 FOR VALUES WITH (modulus 2, remainder 0)",
            ]
        );
        assert_eq!(plan.new_leaves(), [public("one"), public("two")]);
        assert_eq!(plan.old_partitions[0].parked, public("one__c_old_t"));
        assert!(sql(&plan.swap).contains(&"alter table public.two__c_new_t rename to two"));
        assert!(sql(&plan.swap_back).contains(&"alter table public.two__c_old_t rename to two"));
        assert_eq!(
            *sql(&plan.retire).last().unwrap(),
            "alter table public.persons__c_old_t set schema corridor_retired"
        );
    }

    #[test]
    fn sizes_are_those_of_all_partitions() {
        let plan = plan(&partitioned(&["one", "two", "three"])).unwrap();
        assert_eq!(plan.estimate.row_estimate, 3000.0);
        assert_eq!(plan.estimate.heap_bytes, 3 * (80 << 20));
    }

    #[test]
    fn the_way_back_adds_a_foreign_key_partition_by_partition_before_18() {
        let mut input = partitioned(&["one", "two"]);
        input.shape = Shape::Plain;
        input.table.constraints.push(Constraint {
            kind: ConstraintKind::ForeignKey,
            referenced: Some(Referenced {
                oid: Oid(700),
                table: public("teams"),
                kind: RelationKind::Table,
                owner: id("boss"),
                index_oid: Oid(701),
                columns: vec![id("id")],
            }),
            ..sample::check("team_fk", "FOREIGN KEY (team_id) REFERENCES public.teams(id)")
        });
        let back = |input: &PlanInput| -> Vec<String> {
            let plan = plan(input).unwrap();
            plan.settle_back.iter().map(|s| s.sql.clone()).collect()
        };
        assert_eq!(
            back(&input),
            [
                "alter table public.one validate constraint team_fk",
                "alter table public.two validate constraint team_fk",
                "alter table public.persons add constraint team_fk FOREIGN KEY (team_id) REFERENCES public.teams(id)",
            ]
        );
        input.facts.server_major = 18;
        assert_eq!(
            back(&input),
            ["alter table public.persons validate constraint team_fk"]
        );
    }

    #[test]
    fn the_locks_of_both_tables_are_counted() {
        let names: Vec<String> = (0..64).map(|i| format!("p{i}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut input = partitioned(&names);
        input.shape = Shape::Hash {
            columns: vec![id("id")],
            partitions: 256,
        };
        // Each partition, its TOAST table with index, and the index of the key: 4 locks, for 64 + 256 partitions.
        input.facts.lock_slots = 1280;
        assert_eq!(plan(&input).unwrap().refusals, []);
        input.facts.lock_slots = 1279;
        let refusal = plan(&input).unwrap().refusals.remove(0);
        assert_eq!(refusal.code, "MOV-024");
        assert!(refusal.detail.contains("need 1280 locks"), "{}", refusal.detail);
    }

    #[test]
    fn what_one_partition_has_alone_is_lost_and_what_all_have_is_not() {
        let mut input = partitioned(&["one", "two"]);
        for partition in &mut input.table.partitions {
            partition.table.options = vec!["fillfactor=50".into()];
        }
        let made = plan(&input).unwrap();
        assert_eq!(made.refusals, []);
        assert!(made.create.iter().any(|s| s.sql.contains("fillfactor = '50'")));
        input.table.partitions[1].table.options.clear();
        let refusal = plan(&input).unwrap().refusals.remove(0);
        assert_eq!(
            (refusal.code.as_str(), refusal.detail.as_str()),
            ("MOV-027", "one: storage parameters")
        );
        input.accepts_partition_settings = true;
        let accepted = plan(&input).unwrap();
        assert_eq!(accepted.refusals, []);
        assert!(
            accepted
                .warnings
                .iter()
                .any(|w| w.ends_with("one: storage parameters"))
        );
        input.accepts_partition_settings = false;
        input.shape = Shape::Same;
        assert_eq!(plan(&input).unwrap().refusals, []);
    }
}
