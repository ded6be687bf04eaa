//! What is let loose on the protocol, and how the protocol is broken on purpose.

use corridor_migration::Verb;

use crate::application::Script;
use crate::database::Key;

/// A bounded world: everything that can happen in it is gone through.
#[derive(Debug, Clone, Default)]
pub struct Setup {
    /// Its name, for the report.
    pub name: &'static str,
    /// Keys that have a row at the beginning.
    pub rows: Vec<Key>,
    /// The lanes, as `(lo, hi)`.
    pub lanes: Vec<(Key, Key)>,
    /// The lanes are copied and compared already: the journey begins where it is ready for the cut-over.
    pub is_copied: bool,
    /// The application's writers.
    pub scripts: Vec<Script>,
    /// Changes that a round takes at most.
    pub round_limit: u8,
    /// Changes that may be left for the swap at most.
    pub rest_max: u8,
    /// The target has a unique index besides the key's while it is copied.
    pub has_unique: bool,
    /// Rounds that may run side by side. The product: 1.
    pub appliers: u8,
    /// Whether a key is claimed is asked in the round's own snapshot, and not in a later one.
    pub asks_in_snapshot: bool,
    /// A chunk in more steps: the look at the lane apart from the claim, the ledger apart from the rows.
    pub is_chunk_fine: bool,
    /// A worker that has lost a connection goes on at once, and does not wait until the backend of it is gone.
    pub is_impatient: bool,
    /// What people ask for, in this order, each as soon as it is allowed or later.
    pub asks: Vec<Verb>,
    /// Connections that are lost, each with any of the two outcomes of what was under way.
    pub losses: u8,
    /// Workers that die.
    pub crashes: u8,
    /// Workers that are taken over while they live and go on.
    pub zombies: u8,
    /// Times that the server dies and comes back.
    pub restarts: u8,
    /// Times that a worker gives the cut-over up, because its locks are not free.
    pub give_ups: u8,
    /// Rows that somebody changes in the target behind everybody's back.
    pub tampers: u8,
    /// How the protocol is broken.
    pub wrong: Option<WrongWay>,
    /// Look at this property alone.
    pub only: Option<&'static str>,
}

/// A way to do it that looks right, and is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WrongWay {
    /// Triggers write to the target; the backfill inserts what is not there, and locks no row of the source.
    UnlockedBackfill,
    /// Triggers write to the target; the backfill overwrites.
    OverwritingBackfill,
    /// The change of a chunk in flight is forgotten: "the chunk copies the key anyway".
    InFlightForgotten,
    /// Whether a key is copied is asked after the round's snapshot.
    CopiedAskedLater,
    /// Whether a key is claimed is asked before the round's snapshot.
    ClaimedAskedBefore,
    /// A chunk is not claimed before it is copied.
    NoClaim,
    /// Two lanes overlap, and so two refreshes of one key.
    LanesOverlap,
    /// A key change notes only the new key.
    OldKeyLeftBehind,
    /// The ledger is written after the chunk has committed.
    LedgerAfterRows,
    /// The epoch is read at the beginning of a transaction, and not held.
    EpochOnlyRead,
    /// The change log is read by `id > last seen`.
    IdsInOrder,
    /// A change counts when its commit is in the write-ahead log, visible or not.
    CommitOrder,
    /// The swap does not refresh the last changes.
    NoLastRefresh,
    /// The swap does not lock writers out.
    NoLock,
    /// A swap whose answer was lost is made again without a look at who has the name.
    BlindRetry,
    /// The capture of the other direction begins after the swap, in a transaction of its own.
    LateReverseCapture,
    /// A claim is made on what the copier has seen of its lane before, whatever has become of the lane since.
    ClaimOnOldLook,
    /// A round that runs alone forgets every change whose key is not copied, claimed or not.
    ClaimedForgottenAlone,
    /// No verification before the cut-over.
    NoVerification,
}

impl Setup {
    pub(crate) fn is(&self, wrong: WrongWay) -> bool {
        self.wrong == Some(wrong)
    }

    /// The recipes with triggers that write to the target know no verification.
    pub(crate) fn verifies(&self) -> bool {
        !self.is(WrongWay::NoVerification) && !self.is_trigger_sync()
    }

    pub(crate) fn is_trigger_sync(&self) -> bool {
        self.is(WrongWay::UnlockedBackfill) || self.is(WrongWay::OverwritingBackfill)
    }
}
