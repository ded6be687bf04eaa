//! The one rule: copying, catching up, repairing and syncing back are one operation, *refresh*.
//!
//! A [`Mirror`] keeps a *target* table equal to a *source* table while an application writes to the source.
//! Six facts per mirror live in tables of their own in the schema `corridor`, with the key's native types, so
//! that every comparison of keys is made by the server, in the key's own order and collation:
//!
//! | table | holds | written by |
//! |---|---|---|
//! | `change_<tag>` | the change log: key and transaction id of every write to the source, in its slots `change_<tag>_s<n>` | capture triggers, repair |
//! | `slot_<tag>` | which slot is written to | rotation |
//! | `lane_<tag>` | consecutive half-open key ranges; how far each is copied (`at`) and claimed (`claim`) | copiers |
//! | `chunk_<tag>` | the ledger: one row for each copied range, written with its rows | copiers |
//! | `unfit_<tag>` | keys whose rows the target could not take, with the server's words | rounds, copiers |
//! | `check_<tag>`, `difference_<tag>` | verification: compared ranges with their digests; keys that differed | verifiers |
//!
//! # The rule
//!
//! > A change is forgotten only once a refresh of its key has used, or is certain to use, a snapshot in which the
//! > transaction that made the change is visible. Refreshes of one key never overlap.
//!
//! # Why it holds here
//!
//! *Changes are visible exactly when their transaction is.* Source and change log are in one database, and the
//! trigger writes the change in the transaction that changes the row. A snapshot that sees a row of the log sees
//! the source as that transaction left it, and the other way round.
//!
//! *Chunks* ([`Mirror::copy_chunk`]). A copier first **claims** `[at, claim)` in its lane and commits; only then
//! does it open the transaction that inserts the rows and moves `at` to `claim`. So the chunk's snapshot is newer
//! than the moment at which the claim could first be seen. A claim is refused when the lane is not where the copier saw
//! it: a chunk of a lost connection may have committed in between.
//!
//! *Rounds* ([`Mirror::round`]). One repeatable-read transaction takes a snapshot `A`, reads a batch of changes,
//! and asks for each key:
//! - copied in `A` (some lane has `lo <= key < at`): delete the key from the target, insert what the source has in
//!   `A`, delete the change. No chunk touches that key again, and only one round runs at a time.
//! - not claimed, asked on *another connection* in a snapshot taken **after** `A`: delete the change. The chunk that
//!   will copy the key has not claimed it yet, therefore its snapshot is newer than `A` and sees the change.
//! - otherwise a chunk is in flight: leave it for the next round.
//!
//! *Rotation* ([`slot`]) takes what is forgotten out of the log. It empties only a slot in which a new snapshot sees nothing, while
//! nobody can be writing to it; and not beside anybody who reads the log in a snapshot that is older than that, because
//! these have locked it before.
//!
//! *Repair* writes the differing keys into the change log. Nothing but rounds ever refreshes a key that is copied.
//!
//! *Rounds of all changes* ([`Mirror::round_alone`]) run while this process holds its copiers off. A chunk whose connection
//! was lost may commit all the same; so they leave what is claimed, and what is not is certain to be copied later.
//!
//! *Fencing.* Each of these transactions holds the migration's lease row ([`corridor_pg::fence`]), so a worker that was
//! declared dead cannot commit one later. In-process exclusion (one round at a time) is therefore enough.
//!
//! *Other unique indexes, and exclusion constraints.* A round with a limit may split two changes that only together satisfy
//! one. Deferrable ones are checked after each statement all the same (`set constraints all immediate`), so that a conflict
//! shows where it can be answered and not at the commit. On a conflict the round is repeated for **all** changes that its snapshot sees, with copiers held off: the target
//! then equals the source as of one snapshot, and the source satisfies the constraint in each snapshot.
//!
//! Every order of these steps is gone through in a small world by `crates/model`, with the faults, and with each half of the
//! rule broken on purpose.
//!
//! # Traps
//!
//! - Sessions must have the settings of [`corridor_pg::Session`]: keys travel as text between statements.
//! - Statements on the user's tables begin with `/* corridor */`: the throttle's signal of the application's own latency
//!   leaves them out by it.
//! - A key's type must have its default btree operators in `pg_catalog` (the planner of moves checks it).

pub mod capture;
pub mod chunk;
pub mod fault;
pub mod judgement;
pub mod lane;
pub mod left_out;
pub mod refresh;
pub mod report;
pub mod sizer;
pub mod slot;
pub mod spec;
pub mod statement;
pub mod trial;
pub mod truncate;
pub mod unfit;
pub mod verify;

pub use chunk::ChunkOutcome;
pub use refresh::{Round, Still};
pub use report::{Difference, DifferenceKind};
pub use sizer::Sizer;
pub use slot::Caretaker;
pub use spec::{Column, Digest, KeyColumn, MirrorSpec, Value};
pub use unfit::UnfitRow;
pub use verify::Checked;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use corridor_pg::{Fault, FaultContext, Oid, Result};
use tokio::sync::{Mutex, RwLock};
use tokio_postgres::Transaction;

use crate::fault::IMPOSTOR;

/// A source, a target and what keeps them equal, with the locks that order the work inside one process.
#[derive(Debug)]
pub struct Mirror {
    spec: MirrorSpec,
    /// Copiers and rounds hold it shared; what needs all others held off holds it exclusively.
    gate: RwLock<()>,
    /// One round at a time: refreshes of one key never overlap.
    applier: Mutex<()>,
    /// Comparisons, which read the log over seconds, hold it shared: who empties a slot waits for a moment without one.
    readers: Arc<RwLock<()>>,
    /// The tables that are meant, once they are known.
    identity: OnceLock<Identity>,
    /// Swapped: what was the source has another name now, and nothing is to be refreshed any more.
    is_over: AtomicBool,
    /// The source is a partitioned table.
    is_source_partitioned: bool,
}

/// The object ids of source and target: a name can pass to another table, an id cannot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// The source's.
    pub source: Oid,
    /// The target's.
    pub target: Oid,
}

impl Mirror {
    /// One `Mirror` per mirror and process: its locks are what keeps refreshes apart.
    pub fn new(spec: MirrorSpec) -> Self {
        Mirror {
            spec,
            gate: RwLock::new(()),
            applier: Mutex::new(()),
            readers: Arc::new(RwLock::new(())),
            identity: OnceLock::new(),
            is_over: AtomicBool::new(false),
            is_source_partitioned: false,
        }
    }

    /// Says whether the source is a partitioned table. Then the rows of a chunk come partition by partition, each in the
    /// key's order: to merge them into one order costs half as much again as the whole chunk (64 partitions), and
    /// nothing asks for it.
    #[must_use]
    pub fn over_partitions(mut self, is_source_partitioned: bool) -> Self {
        self.is_source_partitioned = is_source_partitioned;
        self
    }

    /// From now on every refresh and comparison makes sure that the names still belong to these tables, while it holds
    /// their locks. The first call counts.
    pub fn identify(&self, identity: Identity) {
        self.identity.get_or_init(|| identity);
    }

    /// True once [`Mirror::identify`] was called.
    pub fn is_identified(&self) -> bool {
        self.identity.get().is_some()
    }

    /// Locks source and target against everything that takes an access exclusive lock (a truncate is not bound by
    /// snapshots, a rename would bring in another table), and then makes sure that they are the tables that are meant.
    /// Before the snapshot is taken: `lock table` needs none.
    ///
    /// Locks: `ACCESS SHARE` on the source, `ROW EXCLUSIVE` on the target. Errors: `MIR-007`.
    pub(crate) async fn lock_both(&self, tx: &Transaction<'_>) -> Result<()> {
        let (source, target) = (&self.spec.source, &self.spec.target);
        let sql =
            format!("lock table {source} in access share mode; lock table {target} in row exclusive mode");
        tx.batch_execute(&sql).await.doing(|| "locking source and target")
    }

    /// The swap is committed: no round of this mirror does anything from now on.
    pub fn end(&self, _still: &Still<'_>) {
        self.is_over.store(true, Ordering::Release);
    }

    pub(crate) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Acquire)
    }

    /// The second half of [`Mirror::lock_both`]; it reads, so in a repeatable-read transaction the snapshot is taken here.
    pub(crate) async fn check_identity(&self, tx: &Transaction<'_>) -> Result<()> {
        let Some(identity) = self.identity.get() else {
            return Ok(());
        };
        let (source, target) = (self.spec.source.to_string(), self.spec.target.to_string());
        let row = tx
            .query_one(include_str!("../sql/identity.sql"), &[&source, &target])
            .await
            .doing(|| "making sure of source and target")?;
        let found = Identity {
            source: Oid(row.get("source_oid")),
            target: Oid(row.get("target_oid")),
        };
        if found == *identity {
            return Ok(());
        }
        Err(Fault::new(
            &IMPOSTOR,
            format!(
                "{source} is table {} and {target} is table {}; {} and {} are meant",
                found.source, found.target, identity.source, identity.target
            ),
        ))
    }

    /// What is mirrored.
    pub fn spec(&self) -> &MirrorSpec {
        &self.spec
    }
}
