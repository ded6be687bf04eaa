//! A small PostgreSQL: tables, row and table locks, transactions whose writes become visible at one instant.
//!
//! What a transaction reads it remembers itself (a snapshot is kept only as far as the reader needs it); what it writes
//! waits in [`Tx::writes`] until its commit. Row locks follow from the writes. A snapshot that has become too old for a
//! row is known by [`Tx::stale`].

use corridor_migration::State;

/// Keys of a table: `0..KEYS`.
pub const KEYS: usize = 3;

/// A key.
pub type Key = u8;

/// In place of a key in the change log: the table was truncated.
pub const TRUNCATE: Key = Key::MAX;

/// A row's columns besides the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Row {
    /// Which write it comes from: different for each.
    pub value: u8,
    /// A column with a unique constraint of its own, where a setup has one.
    pub unique: u8,
}

/// A table's committed rows, by key.
pub type Rows = [Option<Row>; KEYS];

/// One of the two tables of a move.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// The one that had the name at first.
    Old,
    /// The one that the move makes.
    New,
}

impl Table {
    /// The other one.
    pub fn other(self) -> Table {
        match self {
            Table::Old => Table::New,
            Table::New => Table::Old,
        }
    }
}

/// A row of the change log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Change {
    /// From a sequence: drawn when the row is written, not when it is committed.
    pub id: u8,
    /// The table that was written to; each direction has a log of its own.
    pub source: Table,
    /// The key of the written row.
    pub key: Key,
}

/// A lane, `[lo, hi)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Lane {
    /// First key.
    pub lo: Key,
    /// End, exclusive.
    pub hi: Key,
    /// Copied up to here, exclusive.
    pub at: Key,
    /// The chunk that was announced reaches up to here, exclusive.
    pub claim: Option<Key>,
}

impl Lane {
    /// As `MirrorSpec::is_copied` says it in SQL.
    pub fn is_copied(&self, key: Key) -> bool {
        self.lo <= key && key < self.at
    }

    /// As `MirrorSpec::is_claimed` says it in SQL: copied or claimed.
    pub fn is_claimed(&self, key: Key) -> bool {
        self.lo <= key && key < self.claim.unwrap_or(self.at)
    }

    /// Copied to its end.
    pub fn is_done(&self) -> bool {
        self.at == self.hi
    }
}

/// Table locks, as far as they are needed here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lock {
    /// None.
    Free,
    /// Who reads.
    AccessShare,
    /// Who writes.
    RowExclusive,
    /// Who swaps.
    AccessExclusive,
}

impl Lock {
    /// PostgreSQL's table of conflicts, as far as it is needed here.
    pub fn conflicts(self, other: Lock) -> bool {
        let excludes = |lock| lock == Lock::AccessExclusive;
        self != Lock::Free && other != Lock::Free && (excludes(self) || excludes(other))
    }
}

/// Whose connection a transaction runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Session {
    /// An application's.
    Writer(u8),
    /// A worker's, for a lane.
    Copier {
        /// The worker; also its epoch.
        worker: u8,
        /// The lane.
        lane: u8,
    },
    /// A worker's, for rounds.
    Applier {
        /// The worker.
        worker: u8,
        /// Which of its appliers: the product has one.
        number: u8,
    },
    /// A worker's, for swaps and ends.
    Control {
        /// The worker.
        worker: u8,
    },
}

impl Session {
    /// The worker that it belongs to.
    pub fn worker(self) -> Option<u8> {
        match self {
            Session::Writer(_) => None,
            Session::Copier { worker, .. }
            | Session::Applier { worker, .. }
            | Session::Control { worker } => Some(worker),
        }
    }
}

/// A write of an open transaction; what it does becomes visible with the commit.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Write {
    /// A row of one of the tables, or its removal.
    Row(Table, Key, Option<Row>),
    /// The same as the application remembers it: what it may count on once it is committed.
    Truth(Key, Option<Row>),
    /// A row of the change log.
    Note(Change),
    /// A change is forgotten.
    Forget(u8),
    /// The ledger: the lane is copied up to here.
    Ledger(u8, Key),
    /// Nothing is copied, and nothing compared, any more.
    Restart,
    /// Who has the name.
    Name(Table),
    /// Which table has capture triggers.
    Capture(Option<Table>),
    /// The migration's state.
    State(State),
    /// How far a reader of ids has read (a wrong way).
    Cursor(u8),
}

/// A change as a round saw it in its snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Seen {
    /// Its id.
    pub id: u8,
    /// Its key.
    pub key: Key,
    /// A lane has copied the key, in the snapshot.
    pub is_copied: bool,
    /// A lane has copied or claimed the key, in the snapshot.
    pub is_claimed: bool,
    /// What the source has for the key, in the snapshot.
    pub source_row: Option<Row>,
    /// The target has a row for the key, in the snapshot.
    pub is_in_target: bool,
}

/// An open transaction.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Tx {
    /// Whose.
    pub session: Session,
    /// The client has lost the connection, or has died. The backend may still be there, with the `COMMIT` in its buffer.
    pub is_orphan: bool,
    /// All statements are done: only the commit is missing.
    pub is_ready: bool,
    /// Holds the lease row at this epoch.
    pub fence: Option<u8>,
    /// Locks on the old and the new table.
    pub locks: [Lock; 2],
    /// What becomes visible.
    pub writes: Vec<Write>,
    /// What a round has read.
    pub seen: Vec<Seen>,
    /// What a chunk has read, and not inserted yet.
    pub rows: Option<Rows>,
    /// Keys that were claimed when a round asked before it took its snapshot, a bit each (a wrong way).
    pub asked: Option<u8>,
    /// A round without limit, or a chunk beside which nothing else runs.
    pub is_alone: bool,
    /// The replay of a truncate.
    pub is_replay: bool,
    /// Repeatable read: what others have changed since the snapshot, a bit for each row of the tables and one for the lanes.
    pub stale: Option<u8>,
    /// Its changes are in the log already, its rows are not visible yet (a wrong way).
    pub is_flushed: bool,
}

impl Tx {
    /// A transaction that has done nothing yet.
    pub fn begin(session: Session) -> Tx {
        Tx {
            session,
            is_orphan: false,
            is_ready: false,
            fence: None,
            locks: [Lock::Free; 2],
            writes: Vec::new(),
            seen: Vec::new(),
            rows: None,
            asked: None,
            is_alone: false,
            is_replay: false,
            stale: None,
            is_flushed: false,
        }
    }

    /// True when a row of the snapshot was changed by somebody who has committed since.
    pub fn is_stale(&self, table: Table, key: Key) -> bool {
        self.stale.is_some_and(|bits| bits & bit(table, key) != 0)
    }

    /// True when a lane was changed by somebody who has committed since the snapshot.
    pub fn has_stale_lanes(&self) -> bool {
        self.stale.is_some_and(|bits| bits & LANES != 0)
    }

    fn has_written(&self, table: Table, key: Key) -> bool {
        self.writes
            .iter()
            .any(|w| matches!(w, Write::Row(t, k, _) if *t == table && *k == key))
    }
}

/// See [`Tx::stale`].
const LANES: u8 = 1 << (2 * KEYS);

fn bit(table: Table, key: Key) -> u8 {
    1 << (table as usize * KEYS + usize::from(key))
}

/// What is committed, and what is under way.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Database {
    /// Old and new.
    pub tables: [Rows; 2],
    /// What the application has committed, whatever happened to the tables.
    pub truth: Rows,
    /// Which one has the name.
    pub named: Table,
    /// Which one has capture triggers.
    pub capture: Option<Table>,
    /// The change logs of both directions.
    pub log: Vec<Change>,
    /// The sequence of the log's ids.
    pub next_id: u8,
    /// How far a reader of ids has read (a wrong way).
    pub cursor: u8,
    /// The lanes of the copy.
    pub lanes: Vec<Lane>,
    /// Lanes that were compared without difference, a bit each.
    pub proof: u8,
    /// The lease row.
    pub epoch: u8,
    /// The migration's row.
    pub state: State,
    /// Open transactions.
    pub txs: Vec<Tx>,
}

impl Database {
    /// Rows of a table.
    pub fn rows(&self, table: Table) -> &Rows {
        &self.tables[table as usize]
    }

    /// A committed row.
    pub fn row(&self, table: Table, key: Key) -> Option<Row> {
        self.tables[table as usize]
            .get(usize::from(key))
            .copied()
            .flatten()
    }

    /// Some lane has copied it.
    pub fn is_copied(&self, key: Key) -> bool {
        self.lanes.iter().any(|lane| lane.is_copied(key))
    }

    /// Some lane has copied or claimed it.
    pub fn is_claimed(&self, key: Key) -> bool {
        self.lanes.iter().any(|lane| lane.is_claimed(key))
    }

    /// Every lane is copied to its end.
    pub fn is_all_copied(&self) -> bool {
        self.lanes.iter().all(Lane::is_done)
    }

    /// A committed change of the key, or a truncate, waits in the log.
    pub fn is_pending(&self, source: Table, key: Key) -> bool {
        self.log
            .iter()
            .any(|c| c.source == source && (c.key == key || c.key == TRUNCATE))
    }

    /// The open transaction of a session that has not lost its client.
    pub fn tx(&self, session: Session) -> Option<&Tx> {
        self.txs.iter().find(|tx| tx.session == session && !tx.is_orphan)
    }

    /// The same, to change it.
    pub fn tx_mut(&mut self, session: Session) -> Option<&mut Tx> {
        self.txs
            .iter_mut()
            .find(|tx| tx.session == session && !tx.is_orphan)
    }

    /// A lost connection of this session has a backend still.
    pub fn has_orphan(&self, session: Session) -> bool {
        self.txs.iter().any(|tx| tx.session == session && tx.is_orphan)
    }

    /// No transaction of others holds a conflicting lock on a table.
    pub fn may_lock(&self, session: Session, table: Table, lock: Lock) -> bool {
        self.others(session)
            .all(|tx| !tx.locks[table as usize].conflicts(lock))
    }

    /// Another open transaction has written this row: whoever wants to write it waits.
    pub fn is_row_locked(&self, session: Session, table: Table, key: Key) -> bool {
        self.others(session).any(|tx| tx.has_written(table, key))
    }

    /// Another open transaction has written, or removes, a row with this unique value.
    pub fn is_unique_locked(&self, session: Session, table: Table, unique: u8) -> bool {
        self.others(session).any(|tx| {
            tx.writes.iter().any(|w| match w {
                Write::Row(t, k, row) if *t == table => {
                    let is_it = |row: &Option<Row>| row.is_some_and(|r| r.unique == unique);
                    is_it(row) || is_it(&self.row(table, *k))
                }
                _ => false,
            })
        })
    }

    /// Another open transaction forgets this change.
    pub fn is_change_locked(&self, session: Session, id: u8) -> bool {
        self.others(session)
            .any(|tx| tx.writes.contains(&Write::Forget(id)))
    }

    /// Another open transaction has written the ledger of this lane.
    pub fn is_lane_locked(&self, session: Session, lane: u8) -> bool {
        self.others(session).any(|tx| {
            tx.writes
                .iter()
                .any(|w| matches!(w, Write::Ledger(l, _) if *l == lane))
        })
    }

    /// A truncate waits to be replayed.
    pub fn is_truncated(&self, source: Table) -> bool {
        self.log.iter().any(|c| c.source == source && c.key == TRUNCATE)
    }

    /// An open transaction has written the migration's row.
    pub fn is_state_locked(&self) -> bool {
        self.txs
            .iter()
            .any(|tx| tx.writes.iter().any(|w| matches!(w, Write::State(_))))
    }

    /// Open transactions besides the session's own. An orphan is another one, even of the same session.
    fn others(&self, session: Session) -> impl Iterator<Item = &Tx> {
        self.txs
            .iter()
            .filter(move |tx| tx.session != session || tx.is_orphan)
    }

    /// Draws an id for a row of the change log.
    pub fn draw_id(&mut self) -> u8 {
        self.next_id += 1;
        self.next_id - 1
    }

    /// Commits: everything that the transaction has written becomes visible at this instant.
    pub fn commit(&mut self, index: usize) -> Tx {
        let tx = self.txs.remove(index);
        for write in &tx.writes {
            self.apply(write);
            let changed = match write {
                Write::Row(table, key, _) => bit(*table, *key),
                Write::Ledger(..) | Write::Restart => LANES,
                _ => continue,
            };
            for other in &mut self.txs {
                // Only the replay of a truncate writes to the lanes and minds.
                if let (Some(bits), true) = (&mut other.stale, changed != LANES || other.is_replay) {
                    *bits |= changed;
                }
            }
        }
        tx
    }

    /// The client gives its transaction up: it is rolled back.
    pub fn roll_back(&mut self, session: Session) {
        self.txs.retain(|tx| tx.session != session || tx.is_orphan);
    }

    /// Makes one write visible.
    pub fn apply(&mut self, write: &Write) {
        match write {
            Write::Row(table, key, row) => self.tables[*table as usize][usize::from(*key)] = *row,
            Write::Truth(key, row) => self.truth[usize::from(*key)] = *row,
            Write::Note(change) => {
                let place = self.log.partition_point(|c| c.id < change.id);
                self.log.insert(place, *change);
            }
            Write::Forget(id) => self.log.retain(|c| c.id != *id),
            Write::Ledger(lane, at) => {
                let lane = &mut self.lanes[usize::from(*lane)];
                lane.at = *at;
                lane.claim = None;
            }
            Write::Restart => {
                self.proof = 0;
                for lane in &mut self.lanes {
                    lane.at = lane.lo;
                    lane.claim = None;
                }
            }
            Write::Name(table) => self.named = *table,
            Write::Capture(table) => self.capture = *table,
            Write::State(state) => self.state = state.clone(),
            Write::Cursor(id) => self.cursor = *id,
        }
    }

    /// Gives the log's ids that are in use the smallest numbers in the same order: only their order means anything.
    pub fn renumber(&mut self) {
        let mut used: Vec<u8> = self.log.iter().map(|c| c.id).collect();
        for tx in &self.txs {
            used.extend(tx.seen.iter().map(|s| s.id));
            used.extend(tx.writes.iter().filter_map(|w| match w {
                Write::Note(change) => Some(change.id),
                Write::Forget(id) => Some(*id),
                _ => None,
            }));
        }
        used.sort_unstable();
        used.dedup();
        let new = |id: u8| used.partition_point(|u| *u < id) as u8;
        for change in &mut self.log {
            change.id = new(change.id);
        }
        for tx in &mut self.txs {
            for seen in &mut tx.seen {
                seen.id = new(seen.id);
            }
            for write in &mut tx.writes {
                match write {
                    Write::Note(change) => change.id = new(change.id),
                    Write::Forget(id) => *id = new(*id),
                    _ => {}
                }
            }
        }
        self.next_id = used.len() as u8;
        // The order in which transactions were begun means nothing.
        self.txs.sort_by_key(|tx| (tx.session, tx.is_orphan));
    }
}
