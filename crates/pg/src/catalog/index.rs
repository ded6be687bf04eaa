//! Indexes.

use serde::{Deserialize, Serialize};

use crate::ident::{Ident, QualifiedName};
use crate::value::Oid;

/// One column of an index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexColumn {
    /// The table's column; none for an expression.
    pub column: Option<Ident>,
    /// The column or expression as the server writes it.
    pub definition: String,
    /// It is carried along (`include`), not part of the key.
    pub is_included: bool,
    /// The operator class; none for included columns.
    pub opclass: Option<QualifiedName>,
    /// The operator class is the default of its type, and has no parameters.
    pub is_default_opclass: bool,
    /// The collation that orders it.
    pub collation: Option<QualifiedName>,
    /// The collation is that of the column.
    pub is_column_collation: bool,
    /// Descending.
    pub is_desc: bool,
    /// Nulls come first.
    pub is_nulls_first: bool,
    /// Statistics target of an expression, when it was set.
    pub statistics_target: Option<i32>,
}

/// An index of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Index {
    /// Its id. `reindex concurrently` changes it.
    pub oid: Oid,
    /// The index of the partitioned table that it is a part of.
    #[serde(default)]
    pub parent_oid: Option<Oid>,
    /// Its name, in the table's schema.
    pub name: Ident,
    /// `btree`, `gin`…
    pub method: Ident,
    /// The whole `create index` statement as the server writes it (it leaves out the tablespace).
    pub definition: String,
    /// Unique.
    pub is_unique: bool,
    /// The primary key's.
    pub is_primary: bool,
    /// An exclusion constraint's.
    pub is_exclusion: bool,
    /// Checked at once, not at the end of a transaction.
    pub is_immediate: bool,
    /// Complete and used.
    pub is_valid: bool,
    /// `cluster` would use it.
    pub is_clustered: bool,
    /// The replica identity.
    pub is_replica_identity: bool,
    /// Two nulls are equal (PostgreSQL 15).
    pub is_nulls_not_distinct: bool,
    /// The constraint that it carries out.
    pub constraint_oid: Option<Oid>,
    /// That constraint's name; the same as the index's.
    pub constraint_name: Option<Ident>,
    /// The predicate of a partial index.
    pub predicate: Option<String>,
    /// Some column is an expression.
    pub has_expressions: bool,
    /// Storage parameters.
    pub options: Vec<String>,
    /// The tablespace, when it is not the database's own.
    pub tablespace: Option<Ident>,
    /// Its comment.
    pub comment: Option<String>,
    /// Its size.
    pub bytes: i64,
    /// Its columns, included ones last.
    pub columns: Vec<IndexColumn>,
}

impl Index {
    /// The key columns, without the included ones.
    pub fn key(&self) -> impl Iterator<Item = &IndexColumn> {
        self.columns.iter().filter(|c| !c.is_included)
    }

    /// True when `name` is a plain key column.
    pub fn has_key_column(&self, name: &Ident) -> bool {
        self.key().any(|c| c.column.as_ref() == Some(name))
    }
}
