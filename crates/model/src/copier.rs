//! Copying: claim, then rows and ledger in one transaction. After `corridor_mirror::chunk`.

use crate::database::{Database, KEYS, Key, Lane, Lock, Rows, Session, Tx, Write};
use crate::setup::{Setup, WrongWay};
use crate::world::{Accident, World};

/// What a copier knows between two transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Copier {
    /// Nothing.
    Idle,
    /// It has looked how far its lane is, and has chosen the next chunk.
    Looked {
        /// First key.
        from: Key,
        /// End, exclusive.
        to: Key,
    },
    /// It has announced this chunk.
    Claimed {
        /// First key.
        from: Key,
        /// End, exclusive.
        to: Key,
    },
    /// Its plain insert met another row: it goes on when nothing else runs.
    WantsToBeAlone,
    /// Its rows are committed, and the ledger is not written (a wrong way).
    OwesLedger {
        /// End of the chunk.
        to: Key,
    },
}

/// What comes of a chunk's insert.
pub(crate) enum Insert {
    /// It waits for another transaction.
    Waits,
    /// Its rows.
    Rows(Vec<Write>),
    /// A row with the same key is there already: it must not be.
    MeetsKey,
    /// A row with the same unique value is there already.
    MeetsUnique,
}

/// The chunk's rows as they are inserted into the target now. `gone`: keys that the same transaction has refreshed.
fn insert(db: &Database, setup: &Setup, session: Session, rows: &Rows, gone: &[Key]) -> Insert {
    let target = db.named.other();
    let mut writes = Vec::new();
    for (key, row) in rows.iter().enumerate() {
        let (key, Some(row)) = (key as Key, *row) else {
            continue;
        };
        if db.is_row_locked(session, target, key)
            || (setup.has_unique && db.is_unique_locked(session, target, row.unique))
        {
            return Insert::Waits;
        }
        if db.row(target, key).is_some() {
            match setup.wrong {
                Some(WrongWay::UnlockedBackfill) => continue,
                Some(WrongWay::OverwritingBackfill) => {}
                _ => return Insert::MeetsKey,
            }
        }
        let meets = |other: &Key| {
            db.row(target, *other).is_some_and(|r| r.unique == row.unique) && !gone.contains(other)
        };
        if setup.has_unique && (0..KEYS as Key).any(|other| other != key && meets(&other)) {
            return Insert::MeetsUnique;
        }
        writes.push(Write::Row(target, key, Some(row)));
    }
    Insert::Rows(writes)
}

impl World {
    fn lane(&self, lane: u8) -> &Lane {
        &self.db.lanes[usize::from(lane)]
    }

    fn copier(&self, worker: u8, lane: u8) -> Copier {
        self.workers[usize::from(worker)].copiers[usize::from(lane)]
    }

    pub(crate) fn set_copier(&mut self, worker: u8, lane: u8, copier: Copier) {
        self.workers[usize::from(worker)].copiers[usize::from(lane)] = copier;
    }

    /// A copier that has nothing under way may begin with a chunk of its lane.
    fn may_begin_chunk(&self, setup: &Setup, worker: u8, lane: u8) -> bool {
        let session = Session::Copier { worker, lane };
        !self.lane(lane).is_done() && self.has_seat(setup, session) && !self.db.is_lane_locked(session, lane)
    }

    /// Ends of the next chunk that could be chosen.
    pub(crate) fn chunk_ends(&self, lane: u8) -> std::ops::RangeInclusive<Key> {
        self.lane(lane).at + 1..=self.lane(lane).hi
    }

    pub(crate) fn may_look(&self, setup: &Setup, worker: u8, lane: u8) -> bool {
        self.copier(worker, lane) == Copier::Idle
            && self.is_mirrored()
            && !self.is_alone(worker)
            && self.has_seat(setup, Session::Copier { worker, lane })
            && !self.lane(lane).is_done()
    }

    /// A copier looks how far its lane is, and chooses the end of the next chunk.
    pub(crate) fn look_at_lane(&mut self, setup: &Setup, worker: u8, lane: u8, to: Key) -> Option<()> {
        let from = self.lane(lane).at;
        self.set_copier(worker, lane, Copier::Looked { from, to });
        if !setup.is_chunk_fine {
            self.claim(setup, worker, lane)?;
        }
        Some(())
    }

    /// The claim, and its commit: the next chunk reaches up to `to`. `None`: it waits.
    pub(crate) fn claim(&mut self, setup: &Setup, worker: u8, lane: u8) -> Option<()> {
        let Copier::Looked { from, to } = self.copier(worker, lane) else {
            return None;
        };
        if !self.may_begin_chunk(setup, worker, lane) && !self.lane(lane).is_done() {
            return None;
        }
        let is_as_seen = self.lane(lane).at == from || setup.is(WrongWay::ClaimOnOldLook);
        if self.lane(lane).is_done() || !is_as_seen {
            self.set_copier(worker, lane, Copier::Idle);
            return Some(());
        }
        if !setup.is(WrongWay::NoClaim) {
            self.db.lanes[usize::from(lane)].claim = Some(to);
        }
        self.set_copier(worker, lane, Copier::Claimed { from, to });
        Some(())
    }

    /// The chunk's transaction begins; its statement takes its snapshot. `None`: it waits.
    pub(crate) fn read(&mut self, setup: &Setup, worker: u8, lane: u8) -> Option<()> {
        let session = Session::Copier { worker, lane };
        let Copier::Claimed { from, to } = self.copier(worker, lane) else {
            return None;
        };
        if !self.may_lock_both(session) || !self.has_seat(setup, session) {
            return None;
        }
        let mut tx = self.begin_fenced(setup, session);
        tx.rows = Some(self.range(from, to));
        self.db.txs.push(tx);
        Some(())
    }

    fn range(&self, from: Key, to: Key) -> Rows {
        let mut rows = *self.db.rows(self.db.named);
        for key in (0..KEYS as Key).filter(|key| !(from..to).contains(key)) {
            rows[usize::from(key)] = None;
        }
        rows
    }

    /// What was read is inserted. `None`: it waits.
    pub(crate) fn copy(&mut self, setup: &Setup, worker: u8, lane: u8) -> Option<()> {
        let session = Session::Copier { worker, lane };
        let rows = self.db.tx(session)?.rows?;
        match insert(&self.db, setup, session, &rows, &[]) {
            Insert::Waits => return None,
            Insert::MeetsKey => {
                self.accident.get_or_insert(Accident::DuplicateKey);
                self.be_alone(worker, lane);
                return Some(());
            }
            Insert::MeetsUnique => {
                self.be_alone(worker, lane);
                return Some(());
            }
            Insert::Rows(writes) => {
                let tx = self.db.tx_mut(session)?;
                tx.rows = None;
                tx.writes = writes;
                tx.is_ready = setup.is(WrongWay::LedgerAfterRows);
            }
        }
        if !setup.is_chunk_fine && !setup.is(WrongWay::LedgerAfterRows) {
            self.record(setup, worker, lane)?;
        }
        Some(())
    }

    fn be_alone(&mut self, worker: u8, lane: u8) {
        self.db.roll_back(Session::Copier { worker, lane });
        self.set_copier(worker, lane, Copier::WantsToBeAlone);
    }

    /// The ledger, in the transaction of the rows. `None`: it waits.
    pub(crate) fn record(&mut self, setup: &Setup, worker: u8, lane: u8) -> Option<()> {
        let session = Session::Copier { worker, lane };
        let Copier::Claimed { to, .. } = self.copier(worker, lane) else {
            return None;
        };
        if self.db.is_lane_locked(session, lane) {
            return None;
        }
        let is_ours = self.lane(lane).claim.is_some() || setup.is(WrongWay::NoClaim);
        let is_done = self.lane(lane).is_done();
        let tx = self
            .db
            .tx_mut(session)
            .filter(|tx| !tx.is_ready && tx.rows.is_none())?;
        if is_ours && !is_done {
            tx.writes.push(Write::Ledger(lane, to));
            tx.is_ready = true;
        } else {
            // "not claimed by us": the transaction is rolled back.
            self.db.roll_back(session);
            self.set_copier(worker, lane, Copier::Idle);
        }
        Some(())
    }

    pub(crate) fn may_copy_alone(&self, setup: &Setup, worker: u8, lane: u8) -> bool {
        let session = Session::Copier { worker, lane };
        self.copier(worker, lane) == Copier::WantsToBeAlone
            && self.is_still(worker)
            && self.may_begin_chunk(setup, worker, lane)
            && self.may_lock_both(session)
    }

    /// Claim and chunk with nothing beside it: one snapshot for the pending changes and for the chunk.
    pub(crate) fn copy_alone(&mut self, setup: &Setup, worker: u8, lane: u8, to: Key) -> Option<()> {
        let session = Session::Copier { worker, lane };
        let from = self.lane(lane).at;
        let mut tx = self.begin_fenced(setup, session);
        tx.is_alone = true;
        tx.stale = Some(0);
        // Claimed before the snapshot, by a transaction of its own.
        self.db.lanes[usize::from(lane)].claim = Some(to);
        if self.db.is_truncated(self.db.named) {
            // It is told that a truncate waits, and begins again after it.
            self.set_copier(worker, lane, Copier::Idle);
            return Some(());
        }
        tx.seen = self.look(setup, self.db.named, usize::MAX);
        self.set_copier(worker, lane, Copier::Claimed { from, to });
        let refresh = match self.refresh(setup, &tx, self.db.named) {
            crate::applier::Refresh::Done(writes) => writes,
            crate::applier::Refresh::Waits => return None,
            crate::applier::Refresh::Serialization | crate::applier::Refresh::MeetsUnique => {
                self.accident.get_or_insert(Accident::DuplicateKey);
                self.set_copier(worker, lane, Copier::WantsToBeAlone);
                return Some(());
            }
        };
        let is_refreshed = |key: &Key| {
            refresh
                .iter()
                .any(|w| matches!(w, Write::Row(_, k, _) if k == key))
        };
        let gone: Vec<Key> = (0..KEYS as Key).filter(is_refreshed).collect();
        match insert(&self.db, setup, session, &self.range(from, to), &gone) {
            Insert::Waits => return None,
            Insert::MeetsKey | Insert::MeetsUnique => {
                self.accident.get_or_insert(Accident::DuplicateKey);
                self.set_copier(worker, lane, Copier::WantsToBeAlone);
                return Some(());
            }
            Insert::Rows(rows) => tx.writes = refresh.into_iter().chain(rows).collect(),
        }
        tx.seen.clear();
        tx.writes.push(Write::Ledger(lane, to));
        tx.is_ready = true;
        self.db.txs.push(tx);
        Some(())
    }

    /// The ledger by itself (a wrong way).
    pub(crate) fn pay_ledger(&mut self, worker: u8, lane: u8) -> Option<()> {
        let Copier::OwesLedger { to } = self.copier(worker, lane) else {
            return None;
        };
        self.db.apply(&Write::Ledger(lane, to));
        self.set_copier(worker, lane, Copier::Idle);
        Some(())
    }

    /// A chunk's commit came through.
    pub(crate) fn chunk_committed(&mut self, setup: &Setup, worker: u8, lane: u8) {
        let next = match self.copier(worker, lane) {
            Copier::Claimed { to, .. } if setup.is(WrongWay::LedgerAfterRows) => Copier::OwesLedger { to },
            _ => Copier::Idle,
        };
        self.set_copier(worker, lane, next);
    }

    /// A worker's refreshes lock both tables against a swap.
    pub(crate) fn may_lock_both(&self, session: Session) -> bool {
        let source = self.db.named;
        self.db.may_lock(session, source, Lock::AccessShare)
            && self.db.may_lock(session, source.other(), Lock::RowExclusive)
    }

    /// Begins a transaction that holds the lease and locks both tables.
    pub(crate) fn begin_fenced(&self, setup: &Setup, session: Session) -> Tx {
        let mut tx = Tx::begin(session);
        tx.fence = session.worker().filter(|_| !setup.is(WrongWay::EpochOnlyRead));
        tx.locks[self.db.named as usize] = Lock::AccessShare;
        tx.locks[self.db.named.other() as usize] = Lock::RowExclusive;
        tx
    }
}
