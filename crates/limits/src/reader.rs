//! The session that probes read through.
//!
//! Every statement has a time box, takes no lock that a writer could wait for (catalogue reads, `ACCESS SHARE` at most,
//! with a `lock_timeout`), and runs read-only. What is refused or takes too long is not a fault of the check: it is
//! noted in a word ([`Degraded`]), and the probe goes on without it.

use std::time::Instant;

use corridor_pg::{Fault, Result, Session};
use serde::Serialize;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

/// No single statement of a probe takes longer, unless its caller said otherwise.
pub const STATEMENT_MS: u32 = 2_000;
/// How long a probe waits for a relation that somebody rewrites or drops.
const LOCK_MS: u32 = 50;

/// What a probe could not see, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Degraded {
    /// Which probe.
    pub probe: &'static str,
    /// What it is about: `the ids of pg_toast.pg_toast_16384`.
    pub what: String,
    /// Why it was not seen: `permission denied for schema pg_toast`.
    pub why: String,
    /// What would help: `grant pg_read_all_data to role`; empty where nothing does.
    pub remedy: String,
}

/// A session with a probe's name on it, and what it could not see.
#[derive(Debug)]
pub struct Reader {
    session: Session,
    probe: &'static str,
    degraded: Vec<Degraded>,
    statement_ms: u32,
    deadline: Option<Instant>,
}

impl Reader {
    /// Takes the session over. Sets its time limits, read-only transactions, and no parallel workers and no JIT, which
    /// would cost more than they spare.
    pub async fn new(session: Session) -> Result<Self> {
        session.set_timeouts(LOCK_MS, STATEMENT_MS).await?;
        session
            .batch_execute(include_str!("../sql/read_only.sql"))
            .await?;
        Ok(Reader {
            session,
            probe: "",
            degraded: Vec::new(),
            statement_ms: STATEMENT_MS,
            deadline: None,
        })
    }

    /// From now on it is `probe` that reads, for `budget_ms` all in all.
    pub fn begin(&mut self, probe: &'static str, budget_ms: u32) {
        self.probe = probe;
        self.deadline = Some(Instant::now() + std::time::Duration::from_millis(u64::from(budget_ms)));
    }

    /// For example 150018.
    pub fn server_version_num(&self) -> i32 {
        self.session.server_version_num()
    }

    /// What is left of the probe's time, in milliseconds; at most [`STATEMENT_MS`].
    pub fn left_ms(&self) -> u32 {
        let left = self.deadline.map_or(u128::from(STATEMENT_MS), |deadline| {
            deadline.saturating_duration_since(Instant::now()).as_millis()
        });
        u32::try_from(left).unwrap_or(STATEMENT_MS).min(STATEMENT_MS)
    }

    /// The session, for what is not a question of a probe.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Gives the session back.
    pub fn into_session(self) -> Session {
        self.session
    }

    /// Asks the server. `None` when it was refused, took too long, or does not exist here; that is noted as degraded.
    ///
    /// Errors: what ends the session, and what is our own fault.
    pub async fn ask(
        &mut self,
        what: &str,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<Option<Vec<Row>>> {
        let left_ms = self.left_ms();
        if left_ms == 0 {
            self.note(what, "the probe's time was up".to_owned(), String::new());
            return Ok(None);
        }
        if left_ms.abs_diff(self.statement_ms) > 100 {
            self.session.set_timeouts(LOCK_MS, left_ms).await?;
            self.statement_ms = left_ms;
        }
        match self.session.query(sql, params).await {
            Ok(rows) => Ok(Some(rows)),
            Err(error) => {
                let fault = Fault::from_driver(error).doing(format!("reading {what}"));
                let (why, remedy) = self.excuse(fault)?;
                self.note(what, why, remedy);
                Ok(None)
            }
        }
    }

    /// As [`Reader::ask`], for a statement that always has one row.
    pub async fn ask_one(
        &mut self,
        what: &str,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<Option<Row>> {
        let rows = self.ask(what, sql, params).await?;
        Ok(rows.and_then(|rows| rows.into_iter().next()))
    }

    /// Notes what cannot be seen.
    pub fn note(&mut self, what: impl Into<String>, why: impl Into<String>, remedy: impl Into<String>) {
        let degraded = Degraded {
            probe: self.probe,
            what: what.into(),
            why: why.into(),
            remedy: remedy.into(),
        };
        if !self.degraded.contains(&degraded) {
            self.degraded.push(degraded);
        }
    }

    /// What could not be seen so far; empties the list.
    pub fn take_degraded(&mut self) -> Vec<Degraded> {
        std::mem::take(&mut self.degraded)
    }

    fn excuse(&self, fault: Fault) -> Result<(String, String)> {
        match fault.sqlstate() {
            // insufficient_privilege
            Some("42501") => Ok((
                fault.detail().to_owned(),
                "grant pg_monitor and pg_read_all_data to the role".to_owned(),
            )),
            // query_canceled: by our time limit, or by a person
            Some("57014") => Ok((
                format!("it took longer than {} ms", self.statement_ms),
                String::new(),
            )),
            // lock_not_available
            Some("55P03") => Ok(("somebody holds it exclusively".to_owned(), String::new())),
            // undefined_table, undefined_function, undefined_column, undefined_object, feature_not_supported,
            // object_not_in_prerequisite_state (an extension that is not preloaded), a relation that was dropped meanwhile
            Some("42P01" | "42883" | "42703" | "42704" | "0A000" | "55000" | "XX000") => {
                Ok((fault.detail().to_owned(), String::new()))
            }
            _ => Err(fault),
        }
    }
}
