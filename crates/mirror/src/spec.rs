//! What is mirrored: source, target, key and columns.

use corridor_pg::{Ident, QualifiedName};
use serde::{Deserialize, Serialize};

/// A column of the mirror's key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyColumn {
    /// The column's name in the source.
    pub name: Ident,
    /// Its name in the target, when it has another one there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_name: Option<Ident>,
    /// The type as the server writes it (`format_type`, qualified), for example `character varying(20)`. Where the two
    /// sides have different types, the one that holds the values of both; all three must have one order.
    pub type_sql: String,
    /// The collation, when it is not the type's own.
    pub collation: Option<QualifiedName>,
}

impl KeyColumn {
    /// The column's name in the target.
    pub fn target_name(&self) -> &Ident {
        self.target_name.as_ref().unwrap_or(&self.name)
    }
}

/// How a column enters the digest of its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Digest {
    /// By its own hash function: two values that are equal are the same to the byte.
    Native,
    /// By its text: the type has no hash function, or its equality is looser than identity (`1.0 = 1.00`).
    Text,
    /// By its text as jsonb: blanks and the order of members mean nothing.
    Json,
    /// Not at all: the source knows nothing of what the target keeps there.
    Nothing,
}

/// What a column of the target is made from, when it is not the source's column of the same name and type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Value {
    /// An expression over the source's row, which is called `s`: what is assigned to the column. A function of that row
    /// alone. The assignment may still fail (too long, out of range): then the row does not fit.
    pub sql: String,
    /// The same as the column keeps it: cast to its very type, rounded and padded. Only compared, never written.
    pub stored_sql: String,
    /// The source's columns that it reads.
    pub reads: Vec<Ident>,
}

/// A column that is copied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// The column's name in the target.
    pub name: Ident,
    /// How it is compared.
    pub digest: Digest,
    /// What it is made from; none: the source's column of this name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
}

/// Everything that the statements of a mirror are made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MirrorSpec {
    /// Distinguishes the mirror's own tables and functions: migration id and direction, `7_fwd`, `7_rev`.
    /// Lower-case letters, digits and underscores only.
    pub tag: String,
    /// Where the application writes.
    pub source: QualifiedName,
    /// What is kept equal.
    pub target: QualifiedName,
    /// A unique, not-null key of the source, in index order. The target has an index that begins with it.
    pub key: Vec<KeyColumn>,
    /// The columns that are copied, key columns included; generated ones, and those of the target that nothing is
    /// copied to, are left out.
    pub columns: Vec<Column>,
    /// Rows that do not fit into the target are noted in the table `unfit` and passed over. Else they end the work.
    #[serde(default)]
    pub is_noting_unfit: bool,
}

impl MirrorSpec {
    /// A table of this mirror in the schema `corridor`: `change`, `lane`, `chunk`, `check`, `difference`,
    /// `unfit`.
    pub fn table(&self, kind: &str) -> QualifiedName {
        QualifiedName::new(
            Ident::derived("corridor", ""),
            Ident::derived(kind, &format!("_{}", self.tag)),
        )
    }

    /// The name of a capture trigger or capture function: `corridor_capture_7_fwd_new`.
    pub fn capture_name(&self, what: &str) -> Ident {
        Ident::derived("corridor_capture", &format!("_{}_{what}", self.tag))
    }
}
