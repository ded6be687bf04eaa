//! A table and everything that hangs on it, read as plain data.
//!
//! [`resolve`] finds the table that a person means, [`read_table`] reads it whole, [`fingerprint`] says cheaply
//! whether its definition is still the one that was read.
//!
//! **Invariant:** nothing here decides anything. What is found is named; what is unknown is found too
//! ([`Table::dependents`]), because a move that overlooks a dependent object breaks it.
//!
//! Traps:
//! - Definitions are texts of the server under `search_path = pg_catalog, pg_temp` (what [`crate::Session`] pins), so
//!   every name in them is qualified.
//! - `read_table` sends several statements: give it a repeatable-read transaction, else they see different moments.

mod attached;
mod column;
mod constraint;
mod dependent;
mod fingerprint;
mod grant;
mod index;
mod partition;
mod read;
mod resolve;
mod sequence;
mod table;

pub use attached::{
    ExtendedStatistics, ForeignUser, ForeignUserKind, MaterializedView, Policy, PolicyCommand, Rule,
    SecurityLabel,
};
pub use column::{Column, Generated, IdentityKind, NotNull};
pub use constraint::{Constraint, ConstraintKind, IncomingForeignKey, Referenced};
pub use dependent::{
    DependentReason, Inheritance, OtherDependent, Publication, PublicationReach, Trigger, TriggerEnabled,
    View,
};
pub use fingerprint::{Fingerprint, FingerprintEntry, fingerprint};
pub use grant::Grant;
pub use index::{Index, IndexColumn};
pub use partition::Partition;
pub use read::read_table;
pub use resolve::resolve;
pub use sequence::{Sequence, SequenceLink};
pub use table::{Persistence, RelationKind, ReplicaIdentity, Table};
