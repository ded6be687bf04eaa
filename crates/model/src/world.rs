//! Everything together: the state of the world, and what comes from outside: losses, deaths, takeovers.

use corridor_migration::{Course, State, Wait};

use crate::application::first_rows;
use crate::copier::Copier;
use crate::course::Control;
use crate::database::{Database, KEYS, Key, Lane, Row, Session, Table, Write};
use crate::setup::{Setup, WrongWay};

/// A process that works on the migration. Its number is its epoch.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Worker {
    /// False once it has died, or has left because its lease was lost.
    pub is_alive: bool,
    /// One for each lane.
    pub copiers: Vec<Copier>,
    /// Its last round met a conflict, and is repeated for all changes with nothing beside it.
    pub wants_alone: bool,
    /// The control connection.
    pub control: Control,
}

/// Something that can never be right, noticed at the moment at which it happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Accident {
    /// A chunk met a row of its own range in the target.
    DuplicateKey,
    /// A swap, or an end, found a table with the name that its state does not allow.
    SwapOutOfPlace,
}

/// The state of the model.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct World {
    /// The server.
    pub db: Database,
    /// The workers so far; the last one is the newest.
    pub workers: Vec<Worker>,
    /// Transactions of each writer that are committed.
    pub written: Vec<u8>,
    /// How much of the setup's wishes was asked for.
    pub asked: u8,
    /// What is left of the setup's faults: losses, crashes, zombies, restarts, tampers, give-ups.
    pub faults_left: [u8; 6],
    /// What must never happen, and has.
    pub accident: Option<Accident>,
    /// Verification has found a difference.
    pub has_repaired: bool,
}

pub(crate) const LOSS: usize = 0;
pub(crate) const CRASH: usize = 1;
pub(crate) const ZOMBIE: usize = 2;
pub(crate) const RESTART: usize = 3;
pub(crate) const TAMPER: usize = 4;
pub(crate) const GIVE_UP: usize = 5;

impl Worker {
    fn new(lanes: usize) -> Worker {
        Worker {
            is_alive: true,
            copiers: vec![Copier::Idle; lanes],
            wants_alone: false,
            control: Control::Free,
        }
    }
}

impl World {
    pub(crate) fn first(setup: &Setup) -> World {
        let rows = first_rows(&setup.rows);
        let copied = if setup.is_copied { rows } else { Default::default() };
        let lane = |&(lo, hi): &(Key, Key)| {
            let lo = if setup.is(WrongWay::LanesOverlap) {
                lo.saturating_sub(1)
            } else {
                lo
            };
            Lane {
                lo,
                hi,
                at: if setup.is_copied { hi } else { lo },
                claim: None,
            }
        };
        let state = match setup.is_copied {
            true => State::Waiting {
                for_what: Wait::Cutover,
            },
            false => State::Running,
        };
        World {
            db: Database {
                tables: [rows, copied],
                truth: rows,
                named: Table::Old,
                capture: Some(Table::Old),
                log: Vec::new(),
                next_id: 0,
                cursor: 0,
                lanes: setup.lanes.iter().map(lane).collect(),
                proof: if setup.is_copied {
                    (1 << setup.lanes.len()) - 1
                } else {
                    0
                },
                epoch: 0,
                state,
                txs: Vec::new(),
            },
            workers: vec![Worker::new(setup.lanes.len())],
            written: vec![0; setup.scripts.len()],
            asked: 0,
            faults_left: [
                setup.losses,
                setup.crashes,
                setup.zombies,
                setup.restarts,
                setup.tampers,
                setup.give_ups,
            ],
            accident: None,
            has_repaired: false,
        }
    }

    pub(crate) fn worker(&self, worker: u8) -> &Worker {
        &self.workers[usize::from(worker)]
    }

    pub(crate) fn holds_lease(&self, worker: u8) -> bool {
        self.worker(worker).is_alive && self.db.epoch == worker
    }

    /// A session may begin a transaction: its worker has the lease, and nothing of the session is left on the server.
    pub(crate) fn has_seat(&self, setup: &Setup, session: Session) -> bool {
        session.worker().is_some_and(|worker| self.holds_lease(worker))
            && self.db.tx(session).is_none()
            && (setup.is_impatient || !self.db.has_orphan(session))
    }

    fn own_txs(&self, worker: u8) -> impl Iterator<Item = &crate::database::Tx> {
        self.db
            .txs
            .iter()
            .filter(move |tx| tx.session.worker() == Some(worker) && !tx.is_orphan)
    }

    /// Nothing of this process runs that the gate of its mirror counts. Lost connections are not counted.
    pub(crate) fn is_still(&self, worker: u8) -> bool {
        let is_at_rest = |copier: &Copier| matches!(copier, Copier::Idle | Copier::WantsToBeAlone);
        self.worker(worker).copiers.iter().all(is_at_rest) && self.own_txs(worker).next().is_none()
    }

    /// Something of this process runs that holds the gate alone.
    pub(crate) fn is_alone(&self, worker: u8) -> bool {
        let holds = |tx: &crate::database::Tx| tx.is_alone || matches!(tx.session, Session::Control { .. });
        self.own_txs(worker).any(holds) || self.worker(worker).control != Control::Free
    }

    pub(crate) fn use_up(&mut self, fault: usize) -> Option<()> {
        self.faults_left[fault] = self.faults_left[fault].checked_sub(1)?;
        Some(())
    }

    pub(crate) fn commit(&mut self, setup: &Setup, session: Session) -> Option<()> {
        let needs_flush = setup.is(WrongWay::CommitOrder) && matches!(session, Session::Writer(_));
        let is_it = |tx: &crate::database::Tx| {
            tx.session == session && !tx.is_orphan && tx.is_ready && (tx.is_flushed || !needs_flush)
        };
        let index = self.db.txs.iter().position(is_it)?;
        let tx = self.db.commit(index);
        match session {
            Session::Writer(writer) => self.written[usize::from(writer)] += 1,
            Session::Copier { worker, lane } => self.chunk_committed(setup, worker, lane),
            Session::Applier { worker, .. } => self.round_committed(worker, tx.is_alone),
            Session::Control { .. } => {}
        }
        Some(())
    }

    /// The changes can be read before the rows can be seen (a wrong way).
    pub(crate) fn flush(&mut self, session: Session) -> Option<()> {
        let tx = self.db.tx_mut(session).filter(|tx| !tx.is_flushed)?;
        tx.is_flushed = true;
        let (notes, rest) = tx.writes.drain(..).partition(|w| matches!(w, Write::Note(_)));
        tx.writes = rest;
        let notes: Vec<Write> = notes;
        notes.iter().for_each(|note| self.db.apply(note));
        Some(())
    }

    pub(crate) fn lose(&mut self, session: Session) -> Option<()> {
        self.use_up(LOSS)?;
        let tx = self.db.tx_mut(session)?;
        tx.is_orphan = true;
        let swap = World::swaps_back(tx);
        let worker = &mut self.workers[usize::from(session.worker()?)];
        match session {
            Session::Copier { lane, .. } => worker.copiers[usize::from(lane)] = Copier::Idle,
            Session::Applier { .. } => worker.wants_alone = false,
            _ => {}
        }
        if let Some(is_back) = swap {
            worker.control = Control::Unanswered { is_back };
        }
        Some(())
    }

    pub(crate) fn orphan_ends(&mut self, session: Session, is_committed: bool) -> Option<()> {
        let is_it = |tx: &crate::database::Tx| tx.session == session && tx.is_orphan;
        let index = self.db.txs.iter().position(is_it)?;
        if !is_committed {
            self.db.txs.remove(index);
        } else if self.db.txs[index].is_ready {
            self.db.commit(index);
        } else {
            return None;
        }
        Some(())
    }

    /// A worker is no more: nothing that it knew is left.
    fn forget_worker(&mut self, worker: u8) {
        let lanes = self.db.lanes.len();
        self.workers[usize::from(worker)] = Worker {
            is_alive: false,
            ..Worker::new(lanes)
        };
    }

    pub(crate) fn crash(&mut self, worker: u8) -> Option<()> {
        self.use_up(CRASH)?;
        for tx in &mut self.db.txs {
            if tx.session.worker() == Some(worker) {
                tx.is_orphan = true;
            }
        }
        self.forget_worker(worker);
        Some(())
    }

    /// Moves the epoch on: waits for every transaction that holds the lease row.
    pub(crate) fn take_over(&mut self) -> Option<()> {
        let epoch = self.db.epoch;
        if self.worker(epoch).is_alive {
            self.use_up(ZOMBIE)?;
        }
        if self.db.txs.iter().any(|tx| tx.fence == Some(epoch)) {
            return None;
        }
        self.db.epoch += 1;
        self.workers.push(Worker::new(self.db.lanes.len()));
        Some(())
    }

    pub(crate) fn leave(&mut self, worker: u8) -> Option<()> {
        let is_lost = self.worker(worker).is_alive && self.db.epoch != worker;
        if !is_lost || self.own_txs(worker).next().is_some() {
            return None;
        }
        self.forget_worker(worker);
        Some(())
    }

    pub(crate) fn restart(&mut self, is_claim_lost: bool) -> Option<()> {
        self.use_up(RESTART)?;
        for worker in &mut self.workers {
            worker.copiers.fill(Copier::Idle);
            worker.wants_alone = false;
        }
        for tx in std::mem::take(&mut self.db.txs) {
            if let (Some(worker), Some(is_back), false) =
                (tx.session.worker(), World::swaps_back(&tx), tx.is_orphan)
            {
                self.workers[usize::from(worker)].control = Control::Unanswered { is_back };
            }
        }
        if is_claim_lost {
            self.db.lanes.iter_mut().for_each(|lane| lane.claim = None);
        }
        Some(())
    }

    pub(crate) fn tamper(&mut self, key: Key) -> Option<()> {
        let lane = self.db.lanes.iter().position(|lane| lane.is_copied(key))?;
        let is_proven = self.db.proof & (1 << lane) != 0;
        // A key with a pending change is not compared: the change's refresh is trusted.
        if is_proven
            || self.db.is_pending(Table::Old, key)
            || self.db.is_row_locked(Session::Writer(u8::MAX), Table::New, key)
        {
            return None;
        }
        self.use_up(TAMPER)?;
        let row = match self.db.row(Table::New, key) {
            Some(_) => None,
            None => Some(Row {
                value: 99,
                unique: 99,
            }),
        };
        self.db.apply(&Write::Row(Table::New, key, row));
        Some(())
    }

    /// True when everything has come to its end.
    pub fn is_end(&self, setup: &Setup) -> bool {
        let is_drained = self.look(setup, Table::Old, 1).is_empty();
        let is_over = if setup.asks.is_empty() {
            let is_ready = matches!(
                self.db.state,
                State::Waiting {
                    for_what: Wait::Cutover
                }
            );
            is_ready && is_drained && self.db.is_all_copied()
        } else {
            self.db.state.is_final()
        };
        is_over && self.db.txs.is_empty() && self.is_all_written(setup)
    }

    /// One table is kept equal to the other one.
    pub(crate) fn is_mirrored(&self) -> bool {
        matches!(
            self.db.state.course(),
            Some(Course::Forward | Course::Hold | Course::SwapBack)
        )
    }

    /// The rule's own invariant: whatever no change speaks of is equal, and what is not copied is not there.
    pub fn is_explained(&self, setup: &Setup) -> bool {
        if !self.is_mirrored() || setup.tampers > 0 || setup.is_trigger_sync() {
            return true;
        }
        let source = self.db.named;
        (0..KEYS as Key).all(|key| {
            let is_copied = self.db.is_copied(key);
            let target_row = self.db.row(source.other(), key);
            if is_copied {
                target_row == self.db.row(source, key) || self.db.is_pending(source, key)
            } else {
                target_row.is_none()
            }
        })
    }

    /// At the end: the table with the name has what was committed, and so has the other one as long as it is kept.
    pub fn is_whole(&self, setup: &Setup) -> bool {
        if !self.is_end(setup) {
            return true;
        }
        let is_equal = self.db.state.is_final() || self.db.rows(Table::Old) == self.db.rows(Table::New);
        *self.db.rows(self.db.named) == self.db.truth && is_equal
    }
}
