//! Rounds: refreshing the keys that the change log names. After `corridor_mirror::refresh`.

use corridor_mirror::judgement::{Fate, fate};

use crate::database::{KEYS, Key, Lock, Row, Seen, Session, Table, Tx, Write};
use crate::setup::{Setup, WrongWay};
use crate::world::World;

/// What comes of the statements of a refresh.
pub(crate) enum Refresh {
    /// It waits for another transaction.
    Waits,
    /// What it writes.
    Done(Vec<Write>),
    /// "could not serialize access": a row has changed since the snapshot.
    Serialization,
    /// A unique value is taken by a row whose change is not in the batch.
    MeetsUnique,
}

impl World {
    /// The first changes of a direction, with what a snapshot that is taken now says about them.
    pub(crate) fn look(&self, setup: &Setup, source: Table, limit: usize) -> Vec<Seen> {
        let db = &self.db;
        db.log
            .iter()
            .filter(|c| c.source == source)
            .filter(|c| !setup.is(WrongWay::IdsInOrder) || c.id >= db.cursor)
            .take(limit)
            .map(|c| Seen {
                id: c.id,
                key: c.key,
                is_copied: db.is_copied(c.key),
                is_claimed: db.is_claimed(c.key),
                source_row: db.row(source, c.key),
                is_in_target: db.row(source.other(), c.key).is_some(),
            })
            .collect()
    }

    pub(crate) fn may_snapshot(&self, setup: &Setup, worker: u8, number: u8) -> bool {
        let session = Session::Applier { worker, number };
        let wants_alone = self.workers[usize::from(worker)].wants_alone;
        let may_begin = if wants_alone {
            self.is_still(worker)
        } else {
            let has_work = !self.look(setup, self.db.named, 1).is_empty();
            !self.is_alone(worker) && (has_work || setup.is(WrongWay::ClaimedAskedBefore))
        };
        may_begin
            && self.is_mirrored()
            && !self.db.is_truncated(self.db.named)
            && (self.db.tx(session).is_some_and(|tx| tx.stale.is_none()) || self.has_seat(setup, session))
            && self.may_lock_both(session)
    }

    /// A round begins: its snapshot is taken.
    pub(crate) fn snapshot(&mut self, setup: &Setup, worker: u8, number: u8) -> Option<()> {
        let wants_alone = self.workers[usize::from(worker)].wants_alone;
        let session = Session::Applier { worker, number };
        let asked = self.db.tx(session).and_then(|tx| tx.asked);
        self.db.roll_back(session);
        let mut tx = self.begin_fenced(setup, session);
        if setup.is(WrongWay::ClaimedAskedBefore) && asked.is_none() {
            let claimed = (0..KEYS as Key).filter(|key| self.db.is_claimed(*key));
            tx.asked = Some(claimed.fold(0, |bits, key| bits | 1 << key));
            self.db.txs.push(tx);
            return Some(());
        }
        let limit = if wants_alone {
            usize::MAX
        } else {
            usize::from(setup.round_limit)
        };
        tx.seen = self.look(setup, self.db.named, limit);
        if let Some(bits) = asked {
            tx.seen
                .iter_mut()
                .for_each(|seen| seen.is_claimed = bits & 1 << seen.key != 0);
        }
        tx.is_alone = wants_alone;
        tx.stale = Some(0);
        self.db.txs.push(tx);
        Some(())
    }

    /// What is done with each change, and the statements of the refresh. `None`: they wait.
    pub(crate) fn judge(&mut self, setup: &Setup, worker: u8, number: u8) -> Option<()> {
        let session = Session::Applier { worker, number };
        let tx = self
            .db
            .tx(session)
            .filter(|tx| !tx.is_ready && !tx.is_replay && tx.stale.is_some())?
            .clone();
        let refresh = self.refresh(setup, &tx, self.db.named);
        match refresh {
            Refresh::Waits => return None,
            Refresh::Done(writes) => {
                let tx = self.db.tx_mut(session)?;
                tx.writes = writes;
                tx.seen.clear();
                tx.is_ready = true;
                return Some(());
            }
            Refresh::Serialization => {}
            Refresh::MeetsUnique => self.workers[usize::from(worker)].wants_alone = true,
        }
        self.db.roll_back(session);
        Some(())
    }

    fn fate(&self, setup: &Setup, tx: &Tx, seen: &Seen) -> Fate {
        // Asked on a second connection, which takes its snapshot now. A round that runs alone asks in its own: no chunk
        // of its process is under way, and the claim of a lost one is older.
        let is_claimed_afterwards = if tx.is_alone || setup.asks_in_snapshot {
            seen.is_claimed
        } else {
            self.db.is_claimed(seen.key)
        };
        match setup.wrong {
            Some(WrongWay::InFlightForgotten) => fate(seen.is_copied, false),
            Some(WrongWay::ClaimedAskedBefore) => fate(seen.is_copied, seen.is_claimed),
            Some(WrongWay::CopiedAskedLater) => fate(self.db.is_copied(seen.key), is_claimed_afterwards),
            Some(WrongWay::ClaimedForgottenAlone) if tx.is_alone => fate(seen.is_copied, false),
            _ => fate(seen.is_copied, is_claimed_afterwards),
        }
    }

    /// The statements of a refresh of what `tx` has seen in its snapshot: delete, insert, forget.
    pub(crate) fn refresh(&self, setup: &Setup, tx: &Tx, source: Table) -> Refresh {
        let (db, session, target) = (&self.db, tx.session, source.other());
        let mut writes: Vec<Write> = Vec::new();
        let mut forgotten = Vec::new();
        for seen in &tx.seen {
            match self.fate(setup, tx, seen) {
                Fate::Leave => continue,
                Fate::Forget => forgotten.push(seen.id),
                Fate::Refresh => {
                    forgotten.push(seen.id);
                    if writes
                        .iter()
                        .any(|w| matches!(w, Write::Row(_, key, _) if *key == seen.key))
                    {
                        continue; // once for each key
                    }
                    if db.is_row_locked(session, target, seen.key)
                        && (seen.is_in_target || seen.source_row.is_some())
                    {
                        return Refresh::Waits;
                    }
                    match self.refresh_key(tx, seen, target) {
                        Ok(Some(row)) => writes.push(Write::Row(target, seen.key, row)),
                        Ok(None) => {}
                        Err(refused) => return refused,
                    }
                }
            }
        }
        if setup.has_unique && self.meets_unique(&writes, target) {
            return Refresh::MeetsUnique;
        }
        for id in &forgotten {
            if db.is_change_locked(session, *id) {
                return Refresh::Waits;
            }
            if !db.log.iter().any(|c| c.id == *id) {
                return Refresh::Serialization;
            }
        }
        if let (true, Some(last)) = (setup.is(WrongWay::IdsInOrder), tx.seen.last()) {
            writes.push(Write::Cursor(last.id + 1));
        }
        writes.extend(forgotten.into_iter().map(Write::Forget));
        Refresh::Done(writes)
    }

    /// Delete what the snapshot has in the target, insert what it has in the source. `Ok(None)`: neither found anything.
    fn refresh_key(&self, tx: &Tx, seen: &Seen, target: Table) -> Result<Option<Option<Row>>, Refresh> {
        let is_there_now = self.db.row(target, seen.key).is_some();
        match (seen.is_in_target, tx.is_stale(target, seen.key)) {
            (true, true) => Err(Refresh::Serialization),
            // It came after the snapshot: the delete does not see it.
            (false, true) if is_there_now && seen.source_row.is_some() => Err(Refresh::MeetsUnique),
            (false, _) if seen.source_row.is_none() => Ok(None),
            _ => Ok(Some(seen.source_row)),
        }
    }

    /// A row that is to be written has a unique value of a row that stays.
    fn meets_unique(&self, writes: &[Write], target: Table) -> bool {
        let mut after = *self.db.rows(target);
        for write in writes {
            if let Write::Row(_, key, row) = write {
                after[usize::from(*key)] = *row;
            }
        }
        let mut uniques: Vec<u8> = after.iter().flatten().map(|row| row.unique).collect();
        let count = uniques.len();
        uniques.sort_unstable();
        uniques.dedup();
        uniques.len() < count
    }

    pub(crate) fn may_replay(&self, setup: &Setup, worker: u8) -> bool {
        let session = Session::Applier { worker, number: 0 };
        self.db.is_truncated(self.db.named)
            && self.is_mirrored()
            && self.is_still(worker)
            && self.has_seat(setup, session)
            && self.may_lock_both(session)
    }

    /// The replay of a truncate begins, with nothing beside it: its snapshot is taken. After `corridor_mirror::truncate`.
    pub(crate) fn begin_replay(&mut self, setup: &Setup, worker: u8) -> Option<()> {
        let mut tx = self.begin_fenced(setup, Session::Applier { worker, number: 0 });
        tx.seen = self.look(setup, self.db.named, usize::MAX);
        tx.is_alone = true;
        tx.is_replay = true;
        tx.stale = Some(0);
        self.db.txs.push(tx);
        Some(())
    }

    /// Empties the target and the ledger, and forgets what the snapshot saw. `None`: it waits.
    pub(crate) fn replay(&mut self, worker: u8) -> Option<()> {
        let session = Session::Applier { worker, number: 0 };
        let tx = self.db.tx(session).filter(|tx| !tx.is_ready && tx.is_replay)?;
        let target = self.db.named.other();
        if !self.db.may_lock(session, target, Lock::AccessExclusive) {
            return None;
        }
        let is_gone = |seen: &Seen| !self.db.log.iter().any(|c| c.id == seen.id);
        if tx.has_stale_lanes() || tx.seen.iter().any(is_gone) {
            self.db.roll_back(session);
            return Some(());
        }
        let mut writes: Vec<Write> = (0..KEYS as Key)
            .map(|key| Write::Row(target, key, None))
            .collect();
        writes.push(Write::Restart);
        writes.extend(tx.seen.iter().map(|seen| Write::Forget(seen.id)));
        let tx = self.db.tx_mut(session)?;
        tx.locks[target as usize] = Lock::AccessExclusive;
        tx.writes = writes;
        tx.seen.clear();
        tx.is_ready = true;
        Some(())
    }

    /// A round's commit came through.
    pub(crate) fn round_committed(&mut self, worker: u8, is_alone: bool) {
        if is_alone {
            self.workers[usize::from(worker)].wants_alone = false;
        }
    }
}
