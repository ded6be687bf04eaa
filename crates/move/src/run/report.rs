//! What a running move says while it works. The binary draws it; this room only says it.

use std::time::Duration;

use corridor_migration::Wait;
use corridor_migration::errand::Waiter;
use corridor_migration::store::Verification;
use corridor_migration::throttle::Reason;
use corridor_mirror::fault::UNEXPLAINED_DIFFERENCE;
use corridor_mirror::verify::Report;
use corridor_pg::{Fault, Holder, Result};
use serde::{Deserialize, Serialize};

use crate::run::fault::WORKER_FAILED;

/// Something worth telling, as it happens.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Progress {
    /// An operation of the plan began (`is_done` false) or is done.
    Operation {
        /// `prepare`, `copy`, `index`, `constrain`, `verify`, `cutover`, `hold`, `finish`.
        name: String,
        /// Done.
        is_done: bool,
    },
    /// How far the copy (or the verification, see `is_verification`) is; about twice a second.
    Rows {
        /// True while rows are compared instead of copied.
        is_verification: bool,
        /// Rows so far.
        rows: u64,
        /// Rows expected, an estimate of the server's statistics.
        rows_estimate: u64,
        /// Over the last seconds.
        rows_per_s: f64,
        /// Stored bytes copied so far, estimated from samples; 0 for a verification.
        bytes: u64,
        /// Changes that wait in the log (counted up to 10,000).
        pending_changes: i64,
    },
    /// The throttle holds the copy, or lets it go on (`reasons` empty).
    Throttle {
        /// Each with its figure and its limit.
        reasons: Vec<Reason>,
    },
    /// Something failed that is tried again.
    Retrying {
        /// What was attempted, and what came back.
        fault: String,
        /// Pause before the next attempt.
        pause_ms: u64,
    },
    /// A lock was not free within its budget; who holds it. Tried again after a pause.
    LockBusy {
        /// What the lock is for.
        what: String,
        /// One line for each holder.
        holders: Vec<String>,
        /// The same with all that is known, statements whole.
        sessions: Vec<Holder>,
        /// Number of the attempt, from 1.
        attempt: u32,
        /// Attempts allowed.
        attempts_max: u32,
    },
    /// A statement of the plan is running.
    Step {
        /// In a few words.
        what: String,
    },
    /// Everything is done that can be done without a person's word; the tables are kept in step until it comes. Said
    /// again every few seconds.
    InStep {
        /// What it waits for.
        waits_for: Wait,
        /// Changes that wait in the log (counted up to 10,000).
        pending_changes: i64,
    },
    /// After the cut-over: the first rows that the old table cannot take, each by its key with the server's words. A
    /// rollback is refused while there are any. Said when they change; empty when there are none any more.
    Unfit {
        /// `(3000000000): integer out of range (22003)`.
        rows: Vec<String>,
    },
    /// The source was truncated; the target is emptied and copied again.
    Truncated,
    /// The verification is done.
    Verified {
        /// Its result.
        report: Report,
    },
    /// The tables were swapped (or swapped back).
    Swapped {
        /// True when it was the swap back.
        is_back: bool,
        /// How long the locks were waited for.
        waited_ms: f64,
        /// How long they were held.
        held_ms: f64,
        /// Attempts, the successful one included.
        attempts: u32,
    },
}

/// Receives what a running move says. Called from several tasks; must not block.
pub trait Watcher: Send + Sync {
    /// Something happened.
    fn on(&self, progress: &Progress);
}

/// Whoever waits for a worker hears what comes of it as from a worker of their own.
pub(crate) struct Waiting<'a>(pub(crate) &'a dyn Watcher);

impl Waiter for Waiting<'_> {
    fn retrying(&self, fault: &str, pause: Duration) {
        self.0.on(&Progress::Retrying {
            fault: fault.to_owned(),
            pause_ms: u64::try_from(pause.as_millis()).unwrap_or(u64::MAX),
        });
    }

    fn verdict(&self, verification: &Verification) -> Result<bool> {
        let report = Report::deserialize(&verification.report).map_err(|error| {
            let what = format!("the report of verification {}", verification.number);
            Fault::new(&corridor_migration::fault::UNREADABLE_ROW, what).caused_by(error)
        })?;
        let is_proven = report.is_proven;
        self.0.on(&Progress::Verified { report });
        Ok(is_proven)
    }

    fn failure(&self, code: &str, detail: &str) -> Fault {
        let code = match code == UNEXPLAINED_DIFFERENCE.id {
            true => &UNEXPLAINED_DIFFERENCE,
            false => &WORKER_FAILED,
        };
        Fault::new(code, detail.to_owned())
    }
}

/// Hears nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Deaf;

impl Watcher for Deaf {
    fn on(&self, _progress: &Progress) {}
}
