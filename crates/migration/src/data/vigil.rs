//! The vigil: finds connections that have gone silent, and ends them.
//!
//! A firewall or a pooler in between that has forgotten a connection closes nothing: what is sent is swallowed, and an answer never
//! comes, while the heart beats on over a connection of its own and keeps every other worker away. A limit on each statement would
//! have to be longer than the longest one. So the server is asked, on another connection: a session that it thinks to be waiting
//! for *us*, while we have been waiting for *it* just as long, is deaf. It is severed; its seat then ends the old backend, as after
//! any loss. Severing one that was well costs a reconnect and nothing else.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use corridor_pg::{ApplicationName, ConnectOptions, FaultContext, Result, Session, Severer};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// How long both sides must have waited for each other. Far longer than a message takes on a bad network.
const SILENCE: Duration = Duration::from_secs(10);
/// How often the server is asked; cheap, by process id.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Our own question goes over a network that may swallow it.
const LOOK_TIMEOUT: Duration = Duration::from_secs(5);

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
        let (connect, roster) = (connect.clone(), Arc::clone(roster));
        let name = ApplicationName::new("vigil", name);
        Vigil(tokio::spawn(async move {
            let mut session = None;
            loop {
                tokio::time::sleep(LOOK_EVERY).await;
                let lent = roster.lent_for_long();
                if lent.is_empty() {
                    continue;
                }
                match timeout(LOOK_TIMEOUT, look(&connect, &name, &mut session, &lent)).await {
                    Ok(Ok(seen)) => {
                        for (task, lent) in &lent {
                            if let Some(why) = deaf(seen.get(&lent.pid)) {
                                roster.sever(task, lent, &why);
                            }
                        }
                    }
                    // A new connection is the better bet; who is deaf can wait until there is one.
                    _ => session = None,
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

/// What the server says of one session.
#[derive(Debug, Clone, PartialEq)]
struct Seen {
    state: String,
    since: Duration,
}

async fn look(
    connect: &ConnectOptions,
    name: &ApplicationName,
    session: &mut Option<Session>,
    lent: &[(&'static str, Lent)],
) -> Result<BTreeMap<i32, Seen>> {
    let session = match session {
        Some(open) => open,
        None => session.insert(connect.connect(name).await?),
    };
    let pids: Vec<i32> = lent.iter().map(|(_, lent)| lent.pid).collect();
    let rows = session
        .query(include_str!("../../sql/data/sessions.sql"), &[&pids])
        .await
        .doing(|| "looking what our sessions do")?;
    let seen = |row: &tokio_postgres::Row| Seen {
        state: row.get("state"),
        since: Duration::from_secs_f64(row.get::<_, f64>("since_s").max(0.0)),
    };
    Ok(rows.iter().map(|row| (row.get("pid"), seen(row))).collect())
}

/// Why a session that we have waited for long enough is deaf.
fn deaf(seen: Option<&Seen>) -> Option<String> {
    let Some(seen) = seen else {
        return Some("the server has ended the session, and we were not told".to_owned());
    };
    let waits_for_us = seen.state.starts_with("idle") && seen.since >= SILENCE;
    waits_for_us.then(|| {
        format!(
            "the server has been waiting for our next word for {} s, and we for its answer",
            seen.since.as_secs()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_deaf(state: &str, since_s: u64) -> bool {
        let seen = Seen {
            state: state.to_owned(),
            since: Duration::from_secs(since_s),
        };
        deaf(Some(&seen)).is_some()
    }

    #[test]
    fn who_works_is_left_alone_and_who_waits_for_us_is_deaf() {
        assert!(!is_deaf("active", 9_999) && !is_deaf("", 9_999));
        for state in ["idle", "idle in transaction", "idle in transaction (aborted)"] {
            assert!(is_deaf(state, 10) && !is_deaf(state, 9), "{state}");
        }
        assert!(deaf(None).is_some());
    }
}
