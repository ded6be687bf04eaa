//! From state to state: verification, the swap in both directions, the ends. After `corridor_move::run`.

use corridor_migration::step::{Action as Duty, duties};
use corridor_migration::{Course, Event, Side, State, Verb, step};
use corridor_move::run::owner::{Owner, Verdict, after_lost_answer};

use crate::database::{Change, Key, Lock, Session, Table, Tx, Write};
use crate::setup::{Setup, WrongWay};
use crate::world::{Accident, World};

/// What a worker's control connection is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Control {
    /// Nothing.
    Free,
    /// It has sent the commit of a swap, and has lost the connection.
    Unanswered {
        /// It was the swap back.
        is_back: bool,
    },
}

/// Object ids, as the catalogue gives them.
fn oid(table: Table) -> u32 {
    match table {
        Table::Old => 10,
        Table::New => 20,
    }
}

impl World {
    fn duty(&self) -> Option<Duty> {
        duties(&self.db.state).first().copied()
    }

    /// The product's own function, without the actions.
    fn next_state_of(&self, event: &Event) -> Option<State> {
        step(&self.db.state, event).ok().map(|(state, _)| state)
    }

    /// Who has the name, as the product finds out.
    pub(crate) fn owner(&self) -> Owner {
        Owner::of(Some(oid(self.db.named)), oid(Table::Old), Some(oid(Table::New)))
    }

    /// A short transaction that applies an event. `None`: it does not fit, or somebody holds the row.
    fn record_event(&mut self, event: &Event) -> Option<()> {
        if self.db.is_state_locked() {
            return None;
        }
        self.db.state = self.next_state_of(event)?;
        Some(())
    }

    /// Somebody asks for the next thing of the setup.
    pub(crate) fn ask(&mut self, verb: Verb) -> Option<()> {
        let before = self.db.state.clone();
        self.record_event(&Event::asked(verb, ""))?;
        self.asked += 1;
        // Asked for at the wrong time, it would be asked for again.
        (self.db.state != before).then_some(())
    }

    /// Compares a lane in one snapshot. What differs without explanation is written into the change log.
    pub(crate) fn verify(&mut self, lane: u8) -> Option<()> {
        let is_proven = self.db.proof & (1 << lane) != 0;
        let is_truncated = self.db.is_truncated(Table::Old);
        if !matches!(self.db.state, State::Running) || !self.db.is_all_copied() || is_proven || is_truncated {
            return None;
        }
        let range = self.db.lanes[usize::from(lane)];
        let differing: Vec<Key> = (range.lo..range.hi)
            .filter(|key| !self.db.is_pending(Table::Old, *key))
            .filter(|key| self.db.row(Table::Old, *key) != self.db.row(Table::New, *key))
            .collect();
        if differing.is_empty() {
            self.db.proof |= 1 << lane;
        }
        for key in differing {
            self.has_repaired = true;
            let id = self.db.draw_id();
            self.db.apply(&Write::Note(Change {
                id,
                source: Table::Old,
                key,
            }));
        }
        Some(())
    }

    fn is_proven(&self, setup: &Setup) -> bool {
        !setup.verifies() || self.db.proof.count_ones() as usize == self.db.lanes.len()
    }

    /// Copied, compared: a cut-over could be made.
    pub(crate) fn ready(&mut self, setup: &Setup) -> Option<()> {
        if !self.db.is_all_copied() || !self.is_proven(setup) {
            return None;
        }
        self.record_event(&Event::ReadyForCutover)
    }

    /// Both tables can be locked against everybody.
    fn may_lock_out(&self, session: Session) -> bool {
        [Table::Old, Table::New]
            .into_iter()
            .all(|table| self.db.may_lock(session, table, Lock::AccessExclusive))
    }

    fn begin_control(&self, setup: &Setup, worker: u8) -> Tx {
        let mut tx = self.begin_fenced(setup, Session::Control { worker });
        tx.locks = [Lock::AccessExclusive; 2];
        tx.is_ready = true;
        tx
    }

    /// A try at the swap that its state calls for, up to the commit. `None`: its locks are not free, something runs
    /// beside it, or too much is pending.
    pub(crate) fn swap(&mut self, setup: &Setup, worker: u8) -> Option<()> {
        let is_back = match (self.duty()?, self.workers[usize::from(worker)].control) {
            (_, Control::Unanswered { is_back }) if setup.is(WrongWay::BlindRetry) => is_back,
            (Duty::Swap, Control::Free) => false,
            (Duty::SwapBack, Control::Free) => true,
            _ => return None,
        };
        let session = Session::Control { worker };
        let is_blind = self.workers[usize::from(worker)].control != Control::Free;
        if !self.is_still(worker) || !self.has_seat(setup, session) || self.db.is_state_locked() {
            return None;
        }
        if !setup.is(WrongWay::NoLock) && !self.may_lock_out(session) {
            return None;
        }
        let source = if is_back { Table::New } else { Table::Old };
        let is_in_step = self.db.is_all_copied() && !self.db.is_truncated(source);
        let is_ready = is_in_step && self.is_proven(setup);
        if !is_back && !is_blind && !is_ready {
            return self.go_back_to_the_copy();
        }
        let pending = self.look(setup, source, usize::MAX);
        if pending.len() > usize::from(setup.rest_max) || !is_in_step {
            return None;
        }
        if !is_blind && !self.owner().is(is_back) {
            self.accident.get_or_insert(Accident::SwapOutOfPlace);
            return Some(());
        }
        let mut tx = self.begin_control(setup, worker);
        if setup.is(WrongWay::NoLock) {
            tx.locks = [Lock::Free; 2];
        }
        if !setup.is(WrongWay::NoLastRefresh) {
            for seen in &pending {
                tx.writes
                    .push(Write::Row(source.other(), seen.key, seen.source_row));
                tx.writes.push(Write::Forget(seen.id));
            }
        }
        let named = self.db.named.other();
        tx.writes.push(Write::Name(named));
        let is_captured = named == Table::New && !setup.is(WrongWay::LateReverseCapture);
        tx.writes.push(Write::Capture(is_captured.then_some(Table::New)));
        let event = if is_back {
            Event::SwappedBack
        } else {
            Event::CutOver
        };
        match self.next_state_of(&event) {
            Some(state) => tx.writes.push(Write::State(state)),
            None if is_blind => {}
            None => return None,
        }
        self.db.txs.push(tx);
        self.workers[usize::from(worker)].control = Control::Free;
        Some(())
    }

    /// A truncate came after the proof: copy and verification are done again. Then the cut-over is asked for again, by the
    /// worker that remembers it, or by somebody.
    fn go_back_to_the_copy(&mut self) -> Option<()> {
        self.record_event(&Event::CutoverGivenUp { why: String::new() })?;
        self.record_event(&Event::asked(Verb::Verify, ""))?;
        self.asked -= 1;
        Some(())
    }

    /// The attempts at the cut-over are used up; it has to be asked for again.
    pub(crate) fn give_up(&mut self, worker: u8) -> Option<()> {
        let is_free = self.workers[usize::from(worker)].control == Control::Free
            && self.db.tx(Session::Control { worker }).is_none();
        if !is_free || self.db.epoch != worker {
            return None;
        }
        self.use_up(crate::world::GIVE_UP)?;
        self.record_event(&Event::CutoverGivenUp { why: String::new() })?;
        self.asked -= 1;
        Some(())
    }

    /// The capture of the other direction, by itself (a wrong way).
    pub(crate) fn capture_late(&mut self) -> Option<()> {
        if self.db.named != Table::New || self.db.capture.is_some() || self.duty() != Some(Duty::MirrorBack) {
            return None;
        }
        let is_free = self.db.txs.iter().all(|tx| tx.locks[1] != Lock::RowExclusive);
        if !is_free {
            return None;
        }
        self.db.capture = Some(Table::New);
        Some(())
    }

    /// After a lost answer, when the old backend is gone: the product's own verdict.
    pub(crate) fn look_up(&mut self, setup: &Setup, worker: u8) -> Option<()> {
        let Control::Unanswered { is_back } = self.workers[usize::from(worker)].control else {
            return None;
        };
        if !self.has_seat(setup, Session::Control { worker }) {
            return None;
        }
        self.workers[usize::from(worker)].control = Control::Free;
        let is_swapped = match after_lost_answer(self.owner(), is_back) {
            Verdict::Swapped => true,
            Verdict::NotSwapped => false,
            Verdict::Unclear(_) => return None,
        };
        // What the names say and what the record says were committed together.
        if is_swapped != (self.db.state.side() == Some(side_after(is_back))) {
            self.accident.get_or_insert(Accident::SwapOutOfPlace);
        }
        Some(())
    }

    /// Cleaning up, or retiring the old table, up to the commit.
    pub(crate) fn end(&mut self, setup: &Setup, worker: u8) -> Option<()> {
        let (event, wanted) = match self.duty()? {
            Duty::CleanUp => (Event::CleanedUp, Table::Old),
            Duty::Retire => (Event::Retired, Table::New),
            _ => return None,
        };
        let session = Session::Control { worker };
        let may_begin = self.workers[usize::from(worker)].control == Control::Free
            && self.is_still(worker)
            && self.has_seat(setup, session)
            && !self.db.is_state_locked()
            && self.may_lock_out(session);
        if !may_begin {
            return None;
        }
        if self.db.named != wanted {
            self.accident.get_or_insert(Accident::SwapOutOfPlace);
            return Some(());
        }
        let state = self.next_state_of(&event)?;
        let mut tx = self.begin_control(setup, worker);
        tx.writes = vec![Write::Capture(None), Write::State(state)];
        tx.writes.extend(self.db.log.iter().map(|c| Write::Forget(c.id)));
        self.db.txs.push(tx);
        Some(())
    }

    /// The direction of a swap that a control transaction is about to commit.
    pub(crate) fn swaps_back(tx: &Tx) -> Option<bool> {
        tx.writes.iter().find_map(|w| match w {
            Write::Name(named) => Some(*named == Table::Old),
            _ => None,
        })
    }

    /// The migration is on its way to the cut-over.
    pub fn is_forward(&self) -> bool {
        self.db.state.course() == Some(Course::Forward)
    }
}

fn side_after(is_back: bool) -> Side {
    if is_back {
        Side::BeforeCutover
    } else {
        Side::AfterCutover
    }
}
