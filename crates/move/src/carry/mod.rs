//! How each kind of object that hangs on a table gets to the new one, and back.
//!
//! One kind, one file, one function `carry(&Carry, &mut Carried)`. It reads what the table has and adds its share:
//! clauses of the target's `create table`, steps after it, its part of the swap and of the way back, what must be
//! validated afterwards, and what stands in the way.
//!
//! The swap runs in phases, and the way back runs through the same ones:
//!
//! | phase | what happens | the live table is called | the arriving table is called |
//! |---|---|---|---|
//! | `detach` | foreign keys dropped, triggers switched off | `NAME` | temporary |
//! | `aside` | the live table's indexes and sequences are renamed | `NAME` | temporary |
//! | (tables are renamed) | | | |
//! | `arrive` | the arriving table's indexes and sequences get the lasting names | temporary | `NAME` |
//! | `attach` | sequences, views, triggers, foreign keys | temporary | `NAME` |
//! | `finish` | comments on what `attach` made | temporary | `NAME` |
//!
//! **Invariant:** from `arrive` on, every definition that the server wrote for the source holds for the arriving table
//! word for word, because it has the name.
//!
//! **Invariant:** no step of the swap reads or writes rows.

use corridor_pg::catalog::{Grant, RelationKind, Table};
use corridor_pg::{Code, Ident, Oid, QualifiedName};

use crate::names::Names;
use crate::plan::{Hold, Lock, LockMode, Refusal, Step, WidenedKey};
use crate::shape::Shape;

pub mod check;
pub mod comment;
pub mod default;
pub mod definition;
pub mod event_trigger;
pub mod exclusion;
pub mod foreign_key;
pub mod foreign_user;
pub mod generated;
pub mod grant;
pub mod identity;
pub mod index;
pub mod materialized_view;
pub mod not_null;
pub mod owner;
pub mod partition;
pub mod policy;
pub mod publication;
pub mod refused;
pub mod reloption;
pub mod replica_identity;
pub mod rule;
pub mod security_label;
pub mod sequence;
pub mod statistics;
pub mod storage;
pub mod trigger;
pub mod unique;
pub mod view;

#[cfg(test)]
pub(crate) mod sample;

/// What every kind is planned from.
#[derive(Debug, Clone, Copy)]
pub struct Carry<'a> {
    /// What the new table is to be, with everything that hangs on it: the source, unless the shape is in the user's own
    /// words.
    pub table: &'a Table,
    /// The old table.
    pub source: &'a Table,
    /// All names.
    pub names: &'a Names,
    /// The wanted shape.
    pub shape: &'a Shape,
    /// The server's major version.
    pub major: i32,
    /// The index that carries the mirror's key.
    pub key_index: Oid,
    /// The role that carries the plan out.
    pub role: &'a Ident,
    /// What the server grants by itself when this role makes a table in this schema.
    pub default_table_grants: &'a [Grant],
    /// The same for sequences.
    pub default_sequence_grants: &'a [Grant],
    /// The role sees every row, whatever row security says.
    pub is_bypassing_row_security: bool,
    /// Roles whose part this role can take, to give again what they gave.
    pub assumable_grantors: &'a [Ident],
    /// What the source's partitions grant, when all of them grant the same; nothing for a plain source.
    pub partition_grants: &'a [Grant],
    /// How many values an identity sequence skips in the swap: as many as sessions may be drawing at that moment.
    pub sequence_gap: i64,
}

impl Carry<'_> {
    /// What statements about the relation call it.
    pub fn kind_word(&self) -> &'static str {
        match self.table.kind {
            RelationKind::MaterializedView => "materialized view",
            _ => "table",
        }
    }

    /// The partition columns that a unique key with these columns lacks.
    pub fn missing_columns<'c>(&'c self, has: impl Fn(&Ident) -> bool + 'c) -> Vec<&'c Ident> {
        self.shape.columns().iter().filter(|c| !has(c)).collect()
    }

    /// True when the target is a partitioned table.
    pub fn is_partitioned(&self) -> bool {
        match self.shape {
            Shape::Same => self.is_source_partitioned(),
            other => other.is_partitioned(),
        }
    }

    /// True when the source is a partitioned table.
    pub fn is_source_partitioned(&self) -> bool {
        self.source.kind == RelationKind::PartitionedTable
    }
}

/// Steps of a swap, by phase.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Phases {
    /// Foreign keys dropped, triggers switched off.
    pub detach: Vec<Step>,
    /// The live table's indexes and sequences are renamed out of the way.
    pub aside: Vec<Step>,
    /// The arriving table's indexes and sequences get the lasting names.
    pub arrive: Vec<Step>,
    /// Sequences, views, triggers, foreign keys.
    pub attach: Vec<Step>,
    /// Comments on what `attach` made.
    pub finish: Vec<Step>,
}

/// What all kinds together add to the plan.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Carried {
    /// Clauses behind a column's name and type in the target's `create table`.
    pub column_clauses: Vec<(Ident, String)>,
    /// Table constraints in the target's `create table`.
    pub table_clauses: Vec<String>,
    /// `using`, `with`, `tablespace` of the relations that store rows.
    pub storage_clause: String,
    /// `tablespace` of a partitioned target.
    pub parent_clause: String,
    /// Steps on the target before it has partitions; the partitions inherit what they do.
    pub create_parent: Vec<Step>,
    /// Steps on the target with its partitions, all of them empty.
    pub create: Vec<Step>,
    /// Steps after the copy.
    pub index: Vec<Step>,
    /// Steps of the swap's transaction before its locks.
    pub swap_first: Vec<Step>,
    /// Right before the swap, each in its own transaction.
    pub before_swap: Vec<Step>,
    /// Right before the way back.
    pub before_swap_back: Vec<Step>,
    /// Before the target is dropped.
    pub drop_new: Vec<Step>,
    /// Before the old table is retired or dropped.
    pub drop_old: Vec<Step>,
    /// Locks that the swap and the way back need on other relations.
    pub locks: Vec<Lock>,
    /// The swap.
    pub forward: Phases,
    /// The way back.
    pub back: Phases,
    /// After the swap.
    pub settle: Vec<Step>,
    /// After the way back.
    pub settle_back: Vec<Step>,
    /// On the parked table before it is retired.
    pub retire: Vec<Step>,
    /// Unique keys that take in the partition columns.
    pub widened: Vec<WidenedKey>,
    /// What a person should know.
    pub warnings: Vec<String>,
    /// What stands in the way.
    pub refusals: Vec<Refusal>,
}

impl Phases {
    /// Adds the steps of others, phase by phase.
    pub fn extend(&mut self, others: Phases) {
        self.detach.extend(others.detach);
        self.aside.extend(others.aside);
        self.arrive.extend(others.arrive);
        self.attach.extend(others.attach);
        self.finish.extend(others.finish);
    }
}

impl Carried {
    /// Adds what stands in the way.
    pub fn refuse(&mut self, code: &'static Code, detail: impl Into<String>) {
        self.refusals.push(Refusal {
            code: code.id.to_owned(),
            detail: detail.into(),
        });
    }

    /// Takes in what another table of the same move adds, save what it is made of.
    pub fn merge(&mut self, other: Carried) {
        self.index.extend(other.index);
        self.swap_first.extend(other.swap_first);
        self.before_swap.extend(other.before_swap);
        self.before_swap_back.extend(other.before_swap_back);
        self.drop_new.extend(other.drop_new);
        self.drop_old.extend(other.drop_old);
        for lock in other.locks {
            self.lock(&lock.relation, lock.mode);
        }
        self.forward.extend(other.forward);
        self.back.extend(other.back);
        self.settle.extend(other.settle);
        self.settle_back.extend(other.settle_back);
        self.retire.extend(other.retire);
        self.widened.extend(other.widened);
        for warning in other.warnings {
            if !self.warnings.contains(&warning) {
                self.warnings.push(warning);
            }
        }
        self.refusals.extend(other.refusals);
    }

    /// Adds a clause behind a column.
    pub fn column(&mut self, column: &Ident, clause: String) {
        self.column_clauses.push((column.clone(), clause));
    }

    /// Adds a lock on another relation, once and in its strongest mode.
    pub fn lock(&mut self, relation: &QualifiedName, mode: LockMode) {
        match self.locks.iter_mut().find(|l| &l.relation == relation) {
            Some(lock) => lock.mode = lock.mode.max(mode),
            None => self.locks.push(Lock {
                relation: relation.clone(),
                mode,
            }),
        }
    }
}

/// Lets every kind add its share, in the order in which their steps must stand.
pub fn carry_all(carry: &Carry<'_>) -> Carried {
    let mut out = Carried::default();
    refused::carry(carry, &mut out);
    event_trigger::carry(carry, &mut out);
    default::carry(carry, &mut out);
    generated::carry(carry, &mut out);
    identity::carry(carry, &mut out);
    not_null::carry(carry, &mut out);
    storage::carry(carry, &mut out);
    check::carry(carry, &mut out);
    reloption::carry(carry, &mut out);
    unique::carry(carry, &mut out);
    exclusion::carry(carry, &mut out);
    index::carry(carry, &mut out);
    replica_identity::carry(carry, &mut out);
    owner::carry(carry, &mut out);
    grant::carry(carry, &mut out);
    sequence::carry(carry, &mut out);
    security_label::carry(carry, &mut out);
    statistics::carry(carry, &mut out);
    view::carry(carry, &mut out);
    materialized_view::carry(carry, &mut out);
    foreign_user::carry(carry, &mut out);
    rule::carry(carry, &mut out);
    policy::carry(carry, &mut out);
    trigger::carry(carry, &mut out);
    foreign_key::carry(carry, &mut out);
    publication::carry(carry, &mut out);
    comment::carry(carry, &mut out);
    out
}

impl Step {
    /// A step that takes no lock which the application could meet.
    pub fn new(what: impl Into<String>, sql: impl Into<String>) -> Self {
        Step {
            what: what.into(),
            sql: sql.into(),
            locks: Vec::new(),
            hold: Hold::None,
        }
    }

    /// A change of the catalogue under these locks.
    #[must_use]
    pub fn brief<'l>(mut self, locks: impl IntoIterator<Item = (&'l QualifiedName, LockMode)>) -> Self {
        self.hold = Hold::Brief;
        self.locks(locks)
    }

    /// Reads or builds under these locks.
    #[must_use]
    pub fn whole_build<'l>(mut self, locks: impl IntoIterator<Item = (&'l QualifiedName, LockMode)>) -> Self {
        self.hold = Hold::WholeBuild;
        self.locks(locks)
    }

    fn locks<'l>(mut self, locks: impl IntoIterator<Item = (&'l QualifiedName, LockMode)>) -> Self {
        let lock = |(relation, mode): (&QualifiedName, LockMode)| Lock {
            relation: relation.clone(),
            mode,
        };
        self.locks = locks.into_iter().map(lock).collect();
        self
    }
}
