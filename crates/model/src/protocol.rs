//! The model: what can happen in a world, one thing after the other, and what must hold.

use corridor_migration::Verb;
use stateright::{Model, Property};

use crate::copier::Copier;
use crate::database::{KEYS, Key, Session};
use crate::setup::{Setup, WrongWay};
use crate::world::{CRASH, GIVE_UP, LOSS, RESTART, TAMPER, World, ZOMBIE};

/// Something that happens, in one instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Happening {
    /// The statements of a writer's next transaction.
    Write(u8),
    /// The commit's record is written, its rows are not visible yet (a wrong way).
    Flush(Session),
    /// A commit, and its answer.
    Commit(Session),
    /// A copier looks at its lane, and chooses the next chunk; claims it at once, unless that is a step of its own.
    Look(u8, u8, Key),
    /// A copier announces its next chunk.
    Claim(u8, u8),
    /// A copier's statement takes its snapshot.
    Read(u8, u8),
    /// The same statement inserts what it has read.
    Copy(u8, u8),
    /// A copier writes the ledger in the same transaction.
    Record(u8, u8),
    /// A copier writes the ledger in a transaction of its own (a wrong way).
    PayLedger(u8, u8),
    /// A copier claims and copies with nothing beside it.
    CopyAlone(u8, u8, Key),
    /// A round takes its snapshot.
    Snapshot(u8, u8),
    /// A round asks what is claimed, decides, and refreshes.
    Judge(u8, u8),
    /// A worker begins to replay a truncate.
    BeginReplay(u8),
    /// It empties the target.
    Replay(u8),
    /// A lane is compared.
    Verify(u8),
    /// Ready for the cut-over.
    Ready,
    /// The swap of a worker, up to its commit.
    Swap(u8),
    /// A worker gives the cut-over up for now.
    GiveUp(u8),
    /// The capture of the other direction begins late (a wrong way).
    CaptureLate,
    /// A worker looks who has the name.
    LookUp(u8),
    /// Cleaning up or retiring, up to its commit.
    End(u8),
    /// Somebody asks for something.
    Ask(Verb),
    /// A connection is lost.
    Lose(Session),
    /// What came of a lost connection's transaction.
    OrphanEnds(Session, bool),
    /// A worker dies.
    Crash(u8),
    /// The next worker takes over.
    TakeOver,
    /// A worker notices that its lease is lost, and leaves.
    Leave(u8),
    /// The server dies and comes back; with or without the claims, which do not wait for the disk.
    Restart(bool),
    /// Somebody changes a row of the target.
    Tamper(Key),
}

impl Setup {
    /// Something that comes from outside: it may happen, and nothing may need it.
    pub fn is_fault(&self, world: &World, happening: &Happening) -> bool {
        match happening {
            Happening::Lose(_)
            | Happening::GiveUp(_)
            | Happening::Crash(_)
            | Happening::Restart(_)
            | Happening::Tamper(_) => true,
            Happening::TakeOver => world.worker(world.db.epoch).is_alive,
            _ => false,
        }
    }

    fn worker_actions(&self, world: &World, worker: u8, out: &mut Vec<Happening>) {
        for lane in 0..world.db.lanes.len() as u8 {
            match world.worker(worker).copiers[usize::from(lane)] {
                Copier::Idle if world.may_look(self, worker, lane) => {
                    out.extend(world.chunk_ends(lane).map(|to| Happening::Look(worker, lane, to)));
                }
                Copier::Looked { .. } => out.push(Happening::Claim(worker, lane)),
                Copier::Claimed { .. } => out.extend([
                    Happening::Read(worker, lane),
                    Happening::Copy(worker, lane),
                    Happening::Record(worker, lane),
                ]),
                Copier::WantsToBeAlone if world.may_copy_alone(self, worker, lane) => {
                    out.extend(
                        world
                            .chunk_ends(lane)
                            .map(|to| Happening::CopyAlone(worker, lane, to)),
                    );
                }
                Copier::OwesLedger { .. } => out.push(Happening::PayLedger(worker, lane)),
                _ => {}
            }
        }
        for number in 0..self.appliers {
            if world.may_snapshot(self, worker, number) {
                out.push(Happening::Snapshot(worker, number));
            }
            out.push(Happening::Judge(worker, number));
        }
        if world.may_replay(self, worker) {
            out.push(Happening::BeginReplay(worker));
        }
        out.push(Happening::Replay(worker));
        if !world.holds_lease(worker) {
            out.push(Happening::Leave(worker));
            return;
        }
        out.extend([Happening::Swap(worker), Happening::End(worker)]);
        if !self.is(WrongWay::BlindRetry) {
            out.push(Happening::LookUp(worker));
        }
        if self.is(WrongWay::LateReverseCapture) {
            out.push(Happening::CaptureLate);
        }
        if !world.db.state.is_final() {
            let lanes = 0..world.db.lanes.len() as u8;
            out.extend(lanes.filter(|_| self.verifies()).map(Happening::Verify));
            out.push(Happening::Ready);
        }
    }

    fn fault_actions(&self, world: &World, out: &mut Vec<Happening>) {
        let epoch = world.db.epoch;
        let is_left = |fault: usize| world.faults_left[fault] > 0;
        for tx in &world.db.txs {
            match (tx.session.worker(), tx.is_orphan) {
                (_, true) => out.extend([
                    Happening::OrphanEnds(tx.session, true),
                    Happening::OrphanEnds(tx.session, false),
                ]),
                (Some(_), false) if is_left(LOSS) => out.push(Happening::Lose(tx.session)),
                _ => {}
            }
        }
        if world.db.state.is_final() {
            return;
        }
        if is_left(CRASH) && world.worker(epoch).is_alive {
            out.push(Happening::Crash(epoch));
        }
        if !world.worker(epoch).is_alive || is_left(ZOMBIE) {
            out.push(Happening::TakeOver);
        }
        if is_left(RESTART) {
            out.push(Happening::Restart(false));
            if world.db.lanes.iter().any(|lane| lane.claim.is_some()) {
                out.push(Happening::Restart(true));
            }
        }
        if is_left(GIVE_UP) && world.worker(epoch).is_alive {
            out.push(Happening::GiveUp(epoch));
        }
        if is_left(TAMPER) {
            out.extend((0..KEYS as Key).map(Happening::Tamper));
        }
    }

    fn happen(&self, world: &mut World, happening: Happening) -> Option<()> {
        match happening {
            Happening::Write(writer) => world.write(self, writer),
            Happening::Flush(session) => world.flush(session),
            Happening::Commit(session) => world.commit(self, session),
            Happening::Look(worker, lane, to) => world.look_at_lane(self, worker, lane, to),
            Happening::Claim(worker, lane) => world.claim(self, worker, lane),
            Happening::Read(worker, lane) => world.read(self, worker, lane),
            Happening::Copy(worker, lane) => world.copy(self, worker, lane),
            Happening::Record(worker, lane) => world.record(self, worker, lane),
            Happening::PayLedger(worker, lane) => world.pay_ledger(worker, lane),
            Happening::CopyAlone(worker, lane, to) => world.copy_alone(self, worker, lane, to),
            Happening::Snapshot(worker, number) => world.snapshot(self, worker, number),
            Happening::Judge(worker, number) => world.judge(self, worker, number),
            Happening::BeginReplay(worker) => world.begin_replay(self, worker),
            Happening::Replay(worker) => world.replay(worker),
            Happening::Verify(lane) => world.verify(lane),
            Happening::Ready => world.ready(self),
            Happening::Swap(worker) => world.swap(self, worker),
            Happening::GiveUp(worker) => world.give_up(worker),
            Happening::CaptureLate => world.capture_late(),
            Happening::LookUp(worker) => world.look_up(self, worker),
            Happening::End(worker) => world.end(self, worker),
            Happening::Ask(verb) => world.ask(verb),
            Happening::Lose(session) => world.lose(session),
            Happening::OrphanEnds(session, is_committed) => world.orphan_ends(session, is_committed),
            Happening::Crash(worker) => world.crash(worker),
            Happening::TakeOver => world.take_over(),
            Happening::Leave(worker) => world.leave(worker),
            Happening::Restart(is_claim_lost) => world.restart(is_claim_lost),
            Happening::Tamper(key) => world.tamper(key),
        }
    }
}

/// The application's table always has exactly what was committed.
pub const NOTHING_LOST: &str = "the table with the name has what was committed";
/// The rule.
pub const EXPLAINED: &str = "what differs has a pending change";
/// The promise.
pub const WHOLE: &str = "in the end everything is there and nothing else";
/// See [`crate::world::Accident`].
pub const NO_ACCIDENT: &str = "no chunk meets its own rows, no swap is out of place";
/// The setup is not empty.
pub const ENDS: &str = "the end can be reached";

impl Model for Setup {
    type State = World;
    type Action = Happening;

    fn init_states(&self) -> Vec<World> {
        vec![World::first(self)]
    }

    fn actions(&self, world: &World, out: &mut Vec<Happening>) {
        for writer in 0..self.scripts.len() as u8 {
            if world.has_more_to_write(self, writer) {
                out.push(Happening::Write(writer));
            }
        }
        for tx in world.db.txs.iter().filter(|tx| !tx.is_orphan) {
            if self.is(WrongWay::CommitOrder) && matches!(tx.session, Session::Writer(_)) {
                out.push(Happening::Flush(tx.session));
            }
            out.push(Happening::Commit(tx.session));
        }
        if let Some(verb) = self.asks.get(usize::from(world.asked)) {
            out.push(Happening::Ask(*verb));
        }
        for worker in 0..world.workers.len() as u8 {
            if world.worker(worker).is_alive {
                self.worker_actions(world, worker, out);
            }
        }
        self.fault_actions(world, out);
    }

    fn next_state(&self, world: &World, happening: Happening) -> Option<World> {
        let mut next = world.clone();
        self.happen(&mut next, happening)?;
        if !self.is(WrongWay::IdsInOrder) {
            next.db.renumber();
        }
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let all = vec![
            Property::sometimes(ENDS, |setup: &Setup, world: &World| world.is_end(setup)),
            Property::always(WHOLE, |setup: &Setup, world: &World| world.is_whole(setup)),
            Property::always(NOTHING_LOST, |_: &Setup, world: &World| {
                *world.db.rows(world.db.named) == world.db.truth
            }),
            Property::always(EXPLAINED, |setup: &Setup, world: &World| {
                world.is_explained(setup)
            }),
            Property::always(NO_ACCIDENT, |_: &Setup, world: &World| world.accident.is_none()),
        ];
        all.into_iter()
            .filter(|p| self.only.is_none_or(|only| only == p.name))
            .collect()
    }
}
