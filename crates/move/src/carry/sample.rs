//! A table to plan with, for unit tests: `persons (id bigint primary key, team_id integer, name text)`, owned by the
//! role `boss` who also runs the plan; to become two hash partitions by `team_id`; tag `t`.

use corridor_pg::catalog::{
    Column, Constraint, ConstraintKind, Grant, Index, IndexColumn, Persistence, RelationKind,
    ReplicaIdentity, Sequence, SequenceLink, Table,
};
use corridor_pg::{Ident, Oid, QualifiedName};

use super::{Carried, Carry};
use crate::names::Names;
use crate::shape::Shape;

pub(crate) fn id(name: &str) -> Ident {
    Ident::new(name).unwrap()
}

pub(crate) fn public(name: &str) -> QualifiedName {
    QualifiedName::new(id("public"), id(name))
}

pub(crate) fn shape() -> Shape {
    Shape::Hash {
        columns: vec![id("team_id")],
        partitions: 2,
    }
}

pub(crate) fn names(table: &Table) -> Names {
    Names::assign(table, &["p0".into(), "p1".into()], "t", &[])
}

pub(crate) fn context<'a>(
    table: &'a Table,
    names: &'a Names,
    shape: &'a Shape,
    role: &'a Ident,
) -> Carry<'a> {
    Carry {
        table,
        source: table,
        names,
        shape,
        major: 15,
        key_index: Oid(101),
        role,
        default_table_grants: &[],
        default_sequence_grants: &[],
        is_bypassing_row_security: false,
        assumable_grantors: &[],
        partition_grants: &[],
        sequence_gap: 100,
    }
}

/// Runs one kind over the table.
pub(crate) fn carried(table: &Table, kind: fn(&Carry<'_>, &mut Carried)) -> Carried {
    carried_as(table, &shape(), 15, kind)
}

/// Runs one kind over the table for another shape or server.
pub(crate) fn carried_as(
    table: &Table,
    shape: &Shape,
    major: i32,
    kind: fn(&Carry<'_>, &mut Carried),
) -> Carried {
    let names = match shape {
        Shape::Same | Shape::Plain => Names::assign(table, &[], "t", &[]),
        _ => names(table),
    };
    let role = id("boss");
    let mut out = Carried::default();
    let mut carry = context(table, &names, shape, &role);
    carry.major = major;
    kind(&carry, &mut out);
    out
}

pub(crate) fn column(number: i32, name: &str, type_sql: &str, type_oid: u32) -> Column {
    Column {
        number,
        name: id(name),
        type_oid: Oid(type_oid),
        base_type_oid: Oid(type_oid),
        type_sql: type_sql.into(),
        base_type_sql: type_sql.into(),
        is_not_null: number < 3,
        not_null_constraint: None,
        collation: (type_sql == "text").then(|| QualifiedName::new(id("pg_catalog"), id("default"))),
        is_collation_explicit: false,
        is_collation_deterministic: true,
        default_sql: None,
        generated_sql: None,
        generated: None,
        identity: None,
        storage: None,
        compression: None,
        statistics_target: None,
        options: vec![],
        comment: None,
        is_hashable: true,
        has_btree_order: true,
    }
}

pub(crate) fn index(oid: u32, name: &str, columns: &[&str]) -> Index {
    let key = |column: &&str| IndexColumn {
        column: Some(id(column)),
        definition: id(column).to_string(),
        is_included: false,
        opclass: Some(QualifiedName::new(id("pg_catalog"), id("int8_ops"))),
        is_default_opclass: true,
        collation: None,
        is_column_collation: true,
        is_desc: false,
        is_nulls_first: false,
        statistics_target: None,
    };
    let list = columns.join(", ");
    Index {
        oid: Oid(oid),
        parent_oid: None,
        name: id(name),
        method: id("btree"),
        definition: format!("CREATE INDEX {name} ON public.persons USING btree ({list})"),
        is_unique: false,
        is_primary: false,
        is_exclusion: false,
        is_immediate: true,
        is_valid: true,
        is_clustered: false,
        is_replica_identity: false,
        is_nulls_not_distinct: false,
        constraint_oid: None,
        constraint_name: None,
        predicate: None,
        has_expressions: false,
        options: vec![],
        tablespace: None,
        comment: None,
        bytes: 8192,
        columns: columns.iter().map(key).collect(),
    }
}

pub(crate) fn primary_key(columns: &[&str]) -> Index {
    Index {
        is_unique: true,
        is_primary: true,
        constraint_oid: Some(Oid(201)),
        constraint_name: Some(id("persons_pkey")),
        ..index(101, "persons_pkey", columns)
    }
}

pub(crate) fn check(name: &str, definition: &str) -> Constraint {
    Constraint {
        oid: Oid(300),
        name: id(name),
        kind: ConstraintKind::Check,
        definition: definition.into(),
        is_validated: true,
        is_enforced: true,
        is_temporal: false,
        is_deferrable: false,
        is_deferred: false,
        is_no_inherit: false,
        is_local: true,
        comment: None,
        index_oid: None,
        columns: vec![],
        referenced: None,
    }
}

pub(crate) fn grant(
    grantee: Option<&str>,
    privilege: &str,
    column: Option<&str>,
    is_grantable: bool,
) -> Grant {
    Grant {
        column: column.map(id),
        grantee: grantee.map(id),
        grantor: id("boss"),
        privilege: privilege.into(),
        is_grantable,
    }
}

pub(crate) fn sequence(name: &str, link: SequenceLink, column: &str) -> Sequence {
    Sequence {
        oid: Oid(400),
        name: public(name),
        link,
        column: id(column),
        type_sql: "bigint".into(),
        start: 1,
        increment: 1,
        min: 1,
        max: i64::MAX,
        cache: 1,
        is_cycling: false,
        persistence: Persistence::Permanent,
        owner: id("boss"),
        comment: None,
        grants: ["SELECT", "UPDATE", "USAGE"]
            .map(|p| grant(Some("boss"), p, None, false))
            .into(),
    }
}

pub(crate) fn table(name: &str) -> Table {
    let all = [
        "INSERT",
        "SELECT",
        "UPDATE",
        "DELETE",
        "TRUNCATE",
        "REFERENCES",
        "TRIGGER",
    ];
    Table {
        oid: Oid(100),
        name: public(name),
        kind: RelationKind::Table,
        persistence: Persistence::Permanent,
        access_method: Some(id("heap")),
        tablespace: None,
        owner: id("boss"),
        comment: None,
        options: vec![],
        toast_options: vec![],
        replica_identity: ReplicaIdentity::Default,
        has_row_security: false,
        is_row_security_forced: false,
        is_partition: false,
        is_typed: false,
        is_catalog: false,
        extension: None,
        row_estimate: 1000.0,
        heap_bytes: 80 << 20,
        toast_bytes: 40 << 20,
        index_bytes: 20 << 20,
        columns: vec![
            column(1, "id", "bigint", 20),
            column(2, "team_id", "integer", 23),
            column(3, "name", "text", 25),
        ],
        indexes: vec![primary_key(&["id"])],
        constraints: vec![],
        incoming: vec![],
        triggers: vec![],
        sequences: vec![],
        views: vec![],
        grants: all.map(|p| grant(Some("boss"), p, None, false)).into(),
        policies: vec![],
        rules: vec![],
        statistics: vec![],
        publications: vec![],
        partitions: vec![],
        inheritance: Default::default(),
        security_labels: vec![],
        foreign_users: vec![],
        materialized_views: vec![],
        dependents: vec![],
        event_triggers: vec![],
    }
}
