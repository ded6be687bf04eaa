//! The plan of a move: everything that it will do, as data, before anything is done.
//!
//! The runner carries the plan out; [`fn@plan`] makes it, and is pure. A plan is stored with its migration, so it is
//! versioned and serializable, and it holds the statements themselves: what was shown is what is done.

use corridor_mirror::spec::{Column, KeyColumn};
use corridor_pg::catalog::Fingerprint;
use corridor_pg::{Fault, Oid, QualifiedName, Result};
use serde::{Deserialize, Serialize};

use crate::estimate::Estimate;
use crate::shape::Shape;

mod copied;
mod fallback;
mod make;
mod mirror;
pub mod outline;
mod partition;
mod render;
mod source;
mod tree;
pub(crate) mod wanted;

pub use corridor_pg::lock_budget::LockMode;
pub use fallback::{FallbackView, WantedView};
pub use make::{PlanInput, plan};
pub use mirror::MirrorSteps;
pub use partition::{RangeType, check_columns, range_type};
pub use render::{facts, fold, render, repeated, with_locks};
pub use source::{check_relation, choose_key};

/// The version of [`MovePlan`]'s serialized form. A plan of another version is not carried out.
pub const PLAN_VERSION: u32 = 3;

/// The table that moves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// Its id: it survives the renames of the swap.
    pub oid: Oid,
    /// Its name, which the target has after the swap.
    pub name: QualifiedName,
}

/// How long the strongest lock of a step is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hold {
    /// No lock that stands in the way of the application.
    None,
    /// A change of the catalogue: milliseconds once the lock is granted.
    Brief,
    /// As long as the statement reads or builds; only on relations that the application does not use, or in a mode
    /// that lets it read and write.
    WholeBuild,
}

/// A lock on a relation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lock {
    /// The relation, by the name that it has when the lock is taken.
    pub relation: QualifiedName,
    /// The mode.
    pub mode: LockMode,
}

/// One statement of the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// What it is for, in a few words: `index persons_email_idx on persons_p3`.
    pub what: String,
    /// The statement, without a semicolon.
    pub sql: String,
    /// The locks that it takes on relations that the application may use.
    pub locks: Vec<Lock>,
    /// How long it holds them.
    pub hold: Hold,
}

/// One partition of the target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Partition {
    /// Its name after the swap.
    pub name: QualifiedName,
    /// Its name before the swap: the same, unless an old partition has it until then.
    #[serde(default)]
    pub made_as: Option<QualifiedName>,
    /// What stands after `partition of`: `for values with (modulus 4, remainder 0)` or `default`.
    pub bounds: String,
}

/// One partition of the source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OldPartition {
    /// Its id.
    pub oid: Oid,
    /// Its name before the swap.
    pub name: QualifiedName,
    /// Its name after the swap.
    pub parked: QualifiedName,
}

/// A unique key that has to take in the partition columns, and what is lost with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WidenedKey {
    /// The index or constraint.
    pub name: String,
    /// Its columns today.
    pub before: Vec<String>,
    /// Its columns in the target.
    pub after: Vec<String>,
    /// The guarantee that is lost, in a sentence.
    pub lost: String,
}

/// Something that stops the move: a code of [`crate::fault::PLAN_CODES`] and what is in the way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// For example `MOV-012`.
    pub code: String,
    /// The object, and why.
    pub detail: String,
}

/// A move, thought through to its end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MovePlan {
    /// [`PLAN_VERSION`] of the code that made it.
    pub version: u32,
    /// What makes temporary names of this move different from those of every other.
    pub tag: String,
    /// The major version of the server that it was made for.
    pub server_major: i32,
    /// The table that moves.
    pub source: Source,
    /// The new table's name before the swap (and again after a rollback).
    pub target: QualifiedName,
    /// The old table's name after the swap.
    pub parked: QualifiedName,
    /// The old table's name after `finish`.
    pub retired: QualifiedName,
    /// The wanted shape.
    pub shape: Shape,
    /// The target's partitions; empty for a plain table.
    pub partitions: Vec<Partition>,
    /// The source's partitions; empty for a plain table.
    #[serde(default)]
    pub old_partitions: Vec<OldPartition>,
    /// The mirror's key: a unique, not-null key of the source, in index order. The target has an index that begins
    /// with it.
    pub key: Vec<KeyColumn>,
    /// The reverse mirror's key: a unique, not-null key of the target. It begins with `key`.
    pub reverse_key: Vec<KeyColumn>,
    /// The columns that are copied, in the new table's order; generated ones, and those that only a default fills, are
    /// left out.
    pub columns: Vec<Column>,
    /// The old table's columns that are written on the way back.
    pub reverse_columns: Vec<Column>,
    /// There is no way back after the cut-over: nothing is mirrored.
    pub is_one_way: bool,
    /// Columns that need `overriding system value` when they are inserted are among them.
    pub has_identity_always: bool,
    /// The source's definition that the plan was made for.
    pub fingerprint: Fingerprint,
    /// Unique keys that take in the partition columns.
    pub widened: Vec<WidenedKey>,
    /// What a person should know before saying yes.
    pub warnings: Vec<String>,
    /// What stops the move. Empty, or nothing is done.
    pub refusals: Vec<Refusal>,
    /// Statements that somebody with the right to must run first. Empty, or nothing is done.
    pub missing_grants: Vec<String>,
    /// Rows, bytes, disk and WAL.
    pub estimate: Estimate,
    /// Makes the target with its partitions, key, checks, owner, grants: on empty tables.
    pub create: Vec<Step>,
    /// Indexes and unique constraints after the copy, in autocommit or own transactions; the applier waits.
    pub index: Vec<Step>,
    /// Right before the swap, each in a transaction of its own: what must be as fresh as can be.
    #[serde(default)]
    pub before_swap: Vec<Step>,
    /// Right before swapping back.
    #[serde(default)]
    pub before_swap_back: Vec<Step>,
    /// Begins the swap's transaction, and that of the way back: locks that `lock table` cannot take alone (views).
    pub swap_first: Vec<Step>,
    /// What the swap locks, in this order, in its transaction, before it does anything.
    pub swap_locks: Vec<Lock>,
    /// The swap itself: one transaction, catalogue changes only.
    pub swap: Vec<Step>,
    /// After the swap: validates, each step in a transaction of its own.
    pub settle: Vec<Step>,
    /// What swapping back locks, in this order. Names are those after the swap.
    pub swap_back_locks: Vec<Lock>,
    /// The swap's mirror image: one transaction.
    pub swap_back: Vec<Step>,
    /// After swapping back: validates, each step in a transaction of its own.
    pub settle_back: Vec<Step>,
    /// `--fallback-view`.
    pub fallback_view: Option<FallbackView>,
    /// What rollback before the swap locks, and the cleaning up after swapping back: one transaction.
    pub clean_up_locks: Vec<Lock>,
    /// What `finish` locks, in both its forms, before it does anything: one transaction.
    pub finish_locks: Vec<Lock>,
    /// Removes the target (rollback before the swap, or after swapping back).
    pub drop_target: Vec<Step>,
    /// `finish`: puts the old table into the schema `corridor_retired`.
    pub retire: Vec<Step>,
    /// `finish --drop`: drops the old table.
    pub drop_parked: Vec<Step>,
}

impl MovePlan {
    /// The source's partitions, by the names that they have before the swap.
    pub fn old_leaves(&self) -> Vec<QualifiedName> {
        self.old_partitions.iter().map(|p| p.name.clone()).collect()
    }

    /// The target's partitions, by the names that they have after the swap.
    pub fn new_leaves(&self) -> Vec<QualifiedName> {
        self.partitions.iter().map(|p| p.name.clone()).collect()
    }

    /// True when the relation is a partition of the source or of the target, at whatever time.
    pub fn is_partition(&self, name: &QualifiedName) -> bool {
        let new = self.partitions.iter();
        let old = self.old_partitions.iter();
        new.flat_map(|p| std::iter::once(&p.name).chain(&p.made_as))
            .chain(old.flat_map(|p| [&p.name, &p.parked]))
            .any(|known| known == name)
    }

    /// What its mirrors add to its own statements, with `n` for the number that the migration will have.
    pub fn mirror_steps(&self) -> MirrorSteps {
        MirrorSteps::of(self)
    }

    /// Fails when the plan must not be carried out: with the first refusal's code and all that is in the way.
    pub fn check_executable(&self) -> Result<()> {
        if let Some(first) = self.refusals.first() {
            let all: Vec<_> = self
                .refusals
                .iter()
                .map(|r| format!("{}: {}", r.code, r.detail))
                .collect();
            return Err(Fault::new(crate::fault::by_id(&first.code), all.join("; ")));
        }
        if !self.missing_grants.is_empty() {
            return Err(Fault::new(
                &crate::fault::MISSING_PRIVILEGE,
                self.missing_grants.join("; "),
            ));
        }
        Ok(())
    }
}
