//! The vigil: finds connections that have gone silent, and ends them. What counts as silent is [`corridor_migration::silence`]'s; who
//! has which connection in hand is known here.
//!
//! Severing one that was well costs a reconnect and nothing else.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use corridor_migration::silence::{LOOK_EVERY, Lookout, SILENCE, Seen, deaf};
use corridor_pg::{Session, Severer};
use tokio::sync::watch;

use crate::run::deck::Deck;

/// The connections of all seats of one worker.
#[derive(Debug, Default)]
pub(crate) struct Roster(Mutex<HashMap<i32, Entry>>);

#[derive(Debug)]
struct Entry {
    role: &'static str,
    severer: Severer,
    /// Since when a task has had it; `None` while nobody wants anything of it.
    lent: Option<Instant>,
}

impl Roster {
    fn entries(&self) -> MutexGuard<'_, HashMap<i32, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new connection, in the hands of a task.
    pub(crate) fn add(&self, role: &'static str, session: &Session) {
        let entry = Entry {
            role,
            severer: session.severer(),
            lent: Some(Instant::now()),
        };
        self.entries().insert(session.backend_pid(), entry);
    }

    /// A task takes it up again.
    pub(crate) fn lend(&self, pid: i32) {
        if let Some(entry) = self.entries().get_mut(&pid) {
            entry.lent = Some(Instant::now());
        }
    }

    /// The task has what it wanted.
    pub(crate) fn give_back(&self, pid: i32) {
        if let Some(entry) = self.entries().get_mut(&pid) {
            entry.lent = None;
        }
    }

    /// Those that a task has had for long, by process id, with how long.
    fn lent_for_long(&self) -> Vec<(i32, Duration)> {
        let mut entries = self.entries();
        entries.retain(|_, entry| !entry.severer.is_ended());
        entries
            .iter()
            .filter_map(|(pid, entry)| Some((*pid, entry.lent?.elapsed())))
            .filter(|(_, lent)| *lent >= SILENCE)
            .collect()
    }

    fn sever(&self, pid: i32, why: &str) {
        if let Some(entry) = self.entries().remove(&pid) {
            tracing::info!(pid, role = entry.role, "a connection is given up: {why}");
            entry.severer.sever(why);
        }
    }

    fn role(&self, pid: i32) -> Option<&'static str> {
        self.entries().get(&pid).map(|entry| entry.role)
    }
}

/// Those who wait for their turn with a connection in hand, while indexes are built or a swap is tried.
fn waits_for_its_turn(role: &str) -> bool {
    ["apply", "observe", "copy", "verify"].contains(&role)
}

/// Looks after the connections of `deck` until `end`.
pub(crate) async fn keep(deck: Arc<Deck>, mut end: watch::Receiver<bool>) {
    let mut lookout = Lookout::new(&deck.connect, &deck.name);
    loop {
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            _ = end.wait_for(|e| *e) => return,
        }
        let lent = deck.roster.lent_for_long();
        if lent.is_empty() {
            continue;
        }
        let pids: Vec<i32> = lent.iter().map(|(pid, _)| *pid).collect();
        let seen = tokio::select! {
            seen = lookout.look(&pids) => seen,
            _ = end.wait_for(|e| *e) => return,
        };
        if let Some(seen) = seen {
            judge(&deck, &lent, &seen);
        }
    }
}

fn judge(deck: &Deck, lent: &[(i32, Duration)], seen: &BTreeMap<i32, Seen>) {
    let is_held = deck.forward.is_held() || deck.reverse.is_held();
    for (pid, lent) in lent {
        let Some(role) = deck.roster.role(*pid) else {
            continue;
        };
        let may_idle = is_held && waits_for_its_turn(role);
        if let Some(why) = deaf(seen.get(pid), *lent, may_idle) {
            deck.roster.sever(*pid, &why);
        }
    }
}
