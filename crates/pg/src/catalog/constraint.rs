//! Constraints, and foreign keys in both directions.

use serde::{Deserialize, Serialize};

use super::RelationKind;
use crate::ident::{Ident, QualifiedName};
use crate::value::Oid;

/// The kind of a constraint (`pg_constraint.contype`); not-null ones are read with their columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ConstraintKind {
    /// `check`.
    #[serde(rename = "c")]
    Check,
    /// `foreign key`.
    #[serde(rename = "f")]
    ForeignKey,
    /// `primary key`.
    #[serde(rename = "p")]
    PrimaryKey,
    /// `unique`.
    #[serde(rename = "u")]
    Unique,
    /// `exclude`.
    #[serde(rename = "x")]
    Exclusion,
}

/// What a foreign key references.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Referenced {
    /// The referenced table.
    pub oid: Oid,
    /// Its name.
    pub table: QualifiedName,
    /// Its kind.
    pub kind: RelationKind,
    /// Its owner.
    pub owner: Ident,
    /// The unique index that the key relies on.
    pub index_oid: Oid,
    /// The referenced columns.
    pub columns: Vec<Ident>,
}

/// A constraint of the table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Constraint {
    /// Its id.
    pub oid: Oid,
    /// Its name, unique in the table.
    pub name: Ident,
    /// Its kind.
    pub kind: ConstraintKind,
    /// What stands after `constraint NAME`, with `not valid`, `deferrable` and the like.
    pub definition: String,
    /// Every row is known to satisfy it.
    pub is_validated: bool,
    /// It is checked at all (PostgreSQL 18 has `not enforced`).
    pub is_enforced: bool,
    /// It is about periods of time (PostgreSQL 18: `without overlaps`, `period`).
    pub is_temporal: bool,
    /// It may be checked at the end of the transaction.
    pub is_deferrable: bool,
    /// It is, unless told otherwise.
    pub is_deferred: bool,
    /// It is not passed on to children.
    pub is_no_inherit: bool,
    /// It was defined on this table, not only inherited.
    pub is_local: bool,
    /// Its comment.
    pub comment: Option<String>,
    /// The index that carries it out (primary key, unique, exclusion).
    pub index_oid: Option<Oid>,
    /// The table's columns that it is about.
    pub columns: Vec<Ident>,
    /// What a foreign key references.
    pub referenced: Option<Referenced>,
}

/// A foreign key of another table that references this one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncomingForeignKey {
    /// The constraint's id.
    pub oid: Oid,
    /// Its name.
    pub name: Ident,
    /// The referencing table.
    pub table_oid: Oid,
    /// Its name.
    pub table: QualifiedName,
    /// Its kind.
    pub table_kind: RelationKind,
    /// The referencing table is a partition, and has the key by itself.
    pub is_partition: bool,
    /// The referencing table's owner.
    pub owner: Ident,
    /// What stands after `constraint NAME`.
    pub definition: String,
    /// Every row is known to satisfy it.
    pub is_validated: bool,
    /// It is checked at all (PostgreSQL 18 has `not enforced`).
    pub is_enforced: bool,
    /// It is about periods of time (PostgreSQL 18).
    pub is_temporal: bool,
    /// Its comment.
    pub comment: Option<String>,
    /// The index of this table that it relies on.
    pub index_oid: Oid,
    /// The referencing columns.
    pub columns: Vec<Ident>,
    /// The referenced columns of this table.
    pub referenced_columns: Vec<Ident>,
}
