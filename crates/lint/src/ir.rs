//! Statements as the rules see them: our own tree, every node with its bytes in the file.

mod action;

use std::fmt;
use std::ops::Range;

pub use action::{Action, ActionKind, Object};

/// Bytes of the file.
pub type Span = Range<usize>;

/// A file, read.
#[derive(Debug, Clone, Default)]
pub struct Script {
    /// The statements, in their order.
    pub statements: Vec<Statement>,
    /// The comments, in their order.
    pub comments: Vec<Comment>,
}

/// A comment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comment {
    /// Where it stands.
    pub span: Span,
    /// What it says, without its marks.
    pub text: String,
}

/// One statement.
#[derive(Debug, Clone)]
pub struct Statement {
    /// Where it stands, without the semicolon.
    pub span: Span,
    /// What it is.
    pub kind: Kind,
}

/// The name of an object. Folded as the server folds it.
#[derive(Debug, Clone, Eq, Default)]
pub struct Name {
    /// As far as the text, or the search path that it sets, says it.
    pub schema: Option<String>,
    /// The name itself.
    pub name: String,
    /// Where it stands.
    pub span: Span,
}

impl Name {
    /// Whether both may be one object: a schema that is not said is not known to be another.
    pub fn is(&self, other: &Name) -> bool {
        self.name == other.name
            && match (&self.schema, &other.schema) {
                (Some(one), Some(two)) => one == two,
                (None, Some(schema)) | (Some(schema), None) => schema == "public",
                (None, None) => true,
            }
    }

    /// As SQL takes it.
    pub fn sql(&self) -> String {
        match &self.schema {
            Some(schema) => format!("{}.{}", quoted(schema), quoted(&self.name)),
            None => quoted(&self.name),
        }
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Name) -> bool {
        self.schema == other.schema && self.name == other.name
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sql())
    }
}

/// `text` as an identifier, in quotes where it needs them.
pub fn quoted(text: &str) -> String {
    let is_plain = text.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && text
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if is_plain {
        text.to_owned()
    } else {
        format!("\"{}\"", text.replace('"', "\"\""))
    }
}

/// An expression, as far as rules ask for it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expression {
    /// Its text.
    pub text: String,
    /// Where it stands.
    pub span: Span,
    /// Functions that it calls, without their schemas.
    pub calls: Vec<String>,
    /// Names in it that may be columns.
    pub columns: Vec<String>,
    /// The column of which it says `is not null`, if that is all, or one of the parts that `and` joins.
    pub proves_not_null: Vec<String>,
    /// It is nothing but NULL.
    pub is_null: bool,
}

/// A type.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TypeName {
    /// Its name as the catalogue has it: `int4`, `varchar`, `timestamptz`.
    pub base: String,
    /// What stands in parentheses.
    pub modifiers: Vec<i64>,
    /// An array of it.
    pub is_array: bool,
    /// Where it stands.
    pub span: Span,
}

impl TypeName {
    /// `serial` and its siblings.
    pub fn is_serial(&self) -> bool {
        matches!(self.base.as_str(), "serial" | "bigserial" | "smallserial")
    }
}

impl fmt::Display for TypeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.base)?;
        if !self.modifiers.is_empty() {
            let list: Vec<_> = self.modifiers.iter().map(ToString::to_string).collect();
            write!(f, "({})", list.join(","))?;
        }
        f.write_str(if self.is_array { "[]" } else { "" })
    }
}

/// A column as `create table` or `add column` makes it.
#[derive(Debug, Clone, Default)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Where the whole definition stands.
    pub span: Span,
    /// Its type.
    pub type_name: TypeName,
    /// `not null`, or `primary key`.
    pub is_not_null: bool,
    /// Its default.
    pub default: Option<Expression>,
    /// `generated … as identity`.
    pub is_identity: bool,
    /// `generated always as (…)`: kept in the row, or worked out at each reading.
    pub generated: Option<Generated>,
    /// Constraints that stand at the column.
    pub constraints: Vec<Constraint>,
}

/// A generated column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Generated {
    /// `stored`
    Stored,
    /// `virtual`
    Virtual,
}

/// A constraint.
#[derive(Debug, Clone)]
pub struct Constraint {
    /// Its name, where one is given.
    pub name: Option<String>,
    /// Where it stands.
    pub span: Span,
    /// What it demands.
    pub kind: ConstraintKind,
    /// `not valid`
    pub is_not_valid: bool,
    /// Where its text ends before `not valid`: the place for it.
    pub definition: String,
}

/// What a constraint demands.
#[derive(Debug, Clone)]
pub enum ConstraintKind {
    /// `check (…)`
    Check(Expression),
    /// `foreign key`
    ForeignKey {
        /// The columns here.
        columns: Vec<String>,
        /// The table that is pointed to.
        references: Name,
    },
    /// `unique`, with `using index` perhaps.
    Unique {
        /// Its columns.
        columns: Vec<String>,
        /// The index that becomes it.
        using_index: Option<String>,
    },
    /// `primary key`, with `using index` perhaps.
    PrimaryKey {
        /// Its columns.
        columns: Vec<String>,
        /// The index that becomes it.
        using_index: Option<String>,
    },
    /// `exclude`
    Exclude,
    /// `not null column`, from 18 on.
    NotNull(String),
}

/// `create table`
#[derive(Debug, Clone, Default)]
pub struct CreateTable {
    /// Its name.
    pub name: Name,
    /// Its columns.
    pub columns: Vec<Column>,
    /// Its constraints, those at columns not among them.
    pub constraints: Vec<Constraint>,
    /// `partition of`
    pub partition_of: Option<Name>,
    /// `partition by`
    pub is_partitioned: bool,
    /// `default` partition.
    pub is_default_partition: bool,
    /// `inherits`
    pub inherits: Vec<Name>,
    /// `temporary`
    pub is_temporary: bool,
    /// `unlogged`
    pub is_unlogged: bool,
    /// `if not exists`
    pub if_not_exists: bool,
    /// `as select …`
    pub is_as: bool,
    /// `like`: its columns are not known from the text.
    pub has_like: bool,
}

/// `create index`
#[derive(Debug, Clone, Default)]
pub struct CreateIndex {
    /// Its name, where one is given.
    pub name: Option<Name>,
    /// The table.
    pub table: Name,
    /// `only`
    pub is_only: bool,
    /// `unique`
    pub is_unique: bool,
    /// `concurrently`
    pub is_concurrent: bool,
    /// `if not exists`
    pub if_not_exists: bool,
    /// Its columns, where they are plain.
    pub columns: Vec<String>,
    /// Where the word `index` ends: the place for `concurrently`.
    pub after_index: usize,
    /// What stands behind the table's name.
    pub definition: String,
}

/// What a `reindex` is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "named as SQL names them")]
pub enum ReindexTarget {
    Index,
    Table,
    Schema,
    Database,
}

/// What is set, and for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// Its name, in lower case.
    pub name: String,
    /// Its value as text; `None` gives the default back.
    pub value: Option<String>,
    /// Until the end of the transaction only.
    pub is_local: bool,
}

/// What a statement is.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "named as SQL names them")]
pub enum Kind {
    Alter {
        object: Object,
        name: Name,
        if_exists: bool,
        only: bool,
        actions: Vec<Action>,
    },
    CreateTable(CreateTable),
    CreateIndex(CreateIndex),
    CreateView {
        name: Name,
        materialized: bool,
        with_data: bool,
        reads: Vec<Name>,
    },
    CreateTrigger {
        name: String,
        table: Name,
    },
    CreateRule {
        table: Name,
    },
    CreatePolicy {
        table: Name,
    },
    CreateType {
        name: Name,
        labels: Vec<String>,
    },
    CreateDomain {
        name: Name,
        is_constrained: bool,
    },
    CreateSchema {
        name: String,
    },
    CreateSequence {
        name: Name,
    },
    CreateFunction {
        name: Name,
    },
    CreatePublication {
        tables: Vec<Name>,
        all_tables: bool,
    },
    AlterPublication {
        tables: Vec<Name>,
    },
    CreateStatistics {
        table: Option<Name>,
    },
    CreateExtension {
        name: String,
    },
    CreateDatabase,
    Drop {
        object: Object,
        names: Vec<Name>,
        on: Option<Name>,
        concurrently: bool,
        cascade: bool,
        if_exists: bool,
        after_object: usize,
    },
    Reindex {
        target: ReindexTarget,
        name: Name,
        concurrently: bool,
        after_target: usize,
    },
    Refresh {
        name: Name,
        concurrently: bool,
        with_data: bool,
        after_view: usize,
    },
    Truncate {
        tables: Vec<Name>,
        cascade: bool,
    },
    Lock {
        tables: Vec<Name>,
        mode: String,
    },
    Vacuum {
        tables: Vec<Name>,
        full: bool,
    },
    Cluster {
        table: Option<Name>,
    },
    Analyze {
        tables: Vec<Name>,
    },
    AlterDomain {
        name: Name,
        action: DomainAction,
    },
    AlterTypeAddValue {
        name: Name,
        value: String,
        if_not_exists: bool,
    },
    AlterTypeRenameValue {
        name: Name,
    },
    Comment {
        object: Object,
        name: Option<Name>,
    },
    Grant {
        tables: Vec<Name>,
    },
    Insert {
        table: Name,
        columns: Vec<String>,
        from_query: bool,
    },
    Update {
        table: Name,
        columns: Vec<String>,
        has_where: bool,
    },
    Delete {
        table: Name,
        has_where: bool,
    },
    Merge {
        table: Name,
    },
    Copy {
        table: Option<Name>,
        is_from: bool,
    },
    Select {
        calls: Vec<String>,
        set: Option<Setting>,
        strings: Vec<String>,
    },
    Set(Setting),
    ResetAll,
    SearchPath(Vec<String>),
    Begin,
    Commit {
        chain: bool,
    },
    Rollback {
        chain: bool,
    },
    RollbackTo(String),
    Savepoint(String),
    Release(String),
    AlterSystem,
    /// Read, and known to lock no table of the application.
    Harmless(&'static str),
    /// What cannot be judged, and why.
    NotEvaluated {
        why: String,
    },
}

/// What is done to a domain.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "named as SQL names them")]
pub enum DomainAction {
    AddCheck { is_not_valid: bool },
    SetNotNull,
    Validate,
    Other,
}
