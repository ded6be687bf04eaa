//! Whether a pooler shares our server connection with others.
//!
//! A pooler in transaction mode gives it away after each transaction: settings of the session are lost or come upon
//! somebody else, and a process id is not ours any more. Nothing in the protocol says so. What gives it away is that
//! one server process answers two of our sessions, or several answer one.

use std::collections::BTreeSet;

use tokio_postgres::{Client, SimpleQueryMessage};

use crate::conninfo::ConnectOptions;
use crate::fault::{Fault, FaultContext, POOLED, PROTOCOL, Result};
use crate::session::{ApplicationName, Session};

/// Times that both sessions are asked. Without other clients on the pool the first time tells; with many of them it is a
/// matter of luck each time.
const ROUNDS: usize = 3;

impl ConnectOptions {
    /// Fails with `PG-023` when `session` and a second one, made for this, are not served by one process each.
    ///
    /// Locks: none. Takes one connection for a moment.
    pub async fn refuse_shared(&self, session: &Session, name: &ApplicationName) -> Result<()> {
        let mut ours = BTreeSet::from([session.backend_pid()]);
        // Idle from here on: a pooler gives what we used last to whoever comes next.
        ours.insert(backend_pid(session).await?);
        let other = self.connect(name).await?;
        let mut theirs = BTreeSet::from([other.backend_pid()]);
        for _ in 0..ROUNDS {
            theirs.insert(backend_pid(&other).await?);
            ours.insert(backend_pid(session).await?);
        }
        if ours.len() == 1 && theirs.len() == 1 && ours != theirs {
            return Ok(());
        }
        Err(Fault::new(
            &POOLED,
            format!(
                "one session was served by {}, another one by {}; each should have a process of its own",
                shown(&ours),
                shown(&theirs)
            ),
        ))
    }
}

/// As plain text: of a prepared statement its end would be on its way when we go on.
async fn backend_pid(client: &Client) -> Result<i32> {
    let messages = client
        .simple_query(include_str!("../../sql/session/backend_pid.sql"))
        .await
        .doing(|| "asking who serves us")?;
    let pid = messages.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get("backend_pid")?.parse().ok(),
        _ => None,
    });
    pid.ok_or_else(|| Fault::new(&PROTOCOL, "asking who serves us: no answer"))
}

fn shown(pids: &BTreeSet<i32>) -> String {
    let word = if pids.len() == 1 { "process" } else { "processes" };
    format!("{word} {}", crate::ident::join(pids, ", "))
}
