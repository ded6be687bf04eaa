//! The vigil: finds connections that have gone silent, and ends them.
//!
//! A firewall or a pooler in between that has forgotten a connection closes nothing: what we send is swallowed, and an
//! answer never comes. TCP keepalives notice a machine that is gone, but not a middleman that is there and passes
//! nothing on. A limit on each statement would have to be longer than the longest statement, and that may take hours.
//! So the server is asked, on another connection: a session that it thinks to be waiting for *us*, while one of our tasks
//! has been waiting for *it* just as long, is deaf. It is severed; its seat then ends the old backend through a new
//! connection, as after any loss.
//!
//! Severing one that was well costs a reconnect and nothing else.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use corridor_pg::{ApplicationName, Fault, Result, Session, Severer};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::run::deck::Deck;

/// How long both sides must have waited for each other. Far longer than a message takes on a bad network.
const SILENCE: Duration = Duration::from_secs(10);
/// How often the server is asked; cheap, by process id.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Our own question goes over a network that may swallow it.
const LOOK_TIMEOUT: Duration = Duration::from_secs(5);

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

/// What the server says of one session.
#[derive(Debug, Clone, PartialEq)]
struct Seen {
    state: String,
    since: Duration,
}

/// Why a session that a task has had for `lent` is deaf; `None`: it is not, as far as anybody can tell.
///
/// `may_idle`: the task may be waiting for its turn and not for an answer.
fn deaf(seen: Option<&Seen>, lent: Duration, may_idle: bool) -> Option<String> {
    if lent < SILENCE {
        return None;
    }
    let Some(seen) = seen else {
        return Some("the server has ended the session, and we were not told".to_owned());
    };
    // A task never rests between two statements of a transaction.
    let waits_for_us = seen.state.starts_with("idle in transaction") || (seen.state == "idle" && !may_idle);
    (waits_for_us && seen.since >= SILENCE).then(|| {
        format!(
            "the server has been waiting for our next word for {} s, and we for its answer",
            seen.since.as_secs()
        )
    })
}

/// Those who wait for their turn with a connection in hand, while indexes are built or a swap is tried.
fn waits_for_its_turn(role: &str) -> bool {
    ["apply", "observe", "copy", "verify"].contains(&role)
}

/// Looks after the connections of `deck` until `end`.
pub(crate) async fn keep(deck: Arc<Deck>, mut end: watch::Receiver<bool>) {
    let mut session = None;
    loop {
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            _ = end.wait_for(|e| *e) => return,
        }
        let lent = deck.roster.lent_for_long();
        if lent.is_empty() {
            continue;
        }
        let looked = tokio::select! {
            looked = timeout(LOOK_TIMEOUT, look(&deck, &mut session, &lent)) => looked,
            _ = end.wait_for(|e| *e) => return,
        };
        match looked {
            Ok(Ok(seen)) => judge(&deck, &lent, &seen),
            // A new connection is the better bet; who is deaf can wait until there is one.
            Ok(Err(fault)) => {
                tracing::debug!(%fault, "the vigil cannot see");
                session = None;
            }
            Err(_) => session = None,
        }
    }
}

async fn look(
    deck: &Deck,
    session: &mut Option<Session>,
    lent: &[(i32, Duration)],
) -> Result<HashMap<i32, Seen>> {
    let session = match session {
        Some(open) => open,
        None => {
            let name = ApplicationName::new("vigil", &deck.name);
            session.insert(deck.connect.connect(&name).await?)
        }
    };
    let pids: Vec<i32> = lent.iter().map(|(pid, _)| *pid).collect();
    let rows = session
        .query(include_str!("../../sql/run/sessions.sql"), &[&pids])
        .await
        .map_err(Fault::from)?;
    Ok(rows
        .iter()
        .map(|row| {
            let seen = Seen {
                state: row.get("state"),
                since: Duration::from_secs_f64(row.get::<_, f64>("since_s").max(0.0)),
            };
            (row.get("pid"), seen)
        })
        .collect())
}

fn judge(deck: &Deck, lent: &[(i32, Duration)], seen: &HashMap<i32, Seen>) {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(state: &str, since_s: u64) -> Option<Seen> {
        Some(Seen {
            state: state.to_owned(),
            since: Duration::from_secs(since_s),
        })
    }

    fn is_deaf(seen: Option<Seen>, lent_s: u64, may_idle: bool) -> bool {
        deaf(seen.as_ref(), Duration::from_secs(lent_s), may_idle).is_some()
    }

    #[test]
    fn a_statement_that_runs_is_left_alone_however_long() {
        assert!(!is_deaf(seen("active", 9_999), 9_999, false));
    }

    #[test]
    fn both_must_have_waited_long_enough() {
        for state in ["idle", "idle in transaction", "idle in transaction (aborted)"] {
            assert!(is_deaf(seen(state, 10), 10, false), "{state}");
            assert!(!is_deaf(seen(state, 9), 99, false), "{state}");
            assert!(!is_deaf(seen(state, 99), 9, false), "{state}");
        }
    }

    #[test]
    fn who_waits_for_its_turn_is_idle_outside_of_a_transaction_only() {
        assert!(!is_deaf(seen("idle", 99), 99, true));
        assert!(is_deaf(seen("idle in transaction", 99), 99, true));
    }

    #[test]
    fn a_session_that_the_server_does_not_have_is_deaf() {
        assert!(is_deaf(None, 10, true));
        assert!(!is_deaf(None, 9, false));
    }
}
