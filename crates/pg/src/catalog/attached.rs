//! Policies, rules, extended statistics, security labels, and what of other objects names the table.

use serde::{Deserialize, Serialize};

use super::{Table, TriggerEnabled};
use crate::ident::{Ident, QualifiedName};
use crate::value::Oid;

/// What a row security policy is about (`pg_policy.polcmd`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum PolicyCommand {
    /// Every command.
    #[serde(rename = "*")]
    All,
    /// `select`.
    #[serde(rename = "r")]
    Select,
    /// `insert`.
    #[serde(rename = "a")]
    Insert,
    /// `update`.
    #[serde(rename = "w")]
    Update,
    /// `delete`.
    #[serde(rename = "d")]
    Delete,
}

/// A row security policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// Its id.
    pub oid: Oid,
    /// Its name, unique in the table.
    pub name: Ident,
    /// It opens rows; a restrictive one closes them.
    pub is_permissive: bool,
    /// What it is about.
    pub command: PolicyCommand,
    /// Whom it binds; none is everybody (`public`).
    pub roles: Vec<Option<Ident>>,
    /// Which rows are seen.
    pub using_sql: Option<String>,
    /// Which rows may be written.
    pub check_sql: Option<String>,
    /// Its comment.
    pub comment: Option<String>,
}

/// A rewrite rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// Its id.
    pub oid: Oid,
    /// Its name, unique in the table.
    pub name: Ident,
    /// The whole `create rule` statement as the server writes it, without a semicolon.
    pub definition: String,
    /// When it is applied.
    pub enabled: TriggerEnabled,
    /// Its comment.
    pub comment: Option<String>,
}

/// Extended statistics.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExtendedStatistics {
    /// Their id.
    pub oid: Oid,
    /// Their name, which may be of another schema than the table's.
    pub name: QualifiedName,
    /// The whole `create statistics` statement as the server writes it.
    pub definition: String,
    /// The statistics target, when it was set.
    pub target: Option<i32>,
    /// Their owner.
    pub owner: Ident,
    /// Their comment.
    pub comment: Option<String>,
}

/// A security label on the table or a column of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecurityLabel {
    /// The module that gives it a meaning.
    pub provider: Ident,
    /// The column; none is the table.
    pub column: Option<Ident>,
    /// The label.
    pub label: String,
}

/// What kind of object names the table from elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ForeignUserKind {
    /// A policy of another table, with a subquery.
    Policy,
    /// A rule of another table or of a view.
    Rule,
    /// A function or procedure with an SQL-standard body, or with a default that names the table.
    Function,
}

/// A part of another object that names the table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForeignUser {
    /// Its id.
    pub oid: Oid,
    /// What it is.
    pub kind: ForeignUserKind,
    /// Its name, for people: `seen on public.orders`.
    pub name: String,
    /// The relation that it belongs to; none for a function.
    pub relation_oid: Option<Oid>,
    /// That relation's name.
    pub relation: Option<QualifiedName>,
    /// A statement that says it again, in place.
    pub definition: String,
    /// Who owns it, or its relation.
    pub owner: Ident,
}

/// A materialised view that reads the table, directly or through another one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MaterializedView {
    /// It, as a relation with everything that hangs on it; it has no list of materialised views itself.
    pub relation: Table,
    /// Its query without a semicolon. Names of the schemas in `search_path` are not qualified in it.
    pub definition: String,
    /// The search path under which `definition` means what it means.
    pub search_path: String,
    /// It was ever filled.
    pub is_populated: bool,
    /// Row security of the table narrows what its owner, as whom it is filled, sees.
    pub is_narrowed: bool,
}
