//! Sequences that a table's columns draw from.

use serde::{Deserialize, Serialize};

use super::{Grant, Persistence};
use crate::ident::{Ident, QualifiedName};
use crate::value::Oid;

/// How a sequence belongs to the column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SequenceLink {
    /// The column is an identity column; the sequence is a part of it.
    Identity,
    /// `owned by` the column: dropped with it.
    Owned,
    /// The column's default names it; it belongs to nobody or to another table.
    Default,
}

/// A sequence. Its last value is left out: it is no definition, and moves all the time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sequence {
    /// Its id.
    pub oid: Oid,
    /// Its name.
    pub name: QualifiedName,
    /// How it belongs to the column.
    pub link: SequenceLink,
    /// The column.
    pub column: Ident,
    /// `bigint`, `integer`, `smallint`.
    pub type_sql: String,
    /// First value.
    pub start: i64,
    /// Step.
    pub increment: i64,
    /// Lowest value.
    pub min: i64,
    /// Highest value.
    pub max: i64,
    /// Values that a session takes at once.
    pub cache: i64,
    /// It begins again at its end.
    pub is_cycling: bool,
    /// Logged or unlogged.
    pub persistence: Persistence,
    /// Its owner.
    pub owner: Ident,
    /// Its comment.
    pub comment: Option<String>,
    /// Privileges on it, the default ones written out.
    pub grants: Vec<Grant>,
}
