//! One connection to the server, with the settings that every connection of Corridor has.

use std::fmt;
use std::ops::{Deref, DerefMut};

use tokio_postgres::Client;

use crate::connect::{Canceller, Severer};
use crate::fault::{FaultContext, Result};

/// `corridor:<role>:<migration>`, cut to the 63 bytes that the server keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApplicationName(String);

impl ApplicationName {
    /// `role` says what the session does (`copy`, `apply`, `control`…); `migration` is the migration's name or `-`.
    pub fn new(role: &str, migration: &str) -> Self {
        let mut name = format!("corridor:{role}:{migration}");
        let mut end = name.len().min(crate::ident::NAME_BYTES_MAX);
        while !name.is_char_boundary(end) {
            end -= 1;
        }
        name.truncate(end);
        ApplicationName(name)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ApplicationName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How a transaction sees the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isolation {
    /// A new snapshot for each statement.
    ReadCommitted,
    /// One snapshot, taken by the first statement that reads.
    RepeatableRead,
}

/// A connection. Dereferences to the driver's client; dropping it closes the connection.
///
/// Every session has an `application_name`, a `lock_timeout`, a `statement_timeout`, an
/// `idle_in_transaction_session_timeout`, and UTF-8, ISO dates in UTC and `search_path = pg_catalog, pg_temp`, so
/// that text forms of values and generated SQL mean the same everywhere.
pub struct Session {
    client: Client,
    backend_pid: i32,
    server_version_num: i32,
    name: ApplicationName,
    canceller: Canceller,
    severer: Severer,
}

impl Session {
    /// Wraps a connected client and applies the settings. Made by [`connect`](crate::connect).
    pub(crate) async fn adopt(
        client: Client,
        name: ApplicationName,
        canceller: Canceller,
        severer: Severer,
    ) -> Result<Self> {
        let row = client
            .query_one(include_str!("../sql/session/adopt.sql"), &[&name.as_str()])
            .await
            .doing(|| "setting up the session")?;
        Ok(Session {
            client,
            backend_pid: row.get("backend_pid"),
            server_version_num: row.get("server_version_num"),
            name,
            canceller,
            severer,
        })
    }

    /// The server process that serves this session.
    pub fn backend_pid(&self) -> i32 {
        self.backend_pid
    }

    /// For example 150018.
    pub fn server_version_num(&self) -> i32 {
        self.server_version_num
    }

    /// For example 15.
    pub fn major(&self) -> i32 {
        self.server_version_num / 10_000
    }

    /// The name that the session shows in `pg_stat_activity`.
    pub fn name(&self) -> &ApplicationName {
        &self.name
    }

    /// What cancels the statement that this session runs; usable while the session is busy elsewhere.
    pub fn cancel_token(&self) -> Canceller {
        self.canceller.clone()
    }

    /// Why the connection ended (the server's last word, or the network's), once it has ended by an error.
    pub fn ending(&self) -> Option<&str> {
        self.severer.ending()
    }

    /// What ends this connection when the server does not answer any more; usable while the session is busy elsewhere.
    pub fn severer(&self) -> Severer {
        self.severer.clone()
    }

    /// Sets `lock_timeout` and `statement_timeout` of the session, in milliseconds. 0 means no limit.
    ///
    /// In a transaction that rolls back, the setting rolls back too.
    pub async fn set_timeouts(&self, lock_ms: u32, statement_ms: u32) -> Result<()> {
        self.client
            .query_one(
                include_str!("../sql/session/set_timeouts.sql"),
                &[&lock_ms.to_string(), &statement_ms.to_string()],
            )
            .await
            .doing(|| {
                format!("setting lock_timeout to {lock_ms} ms and statement_timeout to {statement_ms} ms")
            })?;
        Ok(())
    }

    /// Plans of this session are not compiled from now on: for who asks small questions that look dear to the planner.
    pub async fn without_jit(&self) -> Result<()> {
        self.client
            .query_one(include_str!("../sql/session/without_jit.sql"), &[])
            .await
            .doing(|| "switching the compilation of plans off")?;
        Ok(())
    }

    /// Begins a transaction at `isolation`; it rolls back when dropped.
    ///
    /// No snapshot is taken yet: the first statement that reads takes it.
    pub async fn begin(&mut self, isolation: Isolation) -> Result<tokio_postgres::Transaction<'_>> {
        let level = match isolation {
            Isolation::ReadCommitted => tokio_postgres::IsolationLevel::ReadCommitted,
            Isolation::RepeatableRead => tokio_postgres::IsolationLevel::RepeatableRead,
        };
        self.client
            .build_transaction()
            .isolation_level(level)
            .start()
            .await
            .doing(|| "beginning a transaction")
    }
}

impl Deref for Session {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl DerefMut for Session {
    fn deref_mut(&mut self) -> &mut Client {
        &mut self.client
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("name", &self.name)
            .field("backend_pid", &self.backend_pid)
            .finish()
    }
}
