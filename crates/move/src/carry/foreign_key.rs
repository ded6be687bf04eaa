//! Foreign keys in both directions.
//!
//! **Why only in the swap.** Before it the target lags behind the source. A foreign key from the target would make
//! the application's own `delete` of a parent fail, on a child row that the application has deleted already; a
//! foreign key to the target would refuse rows whose parent is on its way. So both kinds are added `not valid` inside
//! of the swap (catalogue only, nothing is read) and validated right after it, which blocks no writer. That they hold
//! is known before: they are valid on the source, and source and target were proven equal.
//!
//! **Why the old table loses its own.** For the same reason in reverse: after the swap it is the one that lags.
//!
//! **Before PostgreSQL 18** a partitioned table cannot have a foreign key that is not validated, so each partition
//! gets its own first; when all are validated the parent's is added, which finds them equal and takes them in without
//! reading a row (checked on 14 to 17).

use corridor_pg::catalog::{Constraint, ConstraintKind, IncomingForeignKey, Index, RelationKind};
use corridor_pg::{Ident, Oid, QualifiedName};

use super::{Carried, Carry};
use crate::fault::{FOREIGN_KEY_NOT_CARRIED, REFERENCED_KEY_LOST};
use crate::plan::{LockMode, Step};

/// Moves the table's own foreign keys and those of others that reference it.
pub fn carry(carry: &Carry<'_>, out: &mut Carried) {
    own(carry, out);
    lost_columns(carry, out);
    for key in &carry.table.incoming {
        match incoming_obstacle(carry, key) {
            Some((code, why)) => out.refuse(code, format!("{} of {}: {why}", key.name, key.table)),
            None => incoming(carry, key, out),
        }
    }
}

/// A key of the old table whose columns the new one has not any more: it goes with the swap, and comes back with the way
/// back; not validated, because nothing has held the referenced rows meanwhile.
fn lost_columns(carry: &Carry<'_>, out: &mut Carried) {
    let is_kept = |key: &Constraint| carry.table.constraints.iter().any(|c| c.oid == key.oid);
    let own = carry.source.constraints.iter();
    for key in own.filter(|c| c.kind == ConstraintKind::ForeignKey && !is_kept(c)) {
        let mut whole = Carried::default();
        outgoing(carry, key, &mut whole);
        for lock in &whole.locks {
            out.lock(&lock.relation, lock.mode);
        }
        out.forward.detach.append(&mut whole.forward.detach);
        out.back.attach.append(&mut whole.back.attach);
        if let Some(text) = &key.comment {
            let sql = format!(
                "comment on constraint {} on {} is {}",
                key.name,
                carry.names.source,
                corridor_pg::Literal(text)
            );
            out.back
                .finish
                .push(Step::new(format!("comment on constraint {}", key.name), sql).brief([]));
        }
    }
}

/// Moves the table's own.
pub(super) fn own(carry: &Carry<'_>, out: &mut Carried) {
    let own = carry
        .table
        .constraints
        .iter()
        .filter(|c| c.kind == ConstraintKind::ForeignKey);
    for key in own {
        match outgoing_obstacle(carry, key) {
            Some((code, why)) => out.refuse(code, format!("{}: {why}", key.name)),
            None => outgoing(carry, key, out),
        }
    }
}

/// From this major on a partitioned table may have a foreign key that is not validated.
const NOT_VALID_ON_PARTITIONED: i32 = 18;

/// True when the new table's own foreign key has to wait until those of its partitions are validated.
pub(super) fn is_by_partition(carry: &Carry<'_>) -> bool {
    carry.is_partitioned() && carry.major < NOT_VALID_ON_PARTITIONED
}

/// The same of the old table, on the way back.
pub(super) fn is_back_by_partition(carry: &Carry<'_>) -> bool {
    carry.is_source_partitioned() && carry.major < NOT_VALID_ON_PARTITIONED
}

fn outgoing_obstacle(carry: &Carry<'_>, key: &Constraint) -> Option<(&'static corridor_pg::Code, String)> {
    if key.is_temporal && carry.is_partitioned() {
        return Some((&FOREIGN_KEY_NOT_CARRIED, "it is about periods of time".into()));
    }
    if !key.is_validated && key.is_enforced && is_by_partition(carry) {
        return Some((
            &FOREIGN_KEY_NOT_CARRIED,
            "it is not validated, and a partitioned table cannot have such a key before PostgreSQL 18; \
             alter table … validate constraint … first"
                .into(),
        ));
    }
    let referenced = key.referenced.as_ref()?;
    let is_self = referenced.oid == carry.table.oid;
    if is_self {
        return lost_index(carry, referenced.index_oid).map(|index| lost(carry, index, &referenced.columns));
    }
    None
}

fn incoming_obstacle(
    carry: &Carry<'_>,
    key: &IncomingForeignKey,
) -> Option<(&'static corridor_pg::Code, String)> {
    if key.is_temporal && carry.is_partitioned() {
        return Some((&FOREIGN_KEY_NOT_CARRIED, "it is about periods of time".into()));
    }
    if let Some(index) = lost_index(carry, key.index_oid) {
        return Some(lost(carry, index, &key.referenced_columns));
    }
    if key.table_kind != RelationKind::Table {
        return Some((
            &FOREIGN_KEY_NOT_CARRIED,
            format!(
                "a {} references the table; only plain tables may yet",
                key.table_kind
            ),
        ));
    }
    None
}

fn lost_index<'a>(carry: &'a Carry<'_>, oid: Oid) -> Option<&'a Index> {
    let index = carry.table.index(oid)?;
    let is_lost = !carry.missing_columns(|c| index.has_key_column(c)).is_empty();
    is_lost.then_some(index)
}

fn lost(carry: &Carry<'_>, index: &Index, columns: &[Ident]) -> (&'static corridor_pg::Code, String) {
    let columns = corridor_pg::ident::join(columns, ", ");
    let added = corridor_pg::ident::join(carry.missing_columns(|c| index.has_key_column(c)), ", ");
    let why = format!(
        "it references ({columns}), which {} keeps unique only together with ({added})",
        index.name
    );
    (&REFERENCED_KEY_LOST, why)
}

fn add(table: &QualifiedName, name: &Ident, definition: &str, is_enforced: bool) -> String {
    let tail = match is_enforced && !definition.ends_with("NOT VALID") {
        true => " NOT VALID",
        false => "",
    };
    format!("alter table {table} add constraint {name} {definition}{tail}")
}

fn outgoing(carry: &Carry<'_>, key: &Constraint, out: &mut Carried) {
    let table = &carry.names.source;
    let name = &key.name;
    let other = key
        .referenced
        .as_ref()
        .map(|r| &r.table)
        .filter(|other| *other != table);
    if let Some(other) = other {
        out.lock(other, LockMode::AccessExclusive);
    }
    let both = |mode| std::iter::once((table, mode)).chain(other.map(|o| (o, mode)));
    let what = |of: &str| format!("foreign key {name} of {of}");
    let drop = |relation: &QualifiedName, if_exists: &str| {
        Step::new(
            what("the table that leaves"),
            format!("alter table {relation} drop constraint {if_exists}{name}"),
        )
        .brief(both(LockMode::AccessExclusive))
    };
    let must_validate = key.is_validated && key.is_enforced;
    let validate = |relation: &QualifiedName| {
        let sql = format!("alter table {relation} validate constraint {name}");
        let locks = std::iter::once((relation, LockMode::ShareUpdateExclusive));
        Step::new(format!("foreign key {name} of {} holds", relation.name), sql)
            .whole_build(locks.chain(other.map(|o| (o, LockMode::RowShare))))
    };

    out.forward.detach.push(drop(table, ""));
    // Whether the way back begins before or after everything is settled: both leave nothing.
    out.back.detach.push(drop(table, "if exists "));
    let add_step = |relation: &QualifiedName| {
        Step::new(
            what(relation.name.as_str()),
            add(relation, name, &key.definition, key.is_enforced),
        )
        .brief(both(LockMode::ShareRowExclusive))
    };
    // Taking a partition's key in drops its triggers on the other table: milliseconds, but exclusive.
    let whole = || {
        let sql = format!("alter table {table} add constraint {name} {}", key.definition);
        let locks = std::iter::once((table, LockMode::ShareRowExclusive));
        Step::new(what("the table, from those of its partitions"), sql)
            .brief(locks.chain(other.map(|o| (o, LockMode::AccessExclusive))))
    };
    let arrived = match is_by_partition(carry) {
        true => carry.names.arrived.as_slice(),
        false => std::slice::from_ref(table),
    };
    let departed = match is_back_by_partition(carry) {
        true => carry.names.departed.as_slice(),
        false => std::slice::from_ref(table),
    };
    out.forward.attach.extend(arrived.iter().map(add_step));
    out.back.attach.extend(departed.iter().map(add_step));
    if must_validate {
        out.settle.extend(arrived.iter().map(validate));
        out.settle_back.extend(departed.iter().map(validate));
    }
    if is_by_partition(carry) {
        let drops = arrived.iter().map(|partition| drop(partition, "if exists "));
        out.back.detach.extend(drops);
        out.settle.push(whole());
    }
    if is_back_by_partition(carry) {
        out.settle_back.push(whole());
    }
}

fn incoming(carry: &Carry<'_>, key: &IncomingForeignKey, out: &mut Carried) {
    let table = &carry.names.source;
    let other = &key.table;
    let name = &key.name;
    out.lock(other, LockMode::AccessExclusive);
    let drop = Step::new(
        format!("foreign key {name} of {other}"),
        format!("alter table {other} drop constraint {name}"),
    )
    .brief([
        (table, LockMode::AccessExclusive),
        (other, LockMode::AccessExclusive),
    ]);
    out.forward.detach.push(drop.clone());
    out.back.detach.push(drop);
    let add = Step::new(
        format!("foreign key {name} of {other}"),
        add(other, name, &key.definition, key.is_enforced),
    )
    .brief([
        (table, LockMode::ShareRowExclusive),
        (other, LockMode::ShareRowExclusive),
    ]);
    out.forward.attach.push(add.clone());
    out.back.attach.push(add);
    if key.is_validated && key.is_enforced {
        let validate = Step::new(
            format!("foreign key {name} of {other} holds"),
            format!("alter table {other} validate constraint {name}"),
        )
        .whole_build([
            (other, LockMode::ShareUpdateExclusive),
            (table, LockMode::RowShare),
        ]);
        out.settle.push(validate.clone());
        out.settle_back.push(validate);
    }
}

#[cfg(test)]
mod tests {
    use corridor_pg::catalog::Referenced;

    use super::*;
    use crate::carry::sample;
    use crate::shape::Shape;

    fn key() -> Constraint {
        Constraint {
            kind: ConstraintKind::ForeignKey,
            referenced: Some(Referenced {
                oid: Oid(700),
                table: sample::public("teams"),
                kind: RelationKind::Table,
                owner: sample::id("boss"),
                index_oid: Oid(701),
                columns: vec![sample::id("id")],
            }),
            ..sample::check("team_fk", "FOREIGN KEY (team_id) REFERENCES public.teams(id)")
        }
    }

    fn incoming_key() -> IncomingForeignKey {
        IncomingForeignKey {
            oid: Oid(800),
            name: sample::id("person_fk"),
            table_oid: Oid(801),
            table: sample::public("pets"),
            table_kind: RelationKind::Table,
            is_partition: false,
            owner: sample::id("boss"),
            definition: "FOREIGN KEY (person_id) REFERENCES public.persons(id)".into(),
            is_validated: true,
            is_enforced: true,
            is_temporal: false,
            comment: None,
            index_oid: Oid(101),
            columns: vec![sample::id("person_id")],
            referenced_columns: vec![sample::id("id")],
        }
    }

    fn sql(steps: &[Step]) -> Vec<&str> {
        steps.iter().map(|s| s.sql.as_str()).collect()
    }

    #[test]
    fn before_18_partitions_come_first_and_the_parent_last() {
        let mut table = sample::table("persons");
        table.constraints.push(key());
        let out = sample::carried(&table, carry);
        assert_eq!(
            sql(&out.forward.detach),
            ["alter table public.persons drop constraint team_fk"]
        );
        assert_eq!(
            out.forward.attach[1].sql,
            "alter table public.persons_p1 add constraint team_fk FOREIGN KEY (team_id) REFERENCES public.teams(id) NOT VALID"
        );
        assert_eq!(
            sql(&out.settle),
            [
                "alter table public.persons_p0 validate constraint team_fk",
                "alter table public.persons_p1 validate constraint team_fk",
                "alter table public.persons add constraint team_fk FOREIGN KEY (team_id) REFERENCES public.teams(id)",
            ]
        );
        assert_eq!(out.back.detach.len(), 3);
        assert_eq!(out.locks[0].relation, sample::public("teams"));
    }

    #[test]
    fn from_18_on_and_on_plain_tables_one_constraint_is_enough() {
        let mut table = sample::table("persons");
        table.constraints.push(key());
        for (shape, major) in [(sample::shape(), 18), (Shape::Same, 14)] {
            let out = sample::carried_as(&table, &shape, major, carry);
            assert_eq!(out.forward.attach.len(), 1);
            assert_eq!(
                sql(&out.settle),
                ["alter table public.persons validate constraint team_fk"]
            );
            assert_eq!(out.settle, out.settle_back);
        }
    }

    #[test]
    fn a_key_that_is_not_validated_stays_so() {
        let mut table = sample::table("persons");
        table.constraints.push(Constraint {
            is_validated: false,
            definition: "FOREIGN KEY (team_id) REFERENCES public.teams(id) NOT VALID".into(),
            ..key()
        });
        let out = sample::carried_as(&table, &sample::shape(), 18, carry);
        assert!(out.settle.is_empty() && out.settle_back.is_empty());
        assert_eq!(out.forward.attach[0].sql.matches("NOT VALID").count(), 1);
        assert_eq!(sample::carried(&table, carry).refusals[0].code, "MOV-043");
    }

    #[test]
    fn a_reference_to_a_widened_key_refuses_and_to_another_shape_does_not() {
        let mut table = sample::table("persons");
        table.incoming.push(incoming_key());
        let refusal = sample::carried(&table, carry).refusals.remove(0);
        assert_eq!(refusal.code, "MOV-042");
        assert!(refusal.detail.contains("(id)") && refusal.detail.contains("(team_id)"));
        let out = sample::carried_as(&table, &Shape::Same, 15, carry);
        assert_eq!(out.refusals, []);
        assert_eq!(
            sql(&out.settle),
            ["alter table public.pets validate constraint person_fk"]
        );
        table.incoming[0].table_kind = RelationKind::PartitionedTable;
        assert_eq!(
            sample::carried_as(&table, &Shape::Same, 15, carry).refusals[0].code,
            "MOV-043"
        );
    }

    #[test]
    fn a_table_that_references_itself_needs_its_key_whole() {
        let mut table = sample::table("persons");
        let mut own = key();
        let referenced = own.referenced.as_mut().unwrap();
        referenced.oid = table.oid;
        referenced.table = table.name.clone();
        referenced.index_oid = Oid(101);
        table.constraints.push(own);
        assert_eq!(sample::carried(&table, carry).refusals[0].code, "MOV-042");
        assert_eq!(sample::carried_as(&table, &Shape::Same, 15, carry).locks, []);
    }
}
