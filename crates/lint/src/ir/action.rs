//! The actions of `alter table` and its siblings, and what they are of.

use super::{Column, Constraint, Expression, Name, Span, TypeName};

/// One action of `alter table` and its siblings.
#[derive(Debug, Clone)]
pub struct Action {
    /// Where it stands.
    pub span: Span,
    /// What it does.
    pub kind: ActionKind,
}

/// What an action does.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "named as SQL names them")]
pub enum ActionKind {
    AddColumn {
        column: Column,
        if_not_exists: bool,
    },
    DropColumn {
        column: String,
        cascade: bool,
    },
    RenameColumn {
        from: String,
        to: String,
    },
    Rename {
        to: String,
    },
    RenameConstraint {
        from: String,
        to: String,
    },
    SetSchema {
        schema: String,
    },
    AlterType {
        column: String,
        type_name: TypeName,
        has_using: bool,
        has_collate: bool,
    },
    SetNotNull {
        column: String,
    },
    DropNotNull {
        column: String,
    },
    SetDefault {
        column: String,
        value: Expression,
    },
    DropDefault {
        column: String,
    },
    AddIdentity {
        column: String,
    },
    DropIdentity {
        column: String,
    },
    DropExpression {
        column: String,
    },
    SetExpression {
        column: String,
    },
    SetStatistics,
    SetStorage,
    SetCompression,
    SetColumnOptions,
    AddConstraint(Constraint),
    DropConstraint {
        name: String,
        cascade: bool,
    },
    ValidateConstraint {
        name: String,
    },
    AlterConstraint {
        name: String,
        not_enforced: bool,
        enforced: bool,
    },
    AttachPartition {
        partition: Name,
        is_default: bool,
    },
    DetachPartition {
        partition: Name,
        concurrently: bool,
        finalize: bool,
    },
    Inherit {
        parent: Name,
    },
    NoInherit {
        parent: Name,
    },
    SetOptions {
        names: Vec<String>,
    },
    SetUnlogged,
    SetLogged,
    SetTablespace,
    SetAccessMethod,
    ClusterOn,
    ReplicaIdentity {
        nothing: bool,
    },
    EnableRowSecurity,
    DisableRowSecurity,
    ForceRowSecurity,
    OwnerTo,
    EnableTrigger,
    DisableTrigger,
    Rule,
    Other(String),
}

/// What kind of relation `alter … ` speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "named as SQL names them")]
pub enum Object {
    Table,
    Index,
    View,
    MaterializedView,
    Sequence,
    ForeignTable,
    Schema,
    Type,
    Domain,
    Function,
    Trigger,
    Policy,
    Rule,
    Extension,
    Publication,
    Statistics,
    Database,
    Owned,
    Other,
}

impl Object {
    /// As SQL calls it.
    pub const fn word(self) -> &'static str {
        match self {
            Object::Table => "table",
            Object::Index => "index",
            Object::View => "view",
            Object::MaterializedView => "materialized view",
            Object::Sequence => "sequence",
            Object::ForeignTable => "foreign table",
            Object::Schema => "schema",
            Object::Type => "type",
            Object::Domain => "domain",
            Object::Function => "function",
            Object::Trigger => "trigger",
            Object::Policy => "policy",
            Object::Rule => "rule",
            Object::Extension => "extension",
            Object::Publication => "publication",
            Object::Statistics => "statistics",
            Object::Database => "database",
            Object::Owned => "what a role owns",
            Object::Other => "object",
        }
    }
}
