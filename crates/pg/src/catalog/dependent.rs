//! Triggers, views, publications, inheritance, and whatever else hangs on a table.

use serde::{Deserialize, Serialize};

use super::RelationKind;
use crate::ident::{Ident, QualifiedName};
use crate::value::Oid;

/// In which replication role a trigger fires (`pg_trigger.tgenabled`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum TriggerEnabled {
    /// In `origin` and `local`: the usual state.
    #[serde(rename = "O")]
    Origin,
    /// Never.
    #[serde(rename = "D")]
    Disabled,
    /// Only in `replica`.
    #[serde(rename = "R")]
    Replica,
    /// In every role.
    #[serde(rename = "A")]
    Always,
}

/// A trigger that a person made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trigger {
    /// Its id.
    pub oid: Oid,
    /// Its name, unique in the table.
    pub name: Ident,
    /// The whole `create trigger` statement as the server writes it.
    pub definition: String,
    /// When it fires.
    pub enabled: TriggerEnabled,
    /// It is a partition's copy of its parent's.
    #[serde(default)]
    pub is_inherited: bool,
    /// Its function.
    pub function_oid: Oid,
    /// Its function's name.
    pub function: QualifiedName,
    /// It fires for each row, not once a statement.
    pub is_for_each_row: bool,
    /// It fires before the row is written.
    pub is_before: bool,
    /// It is a constraint trigger.
    pub is_constraint: bool,
    /// It sees the changed rows as tables (`referencing`).
    pub has_transition_tables: bool,
    /// Its comment.
    pub comment: Option<String>,
}

/// A view or materialised view that reads the table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct View {
    /// Its id.
    pub oid: Oid,
    /// Its name.
    pub name: QualifiedName,
    /// View or materialised view.
    pub kind: RelationKind,
    /// The query, names qualified, without a semicolon.
    pub definition: String,
    /// `security_barrier=true`, `check_option=local`…
    pub options: Vec<String>,
    /// It is some session's temporary view.
    pub is_temporary: bool,
    /// Its owner.
    pub owner: Ident,
    /// Its comment.
    pub comment: Option<String>,
    /// Its columns.
    pub columns: Vec<Ident>,
    /// A column of it has the table's row type (or an array of it).
    pub has_row_type_column: bool,
    /// Constraints of the table that its query relies on (`group by` a primary key).
    pub constraint_oids: Vec<Oid>,
}

/// By what a publication contains the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PublicationReach {
    /// The table is named.
    Table,
    /// Its schema is named.
    Schema,
    /// All tables.
    AllTables,
}

/// A publication that contains the table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Publication {
    /// Its name.
    pub name: Ident,
    /// Its owner.
    pub owner: Ident,
    /// By what it contains the table.
    pub reach: PublicationReach,
    /// It publishes changes of partitions as those of their root.
    pub is_via_root: bool,
    /// The columns that it publishes; none is all of them (PostgreSQL 15).
    pub columns: Option<Vec<Ident>>,
    /// Which rows it publishes; none is all of them (PostgreSQL 15).
    pub filter_sql: Option<String>,
}

/// Parents, children, partition key.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Inheritance {
    /// What it inherits from or is a partition of.
    pub parents: Vec<QualifiedName>,
    /// What inherits from it or is a partition of it.
    pub children: Vec<QualifiedName>,
    /// The partition key of a partitioned table: `HASH (team_id)`.
    pub partition_key: Option<String>,
}

/// Why something is listed in [`super::Table::dependents`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DependentReason {
    /// It uses the table's row type: a function's parameter, another table's column, a domain.
    RowType,
    /// It is the target of a logical replication subscription.
    Subscription,
    /// `pg_depend` has it, and we do not know why.
    Other,
}

/// Something that hangs on the table and has no list of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OtherDependent {
    /// Why it is here.
    pub why: DependentReason,
    /// The server's words for it (`pg_describe_object`).
    pub what: String,
}
