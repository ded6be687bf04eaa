//! A second, smaller model: what a transaction with an old snapshot sees when the name passes to another table.
//!
//! PostgreSQL looks names up in the catalogue of *now*, and rows in the snapshot of the *transaction*. A repeatable-read
//! transaction that took its snapshot before the swap and touches the table first after it reads the new table, without
//! the rows that were written there since its snapshot. Here are ways to swap, and who is harmed by each.
//!
//! There is one row. It was copied long ago (version 0); the application writes later versions, to the table that has the
//! name. What is in the old table at the swap, the swap has to take along.

use stateright::{Checker, Model, Property};

/// How the swap is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Design {
    /// As the product does it: one transaction takes `ACCESS EXCLUSIVE`, refreshes the last changes, exchanges the names.
    OneTransaction {
        /// Steps back when a session is idle in a transaction and has a snapshot.
        looks_for_snapshots: bool,
    },
    /// One transaction takes `SHARE ROW EXCLUSIVE`, a second session refreshes and commits, the first one takes `ACCESS
    /// EXCLUSIVE` in addition and exchanges the names, and writes no row.
    TwoSessions {
        /// Waits between the two until every snapshot is gone that is older than the refresh.
        waits_for_snapshots: bool,
    },
    /// One session takes `SHARE ROW EXCLUSIVE`; a second one refreshes and commits; the snapshots that are older than that
    /// are waited for; a third session queues for `ACCESS EXCLUSIVE`, and only then the first one lets go. Names are
    /// exchanged if nothing has been written meanwhile by those who stood in the queue before.
    TwoLocks,
}

/// A transaction of the application.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reader {
    /// Read committed: one `select`. Its snapshot is taken when it has its lock.
    ReadCommitted,
    /// Repeatable read: something else first, then the table.
    ElsewhereFirst,
    /// Repeatable read: its first statement is the `select`, and takes its snapshot before it waits for the lock.
    TableFirst,
    /// Read committed: `select`, then `update`, in one transaction.
    ReadsThenWrites,
    /// The same in repeatable read.
    ReadsThenWritesRepeatable,
}

/// The committed versions that a snapshot sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Sight {
    /// What the old table has.
    old: u8,
    /// What the new table has.
    new: u8,
}

/// Where a reader is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Not begun.
    Away,
    /// In a transaction, with a snapshot, without a lock on the table.
    HasSnapshot,
    /// Has read, and holds `ACCESS SHARE` until its end.
    HasRead,
    /// The same, and its `update` waits for a lock.
    WaitsToWrite,
    /// Ended.
    Gone,
}

/// Where the swap is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Holds nothing.
    Idle,
    /// Waits for `ACCESS EXCLUSIVE`, with nothing in hand.
    WaitsForAll,
    /// Holds it.
    HasAll,
    /// Holds it, and has looked for older snapshots.
    HasLooked,
    /// Waits for `SHARE ROW EXCLUSIVE`.
    WaitsForWriters,
    /// Holds it.
    HasWriters,
    /// The refresh is committed; waits for older snapshots, or not.
    HasRefreshed,
    /// Waits for `ACCESS EXCLUSIVE`, with `SHARE ROW EXCLUSIVE` in hand.
    WaitsToUpgrade,
    /// Two sessions: one holds `SHARE ROW EXCLUSIVE`, the other one waits for `ACCESS EXCLUSIVE` behind it.
    Queued,
    /// Committed.
    Swapped,
}

/// The state.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Moment {
    committed: Sight,
    stage: Stage,
    tries_left: u8,
    writes_left: u8,
    readers: Vec<(Phase, Option<Sight>)>,
    /// A reader saw something else than what was committed as of its snapshot.
    is_deceived: bool,
}

/// A step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The application writes, and commits.
    Write,
    /// The swap goes on.
    Swap,
    /// The swap gives its locks back, to try again.
    StepBack,
    /// A reader goes on.
    Read(usize),
}

/// A design, and who reads.
#[derive(Debug, Clone)]
pub struct Scene {
    /// The design.
    pub design: Design,
    /// The readers.
    pub readers: Vec<Reader>,
    /// Look at this property alone.
    pub only: Option<&'static str>,
}

/// No reader is told something that never was.
pub const TRUE_ANSWERS: &str = "a reader sees what was committed as of its snapshot";
/// No deadlock between the swap and a reader.
pub const NO_CIRCLE: &str = "the swap waits for nobody who waits for the swap";
/// The swap can be made.
pub const CAN_SWAP: &str = "the swap can be made";

impl Moment {
    fn holds_share(&self) -> bool {
        let holds = |phase| matches!(phase, Phase::HasRead | Phase::WaitsToWrite);
        self.readers.iter().any(|(phase, _)| holds(*phase))
    }

    /// A newcomer's read waits: `ACCESS EXCLUSIVE` is held, or was asked for earlier.
    fn keeps_readers_out(&self) -> bool {
        matches!(
            self.stage,
            Stage::WaitsForAll | Stage::HasAll | Stage::HasLooked | Stage::WaitsToUpgrade | Stage::Queued
        )
    }

    fn keeps_writers_out(&self) -> bool {
        !matches!(self.stage, Stage::Idle | Stage::Swapped)
    }

    fn has_older_snapshot(&self) -> bool {
        self.readers
            .iter()
            .any(|(phase, sight)| *phase != Phase::Gone && sight.is_some_and(|s| s.new < self.committed.new))
    }

    /// The row as the table with the name shows it to a snapshot.
    fn shown(&self, sight: Sight) -> u8 {
        if self.stage == Stage::Swapped {
            sight.new
        } else {
            sight.old
        }
    }

    /// The swap waits for somebody who waits for the swap: for their lock, or for their snapshot.
    fn is_circle(&self, design: Design) -> bool {
        let waits_for_snapshots = match design {
            Design::TwoSessions { waits_for_snapshots } => waits_for_snapshots,
            Design::TwoLocks => true,
            Design::OneTransaction { .. } => false,
        };
        self.readers.iter().any(|(phase, sight)| {
            let is_older = sight.is_some_and(|s| s.new < self.committed.new);
            *phase == Phase::WaitsToWrite
                && match self.stage {
                    Stage::WaitsToUpgrade => true,
                    Stage::HasRefreshed => waits_for_snapshots && is_older,
                    _ => false,
                }
        })
    }

    /// A write of the application to the table with the name.
    fn write(&mut self) {
        let version = truth(self.committed) + 1;
        match self.stage {
            Stage::Swapped => self.committed.new = version,
            _ => self.committed.old = version,
        }
    }
}

/// What was committed as of a snapshot. Only the application makes versions, and each is newer than the one before.
fn truth(sight: Sight) -> u8 {
    sight.old.max(sight.new)
}

impl Scene {
    fn read(&self, moment: &mut Moment, index: usize) -> Option<()> {
        let kind = self.readers[index];
        let (phase, sight) = moment.readers[index];
        let next = match (kind, phase) {
            (
                Reader::ElsewhereFirst | Reader::TableFirst | Reader::ReadsThenWritesRepeatable,
                Phase::Away,
            ) => (Phase::HasSnapshot, Some(moment.committed)),
            (Reader::ReadCommitted | Reader::ReadsThenWrites, Phase::Away) | (_, Phase::HasSnapshot) => {
                if moment.keeps_readers_out() {
                    return None;
                }
                let seen = sight.unwrap_or(moment.committed);
                moment.is_deceived |= moment.shown(seen) != truth(seen);
                match kind {
                    Reader::ReadsThenWrites | Reader::ReadsThenWritesRepeatable => (Phase::HasRead, sight),
                    _ => (Phase::Gone, None),
                }
            }
            (_, Phase::HasRead) => (Phase::WaitsToWrite, sight),
            (_, Phase::WaitsToWrite) => {
                // Who holds a lock that the first in the queue waits for is let through ahead of it.
                let is_let_through = matches!(
                    moment.stage,
                    Stage::Idle | Stage::WaitsForAll | Stage::WaitsForWriters | Stage::Swapped
                );
                if !is_let_through {
                    return None;
                }
                moment.write();
                (Phase::Gone, None)
            }
            _ => return None,
        };
        moment.readers[index] = next;
        Some(())
    }

    fn swap(&self, moment: &mut Moment) -> Option<()> {
        let is_idle_with_snapshot = |index: usize| {
            self.readers[index] == Reader::ElsewhereFirst && moment.readers[index].0 == Phase::HasSnapshot
        };
        moment.stage = match (moment.stage, self.design) {
            (Stage::Idle, Design::OneTransaction { .. }) => Stage::WaitsForAll,
            (Stage::WaitsForAll | Stage::WaitsToUpgrade, _) if moment.holds_share() => return None,
            (Stage::WaitsForAll, _) => Stage::HasAll,
            (
                Stage::HasAll,
                Design::OneTransaction {
                    looks_for_snapshots: true,
                },
            ) => {
                if (0..self.readers.len()).any(is_idle_with_snapshot) {
                    return None; // steps back
                }
                Stage::HasLooked
            }
            (Stage::HasAll, Design::TwoLocks) if moment.committed.new < moment.committed.old => return None,
            (Stage::HasAll, Design::TwoLocks) => Stage::Swapped,
            (Stage::HasAll | Stage::HasLooked, _) => {
                moment.committed.new = moment.committed.old; // by the same commit
                Stage::Swapped
            }
            (Stage::Idle, _) => Stage::WaitsForWriters,
            (Stage::WaitsForWriters, _) => Stage::HasWriters,
            (Stage::HasWriters, _) => {
                moment.committed.new = moment.committed.old; // by the second session
                Stage::HasRefreshed
            }
            (
                Stage::HasRefreshed,
                Design::TwoSessions {
                    waits_for_snapshots: true,
                }
                | Design::TwoLocks,
            ) if moment.has_older_snapshot() => return None,
            (Stage::HasRefreshed, Design::TwoLocks) => Stage::Queued,
            (Stage::Queued, _) => Stage::WaitsForAll, // the first session lets go
            (Stage::HasRefreshed, _) => Stage::WaitsToUpgrade,
            (Stage::WaitsToUpgrade, _) => Stage::Swapped,
            (Stage::Swapped, _) => return None,
        };
        Some(())
    }
}

impl Model for Scene {
    type State = Moment;
    type Action = Step;

    fn init_states(&self) -> Vec<Moment> {
        vec![Moment {
            committed: Sight::default(),
            stage: Stage::Idle,
            tries_left: 1,
            writes_left: 2,
            readers: vec![(Phase::Away, None); self.readers.len()],
            is_deceived: false,
        }]
    }

    fn actions(&self, _: &Moment, out: &mut Vec<Step>) {
        out.extend([Step::Write, Step::Swap, Step::StepBack]);
        out.extend((0..self.readers.len()).map(Step::Read));
    }

    fn next_state(&self, moment: &Moment, step: Step) -> Option<Moment> {
        let mut next = moment.clone();
        match step {
            Step::Write if moment.keeps_writers_out() => return None,
            Step::Write => {
                next.writes_left = moment.writes_left.checked_sub(1)?;
                next.write();
            }
            Step::Swap => self.swap(&mut next)?,
            Step::StepBack => {
                if !moment.keeps_writers_out() {
                    return None;
                }
                next.tries_left = moment.tries_left.checked_sub(1)?;
                next.stage = Stage::Idle;
            }
            Step::Read(index) => self.read(&mut next, index)?,
        }
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let all = vec![
            Property::always(TRUE_ANSWERS, |_: &Scene, moment: &Moment| !moment.is_deceived),
            Property::always(NO_CIRCLE, |scene: &Scene, moment: &Moment| {
                !moment.is_circle(scene.design)
            }),
            Property::sometimes(CAN_SWAP, |_: &Scene, moment: &Moment| {
                moment.stage == Stage::Swapped && moment.readers.iter().all(|r| r.0 == Phase::Gone)
            }),
        ];
        all.into_iter()
            .filter(|p| self.only.is_none_or(|only| only == p.name))
            .collect()
    }
}

impl Scene {
    /// The shortest story that shows, or breaks, one property.
    pub fn story(&self, property: &'static str) -> Option<String> {
        let scene = Scene {
            only: Some(property),
            ..self.clone()
        };
        let path = scene.clone().checker().spawn_bfs().join().discovery(property)?;
        let words: Vec<String> = path
            .into_vec()
            .iter()
            .filter_map(|(moment, step)| step.map(|step| scene.words(moment, step)))
            .collect();
        Some(words.join("\n"))
    }

    fn words(&self, moment: &Moment, step: Step) -> String {
        let next = self.next_state(moment, step).map(|next| next.stage);
        match step {
            Step::Write => "  the application writes and commits".to_owned(),
            Step::Swap => format!("  the swap: {:?}", next.unwrap_or(moment.stage)),
            Step::StepBack => "  the swap gives its locks back".to_owned(),
            Step::Read(index) => {
                let what = match moment.readers[index].0 {
                    Phase::Away if moment.readers[index].1.is_none() && self.takes_snapshot_first(index) => {
                        "takes its snapshot"
                    }
                    Phase::Away | Phase::HasSnapshot => "reads",
                    Phase::HasRead => "wants to write",
                    Phase::WaitsToWrite => "writes and commits",
                    Phase::Gone => "is gone",
                };
                format!("  {:?} {what}", self.readers[index])
            }
        }
    }

    fn takes_snapshot_first(&self, index: usize) -> bool {
        !matches!(
            self.readers[index],
            Reader::ReadCommitted | Reader::ReadsThenWrites
        )
    }
}
