//! What is mirrored: source, target, key and columns.

use corridor_pg::{Ident, QualifiedName};
use serde::{Deserialize, Serialize};

/// A column of the mirror's key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyColumn {
    /// The column's name, the same on both sides.
    pub name: Ident,
    /// The type as the server writes it (`format_type`, qualified), for example `character varying(20)`.
    pub type_sql: String,
    /// The collation, when it is not the type's own.
    pub collation: Option<QualifiedName>,
}

/// How a column enters the digest of its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Digest {
    /// By its own hash function: two values that are equal are the same to the byte.
    Native,
    /// By its text: the type has no hash function, or its equality is looser than identity (`1.0 = 1.00`).
    Text,
}

/// A column that is copied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// The column's name, the same on both sides.
    pub name: Ident,
    /// How it is compared.
    pub digest: Digest,
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
    /// The columns that are copied, key columns included; generated ones are left out.
    pub columns: Vec<Column>,
}

impl MirrorSpec {
    /// A table of this mirror in the schema `corridor`: `change`, `lane`, `chunk`, `check`, `difference`.
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
