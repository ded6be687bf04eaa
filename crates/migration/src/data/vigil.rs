//! The vigil: finds connections that have gone silent, and ends them. What counts as silent is [`crate::silence`]'s; who has which
//! connection in hand is known here.
//!
//! Severing one that was well costs a reconnect and nothing else: its seat then ends the old backend, as after any loss.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use corridor_pg::{ConnectOptions, Session, Severer};
use tokio::task::JoinHandle;

use crate::silence::{LOOK_EVERY, Lookout, SILENCE, deaf};

/// Which connection each task has in hand. A task waits for one at a time.
#[derive(Debug, Default)]
pub(super) struct Roster(Mutex<BTreeMap<&'static str, Lent>>);

#[derive(Debug, Clone)]
struct Lent {
    pid: i32,
    severer: Severer,
    since: Instant,
}

impl Roster {
    fn all(&self) -> MutexGuard<'_, BTreeMap<&'static str, Lent>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `task` takes this connection up, and puts down the one that it had.
    pub(super) fn lend(&self, task: &'static str, session: &Session) {
        let lent = Lent {
            pid: session.backend_pid(),
            severer: session.severer(),
            since: Instant::now(),
        };
        self.all().insert(task, lent);
    }

    /// `task` waits for something else than the server.
    pub(super) fn rest(&self, task: &'static str) {
        self.all().remove(task);
    }

    fn lent_for_long(&self) -> Vec<(&'static str, Lent)> {
        self.all()
            .iter()
            .filter(|(_, lent)| lent.since.elapsed() >= SILENCE && !lent.severer.is_ended())
            .map(|(task, lent)| (*task, lent.clone()))
            .collect()
    }

    /// Ends it, unless the task has got on since.
    fn sever(&self, task: &'static str, lent: &Lent, why: &str) {
        let all = self.all();
        let is_same = all
            .get(task)
            .is_some_and(|now| now.pid == lent.pid && now.since == lent.since);
        if is_same {
            tracing::info!(pid = lent.pid, task, "a connection is given up: {why}");
            lent.severer.sever(why);
        }
    }
}

/// Keeps the vigil until it is dropped.
#[derive(Debug)]
pub(super) struct Vigil(JoinHandle<()>);

impl Vigil {
    pub(super) fn begin(connect: &ConnectOptions, name: &str, roster: &Arc<Roster>) -> Vigil {
        let (mut lookout, roster) = (Lookout::new(connect, name), Arc::clone(roster));
        Vigil(tokio::spawn(async move {
            loop {
                tokio::time::sleep(LOOK_EVERY).await;
                let lent = roster.lent_for_long();
                if lent.is_empty() {
                    continue;
                }
                let pids: Vec<i32> = lent.iter().map(|(_, lent)| lent.pid).collect();
                let Some(seen) = lookout.look(&pids).await else {
                    continue;
                };
                for (task, lent) in &lent {
                    if let Some(why) = deaf(seen.get(&lent.pid), lent.since.elapsed(), false) {
                        roster.sever(task, lent, &why);
                    }
                }
            }
        }))
    }
}

impl Drop for Vigil {
    fn drop(&mut self) {
        self.0.abort();
    }
}
