//! Connections that have gone silent, and what a lost one leaves running: the rules that the workers of every kind of migration share.
//!
//! A firewall or a pooler in between that has forgotten a connection closes nothing: what we send is swallowed, and an answer never
//! comes, while the heart beats on over a connection of its own and keeps every other worker away. TCP keepalives notice a machine
//! that is gone, but not a middleman that is there and passes nothing on. A limit on each statement would have to be longer than the
//! longest one. So the server is asked, on another connection: a session that it thinks to be waiting for *us*, while one of our tasks
//! has been waiting for *it* just as long, is deaf.
//!
//! Which of its connections a task has in hand, each kind of worker keeps in a roster of its own.

use std::collections::BTreeMap;
use std::time::Duration;

use corridor_pg::{ApplicationName, ConnectOptions, FaultContext, Result, Session};
use tokio::time::timeout;

/// How long both sides must have waited for each other. Far longer than a message takes on a bad network.
pub const SILENCE: Duration = Duration::from_secs(10);
/// How often the server is asked; cheap, by process id.
pub const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How long a server may stay away before a worker gives up (the state stays; `resume` goes on).
pub const AWAY_MAX: Duration = Duration::from_secs(15 * 60);
/// Our own question goes over a network that may swallow it.
const LOOK_TIMEOUT: Duration = Duration::from_secs(5);
/// Between two looks whether a backend that was ended is gone.
const GONE_INTERVAL: Duration = Duration::from_millis(50);

/// What the server says of one session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// As in `pg_stat_activity`; empty when it may not be seen.
    pub state: String,
    /// How long it has been so.
    pub since: Duration,
}

/// Why a session that a task has had for `lent` is deaf; `None`: it is not, as far as anybody can tell.
///
/// `seen`: what the server says; `None`: it has no such session. `may_idle`: the task may be waiting for its turn with the session in
/// hand, and not for an answer.
pub fn deaf(seen: Option<&Seen>, lent: Duration, may_idle: bool) -> Option<String> {
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

/// Looks what the server thinks of our sessions, over a connection of its own that is opened when it is needed.
#[derive(Debug)]
pub struct Lookout {
    connect: ConnectOptions,
    name: ApplicationName,
    session: Option<Session>,
}

impl Lookout {
    /// For the worker of the migration of this name.
    pub fn new(connect: &ConnectOptions, migration: &str) -> Lookout {
        Lookout {
            connect: connect.clone(),
            name: ApplicationName::new("vigil", migration),
            session: None,
        }
    }

    /// What the server says of each of these sessions; one that is missing is not there. `None`: it cannot be asked now, and who is
    /// deaf waits until it can.
    pub async fn look(&mut self, pids: &[i32]) -> Option<BTreeMap<i32, Seen>> {
        let fault = match timeout(LOOK_TIMEOUT, self.ask(pids)).await {
            Ok(Ok(seen)) => return Some(seen),
            Ok(Err(fault)) => fault.to_string(),
            Err(_) => "no answer".to_owned(),
        };
        tracing::debug!(fault, "the vigil cannot see");
        // A new connection is the better bet.
        self.session = None;
        None
    }

    async fn ask(&mut self, pids: &[i32]) -> Result<BTreeMap<i32, Seen>> {
        let session = match &mut self.session {
            Some(open) => open,
            None => self.session.insert(self.connect.connect(&self.name).await?),
        };
        let rows = session
            .query(include_str!("../sql/silence/sessions.sql"), &[&pids])
            .await
            .doing(|| "looking what our sessions do")?;
        let seen = |row: &tokio_postgres::Row| Seen {
            state: row.get("state"),
            since: Duration::from_secs_f64(row.get::<_, f64>("since_s").max(0.0)),
        };
        Ok(rows.iter().map(|row| (row.get("pid"), seen(row))).collect())
    }
}

/// Ends the backend `pid` of a lost connection of ours, if it is still ours, and waits until it is gone.
///
/// A lost connection does not end its transaction at once: the server may not know yet, and may even have the `COMMIT` in its buffer.
/// Nothing that would not tolerate that may begin before. It is our own, by pid and application name.
pub async fn end_orphan(session: &Session, pid: Option<i32>, application_name: &str) -> Result<()> {
    let Some(pid) = pid else { return Ok(()) };
    loop {
        let rows = session
            .query(
                include_str!("../sql/silence/end_orphan.sql"),
                &[&pid, &application_name],
            )
            .await
            .doing(|| "ending what a lost connection left running")?;
        if rows.is_empty() {
            return Ok(());
        }
        tracing::debug!(pid, "a lost connection's backend is still there");
        tokio::time::sleep(GONE_INTERVAL).await;
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
