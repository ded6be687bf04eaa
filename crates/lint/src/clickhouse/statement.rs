//! What a statement says, as far as rules ask.

use std::ops::Range;

use super::script::Part;

/// A name, with its database where it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Name {
    pub(crate) database: Option<String>,
    pub(crate) object: String,
    pub(crate) span: Range<usize>,
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.database {
            Some(database) => write!(f, "{database}.{}", self.object),
            None => f.write_str(&self.object),
        }
    }
}

/// `IF EXISTS`, `IF NOT EXISTS`: whether it is there, and the byte where it would be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Guard {
    pub(crate) is_present: bool,
    pub(crate) at: usize,
}

/// `name = value`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Setting {
    pub(crate) name: String,
    pub(crate) value: String,
}

/// What kind of thing a statement is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Object {
    Database,
    Table,
    View,
    MaterializedView,
    Dictionary,
    Function,
}

impl Object {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Object::Database => "database",
            Object::Table => "table",
            Object::View => "view",
            Object::MaterializedView => "materialized view",
            Object::Dictionary => "dictionary",
            Object::Function => "function",
        }
    }
}

/// One statement.
#[derive(Debug, Clone)]
pub(crate) struct Statement {
    pub(crate) span: Range<usize>,
    pub(crate) cluster: Option<Cluster>,
    /// What is behind `SETTINGS` at its end.
    pub(crate) settings: Vec<Setting>,
    pub(crate) kind: Kind,
}

/// `ON CLUSTER name`.
#[derive(Debug, Clone)]
pub(crate) struct Cluster {
    pub(crate) name: String,
    pub(crate) span: Range<usize>,
}

#[derive(Debug, Clone)]
pub(crate) enum Kind {
    Create(Box<Create>),
    Alter(Alter),
    Drop(Drop),
    Detach(Drop),
    Attach(Name),
    Truncate(Drop),
    Rename(Vec<(Name, Name)>),
    Exchange(Vec<(Name, Name)>),
    Optimize(Optimize),
    Insert(Name),
    /// `DELETE FROM`, and `UPDATE … SET`: the ones without ALTER.
    LightDelete(Mutation),
    LightUpdate(Mutation),
    Set,
    Use(String),
    /// Known, and no rule speaks of it.
    Other,
}

#[derive(Debug, Clone)]
pub(crate) struct Create {
    pub(crate) object: Object,
    pub(crate) name: Name,
    pub(crate) guard: Guard,
    pub(crate) is_replace: bool,
    pub(crate) is_temporary: bool,
    pub(crate) is_attach: bool,
    pub(crate) columns: Vec<Column>,
    pub(crate) like: Option<Name>,
    pub(crate) query: Option<Part>,
    pub(crate) to: Option<Name>,
    pub(crate) engine: Option<Engine>,
    pub(crate) order_by: Option<Part>,
    pub(crate) primary_key: Option<Part>,
    pub(crate) partition_by: Option<Part>,
    pub(crate) populate: Option<Range<usize>>,
    /// `SOURCE(…)` of a dictionary.
    pub(crate) source: Option<Part>,
}

#[derive(Debug, Clone)]
pub(crate) struct Engine {
    pub(crate) name: String,
    /// Inside of the parentheses; nothing where there are none.
    pub(crate) arguments: Vec<Part>,
    pub(crate) span: Range<usize>,
}

impl Engine {
    pub(crate) fn is_replicated(&self) -> bool {
        self.name.starts_with("Replicated") || self.name.starts_with("Shared")
    }
    pub(crate) fn is_merge_tree(&self) -> bool {
        self.name.ends_with("MergeTree")
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) span: Range<usize>,
    pub(crate) data_type: Option<Part>,
    pub(crate) default: Option<Part>,
    pub(crate) codec: Option<(Part, Range<usize>)>,
    pub(crate) ttl: Option<Part>,
    pub(crate) has_comment: bool,
    /// `NULL` behind the type.
    pub(crate) is_null: bool,
    /// `REMOVE …`, `MODIFY SETTING`, `RESET SETTING`: the type stays.
    pub(crate) is_attribute_only: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Alter {
    pub(crate) table: Name,
    pub(crate) actions: Vec<Action>,
}

#[derive(Debug, Clone)]
pub(crate) struct Action {
    pub(crate) span: Range<usize>,
    pub(crate) what: What,
}

/// What can be added beside columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Piece {
    Column,
    Index,
    Projection,
    Constraint,
    Statistics,
    Ttl,
}

impl Piece {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Piece::Column => "column",
            Piece::Index => "index",
            Piece::Projection => "projection",
            Piece::Constraint => "constraint",
            Piece::Statistics => "statistics",
            Piece::Ttl => "TTL",
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) enum What {
    AddColumn {
        column: Column,
        guard: Guard,
    },
    ModifyColumn {
        column: Column,
    },
    RenameColumn {
        from: String,
        to: String,
        guard: Guard,
    },
    CommentColumn,
    Add {
        piece: Piece,
        name: String,
        guard: Guard,
    },
    Drop {
        piece: Piece,
        name: String,
        guard: Guard,
    },
    Clear(Piece),
    Materialize {
        piece: Piece,
        name: String,
        in_partition: bool,
    },
    ModifyTtl,
    RemoveTtl,
    ModifyOrderBy(Part),
    /// `PARTITION BY`, `PRIMARY KEY`, `ENGINE`: the server knows no such statement.
    ModifyKey(&'static str),
    ModifySampleBy,
    ModifyQuery(Part),
    ModifySetting,
    ModifyOther,
    Update(Mutation),
    Delete(Mutation),
    /// `DROP PARTITION`, `DETACH PART`, `MOVE PARTITION` …; the word before.
    Partition(String),
}

#[derive(Debug, Clone)]
pub(crate) struct Mutation {
    pub(crate) table: Name,
    pub(crate) in_partition: bool,
    /// Assignments and condition.
    pub(crate) expressions: Part,
}

#[derive(Debug, Clone)]
pub(crate) struct Drop {
    pub(crate) object: Object,
    pub(crate) names: Vec<Name>,
    pub(crate) guard: Guard,
    pub(crate) is_temporary: bool,
    pub(crate) is_sync: bool,
    /// `ALL TABLES FROM` a database, or the database itself.
    pub(crate) is_whole_database: bool,
    /// Where `SYNC` would be written.
    pub(crate) sync_at: usize,
}

#[derive(Debug, Clone)]
pub(crate) struct Optimize {
    pub(crate) table: Name,
    pub(crate) is_final: bool,
    pub(crate) in_partition: bool,
}
