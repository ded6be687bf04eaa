//! Going through a setup, and telling what came of it.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::fmt::Write as _;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

use stateright::{Checker, Model};

use crate::application::{table_word, words};
use crate::database::Session;
use crate::protocol::Happening;
use crate::setup::{Setup, WrongWay};
use crate::world::World;

/// What came of going through a setup.
#[derive(Debug)]
pub struct Outcome {
    /// Different states that were seen.
    pub states: usize,
    /// The longest way from the beginning, in steps.
    pub depth: usize,
    /// Properties that do not hold, each with the shortest story that shows it.
    pub broken: Vec<(&'static str, String)>,
}

/// Goes through everything that can happen.
pub fn explore(setup: &Setup) -> Outcome {
    let checker = setup.clone().checker().spawn_bfs().join();
    let mut broken: Vec<(&'static str, String)> = Vec::new();
    for property in setup.properties() {
        let found = checker.discovery(property.name);
        match (property.expectation.discovery_is_failure(), found) {
            (true, Some(path)) => broken.push((
                property.name,
                shortest_story(setup, property.name).unwrap_or_else(|| tell(setup, path.into_vec())),
            )),
            (false, None) => broken.push((property.name, "no example".to_owned())),
            _ => {}
        }
    }
    Outcome {
        states: checker.unique_state_count(),
        depth: checker.max_depth(),
        broken,
    }
}

/// The shortest story that breaks one property, if there is one.
pub fn shortest_story(setup: &Setup, property: &'static str) -> Option<String> {
    // With one property alone, the checker stops at the first state that breaks it: breadth first, that is the nearest.
    let setup = Setup {
        only: Some(property),
        ..setup.clone()
    };
    let path = setup.clone().checker().spawn_bfs().join().discovery(property)?;
    Some(tell(&setup, path.into_vec()))
}

/// A path as a story: what happened, and how the tables look after it.
fn tell(setup: &Setup, steps: Vec<(World, Option<Happening>)>) -> String {
    let mut out = String::new();
    let mut last = String::new();
    for (number, (world, action)) in steps.iter().enumerate() {
        let look = look(setup, world);
        if look != last {
            let _ = writeln!(out, "        {look}");
        }
        last = look;
        if let Some(action) = action {
            let _ = writeln!(out, "  {:>2}. {}", number + 1, describe(setup, world, action));
        }
    }
    out
}

fn look(setup: &Setup, world: &World) -> String {
    let db = &world.db;
    let log: Vec<String> = db
        .log
        .iter()
        .map(|c| format!("{}{}", if c.source == db.named { "" } else { "!" }, c.key))
        .collect();
    format!(
        "name: {} | old {} | new {} | log [{}]",
        table_word(db.named),
        words(&db.tables[0], setup.has_unique),
        words(&db.tables[1], setup.has_unique),
        log.join(" ")
    )
}

fn who(session: Session) -> String {
    match session {
        Session::Writer(writer) => format!("writer {writer}"),
        Session::Copier { worker, lane } => format!("worker {worker}, copier of lane {lane}"),
        Session::Applier { worker, number: 0 } => format!("worker {worker}, applier"),
        Session::Applier { worker, number } => format!("worker {worker}, applier {number}"),
        Session::Control { worker } => format!("worker {worker}, control"),
    }
}

fn describe(setup: &Setup, world: &World, happening: &Happening) -> String {
    let copier = |worker: u8, lane: u8| who(Session::Copier { worker, lane });
    match *happening {
        Happening::Write(writer) => {
            let done = usize::from(world.written[usize::from(writer)]);
            let ops = &setup.scripts[usize::from(writer)][done];
            let ops: Vec<String> = ops.iter().map(|op| format!("{op:?}")).collect();
            format!("writer {writer}: {} (not committed yet)", ops.join(", "))
        }
        Happening::Flush(session) => format!(
            "{}: its commit is in the write-ahead log, not visible yet",
            who(session)
        ),
        Happening::Commit(session) => format!("{}: commits", who(session)),
        Happening::Look(worker, lane, to) => {
            let from = world.db.lanes[usize::from(lane)].at;
            let verb = if setup.is_chunk_fine {
                "looks at the lane, wants"
            } else {
                "claims"
            };
            format!("{}: {verb} keys {from}..{to}", copier(worker, lane))
        }
        Happening::Claim(worker, lane) => format!("{}: claims them", copier(worker, lane)),
        Happening::Read(worker, lane) => format!("{}: reads the chunk", copier(worker, lane)),
        Happening::Copy(worker, lane) => format!("{}: inserts the chunk", copier(worker, lane)),
        Happening::Record(worker, lane) => format!("{}: writes the ledger", copier(worker, lane)),
        Happening::PayLedger(worker, lane) => {
            format!("{}: writes the ledger, by itself", copier(worker, lane))
        }
        Happening::CopyAlone(worker, lane, to) => {
            format!(
                "{}: claims and copies up to {to} with nothing beside it",
                copier(worker, lane)
            )
        }
        Happening::Snapshot(worker, number) => {
            let alone = if world.workers[usize::from(worker)].wants_alone {
                ", for all changes, alone"
            } else {
                ""
            };
            let session = Session::Applier { worker, number };
            if setup.is(WrongWay::ClaimedAskedBefore) && world.db.tx(session).is_none() {
                return format!("{}: a round asks what is claimed", who(session));
            }
            format!("{}: a round takes its snapshot{alone}", who(session))
        }
        Happening::Judge(worker, number) => {
            format!(
                "{}: decides, deletes, inserts, forgets",
                who(Session::Applier { worker, number })
            )
        }
        Happening::BeginReplay(worker) => {
            format!("worker {worker}: the replay of a truncate takes its snapshot")
        }
        Happening::Replay(worker) => format!("worker {worker}: empties the target and the ledger"),
        Happening::Verify(lane) => format!("lane {lane} is compared"),
        Happening::Ready => "ready for the cut-over".to_owned(),
        Happening::Swap(worker) => format!("worker {worker}: the swap, up to its commit"),
        Happening::GiveUp(worker) => format!("worker {worker}: gives the cut-over up for now"),
        Happening::CaptureLate => "the capture of the other direction begins".to_owned(),
        Happening::LookUp(worker) => format!("worker {worker}: looks who has the name"),
        Happening::End(worker) => format!("worker {worker}: retires or cleans up, up to its commit"),
        Happening::Ask(verb) => format!("somebody asks for `{verb}`"),
        Happening::Lose(session) => format!(
            "{}: loses its connection; the server has not noticed",
            who(session)
        ),
        Happening::OrphanEnds(session, true) => {
            format!("{}: the lost connection's commit happens", who(session))
        }
        Happening::OrphanEnds(session, false) => format!(
            "{}: the lost connection's transaction is rolled back",
            who(session)
        ),
        Happening::Crash(worker) => format!("worker {worker} dies"),
        Happening::TakeOver => format!("worker {} takes over", world.db.epoch + 1),
        Happening::Leave(worker) => format!("worker {worker} notices that its lease is lost, and leaves"),
        Happening::Restart(is_claim_lost) => {
            let claims = if is_claim_lost { "without" } else { "with" };
            format!("the server dies and comes back, {claims} the last claims")
        }
        Happening::Tamper(key) => format!("somebody changes key {key} of the target"),
    }
}

/// Everything that can be reached, and what leads to it without a fault.
struct Map {
    /// A digest of each state, in the order in which they were met.
    digests: Vec<u64>,
    /// The state from which each was met first.
    parents: Vec<u32>,
    /// The states from which it can be reached in one step that is no fault.
    before: Vec<Vec<u32>>,
    /// The states that are ends.
    ends: Vec<u32>,
}

fn digest(world: &World) -> u64 {
    BuildHasherDefault::<DefaultHasher>::default().hash_one(world)
}

impl Map {
    fn of(setup: &Setup) -> Map {
        let mut map = Map {
            digests: Vec::new(),
            parents: Vec::new(),
            before: Vec::new(),
            ends: Vec::new(),
        };
        let mut index: HashMap<u64, u32> = HashMap::new();
        let mut queue: VecDeque<(u32, World)> = VecDeque::new();
        for world in setup.init_states() {
            index.insert(digest(&world), 0);
            map.add(digest(&world), 0);
            queue.push_back((0, world));
        }
        let mut actions = Vec::new();
        while let Some((number, world)) = queue.pop_front() {
            if world.is_end(setup) {
                map.ends.push(number);
            }
            actions.clear();
            setup.actions(&world, &mut actions);
            for action in &actions {
                let Some(next) = setup.next_state(&world, *action) else {
                    continue;
                };
                let to = match index.entry(digest(&next)) {
                    Entry::Occupied(known) => *known.get(),
                    Entry::Vacant(free) => {
                        let to = map.add(digest(&next), number);
                        free.insert(to);
                        queue.push_back((to, next));
                        to
                    }
                };
                if !setup.is_fault(&world, action) {
                    map.before[to as usize].push(number);
                }
            }
        }
        map
    }

    fn add(&mut self, digest: u64, parent: u32) -> u32 {
        self.digests.push(digest);
        self.parents.push(parent);
        self.before.push(Vec::new());
        self.digests.len() as u32 - 1
    }

    /// The first state from which no end can be reached.
    fn stuck(&self) -> Option<u32> {
        let mut can_end = vec![false; self.digests.len()];
        let mut reached = self.ends.clone();
        while let Some(number) = reached.pop() {
            if !std::mem::replace(&mut can_end[number as usize], true) {
                reached.extend(&self.before[number as usize]);
            }
        }
        can_end.iter().position(|can| !can).map(|number| number as u32)
    }

    /// How a state is reached.
    fn way_to(&self, setup: &Setup, number: u32) -> Vec<(World, Option<Happening>)> {
        let mut chain = vec![number];
        while let Some(&first) = chain.first().filter(|first| **first != 0) {
            chain.insert(0, self.parents[first as usize]);
        }
        let mut steps = Vec::new();
        let mut world = setup.init_states().remove(0);
        for next in chain.into_iter().skip(1) {
            let wanted = self.digests[next as usize];
            let found = setup
                .next_steps(&world)
                .into_iter()
                .find(|(_, w)| digest(w) == wanted);
            let Some((action, then)) = found else { break };
            steps.push((std::mem::replace(&mut world, then), Some(action)));
        }
        steps.push((world, None));
        steps
    }
}

/// Makes sure that an end can be reached from every state, without any further fault: nobody waits for ever, and
/// nothing is tried for ever in vain.
///
/// Returns the number of states, or the story of one that has no way to an end.
pub fn every_state_can_end(setup: &Setup) -> Result<usize, String> {
    let map = Map::of(setup);
    match map.stuck() {
        None => Ok(map.digests.len()),
        Some(number) => Err(tell(setup, map.way_to(setup, number))),
    }
}
