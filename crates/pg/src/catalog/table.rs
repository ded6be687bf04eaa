//! The table itself.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{
    Column, Constraint, ExtendedStatistics, ForeignUser, Grant, IncomingForeignKey, Index, Inheritance,
    MaterializedView, OtherDependent, Partition, Policy, Publication, Rule, SecurityLabel, Sequence, Trigger,
    View,
};
use crate::ident::{Ident, QualifiedName};
use crate::value::Oid;

/// What a relation is (`pg_class.relkind`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RelationKind {
    /// An ordinary table.
    #[serde(rename = "r")]
    Table,
    /// A partitioned table.
    #[serde(rename = "p")]
    PartitionedTable,
    /// A view.
    #[serde(rename = "v")]
    View,
    /// A materialised view.
    #[serde(rename = "m")]
    MaterializedView,
    /// A foreign table.
    #[serde(rename = "f")]
    ForeignTable,
    /// A sequence.
    #[serde(rename = "S")]
    Sequence,
    /// An index.
    #[serde(rename = "i")]
    Index,
    /// An index of a partitioned table.
    #[serde(rename = "I")]
    PartitionedIndex,
    /// A TOAST table.
    #[serde(rename = "t")]
    Toast,
    /// A composite type.
    #[serde(rename = "c")]
    CompositeType,
}

impl fmt::Display for RelationKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            RelationKind::Table => "table",
            RelationKind::PartitionedTable => "partitioned table",
            RelationKind::View => "view",
            RelationKind::MaterializedView => "materialized view",
            RelationKind::ForeignTable => "foreign table",
            RelationKind::Sequence => "sequence",
            RelationKind::Index => "index",
            RelationKind::PartitionedIndex => "partitioned index",
            RelationKind::Toast => "TOAST table",
            RelationKind::CompositeType => "composite type",
        })
    }
}

/// How long a relation's rows live (`pg_class.relpersistence`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Persistence {
    /// Logged: survives a crash.
    #[serde(rename = "p")]
    Permanent,
    /// Unlogged: empty after a crash.
    #[serde(rename = "u")]
    Unlogged,
    /// Temporary: one session's own.
    #[serde(rename = "t")]
    Temporary,
}

/// What logical decoding writes of the old row (`pg_class.relreplident`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReplicaIdentity {
    /// The primary key.
    #[serde(rename = "d")]
    Default,
    /// Nothing.
    #[serde(rename = "n")]
    Nothing,
    /// The whole row.
    #[serde(rename = "f")]
    Full,
    /// The columns of one index; the index says so itself ([`Index::is_replica_identity`]).
    #[serde(rename = "i")]
    Index,
}

/// A relation and everything that hangs on it, as of one snapshot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Table {
    /// The relation's id. It survives a rename, and says for sure which table is meant.
    pub oid: Oid,
    /// Its name.
    pub name: QualifiedName,
    /// What it is.
    pub kind: RelationKind,
    /// Logged, unlogged or temporary.
    pub persistence: Persistence,
    /// The table access method, `heap` as a rule; none for what has no storage before PostgreSQL 17.
    pub access_method: Option<Ident>,
    /// The tablespace, when it is not the database's own.
    pub tablespace: Option<Ident>,
    /// The role that owns it.
    pub owner: Ident,
    /// Its comment.
    pub comment: Option<String>,
    /// Storage parameters: `fillfactor=70`.
    pub options: Vec<String>,
    /// Storage parameters of the TOAST table, without the `toast.` in front.
    pub toast_options: Vec<String>,
    /// What logical decoding writes of the old row.
    pub replica_identity: ReplicaIdentity,
    /// Row security is on.
    pub has_row_security: bool,
    /// Row security binds the owner too.
    pub is_row_security_forced: bool,
    /// It is a partition of another table.
    pub is_partition: bool,
    /// It was made `of` a composite type.
    pub is_typed: bool,
    /// It belongs to the system catalogue.
    pub is_catalog: bool,
    /// The extension that it belongs to.
    pub extension: Option<Ident>,
    /// The planner's estimate of its rows; below zero when it was never vacuumed or analysed.
    pub row_estimate: f64,
    /// Size of the main fork.
    pub heap_bytes: i64,
    /// Size of the TOAST table with its index.
    pub toast_bytes: i64,
    /// Size of all indexes.
    pub index_bytes: i64,
    /// Live columns in their order.
    pub columns: Vec<Column>,
    /// Indexes, the primary key's first.
    pub indexes: Vec<Index>,
    /// Constraints but the not-null ones.
    pub constraints: Vec<Constraint>,
    /// Foreign keys of other tables that reference this one.
    pub incoming: Vec<IncomingForeignKey>,
    /// Triggers that a person made.
    pub triggers: Vec<Trigger>,
    /// Sequences that its columns own, are identities of, or default to.
    pub sequences: Vec<Sequence>,
    /// Views and materialised views that read it directly.
    pub views: Vec<View>,
    /// Materialised views that read it directly or through one another, each after those that it reads.
    #[serde(default)]
    pub materialized_views: Vec<MaterializedView>,
    /// Privileges on table and columns, the default ones written out.
    pub grants: Vec<Grant>,
    /// Row security policies.
    pub policies: Vec<Policy>,
    /// Rewrite rules.
    pub rules: Vec<Rule>,
    /// Extended statistics.
    pub statistics: Vec<ExtendedStatistics>,
    /// Publications that contain it.
    pub publications: Vec<Publication>,
    /// Its partitions, of its own level only; empty for what is not partitioned.
    #[serde(default)]
    pub partitions: Vec<Partition>,
    /// Parents, children, partition key.
    pub inheritance: Inheritance,
    /// Security labels.
    pub security_labels: Vec<SecurityLabel>,
    /// What belongs to other objects and names the table.
    pub foreign_users: Vec<ForeignUser>,
    /// What hangs on it and has no list of its own above.
    pub dependents: Vec<OtherDependent>,
    /// Event triggers of the database.
    pub event_triggers: Vec<Ident>,
}

impl Table {
    /// The column of this name.
    pub fn column(&self, name: &Ident) -> Option<&Column> {
        self.columns.iter().find(|c| &c.name == name)
    }

    /// The index with this id.
    pub fn index(&self, oid: Oid) -> Option<&Index> {
        self.indexes.iter().find(|i| i.oid == oid)
    }

    /// The primary key's index.
    pub fn primary_key(&self) -> Option<&Index> {
        self.indexes.iter().find(|i| i.is_primary)
    }
}
