//! A person's own migrations, carried out.
//!
//! A definition that is added becomes a migration of kind `data` in state `planned`; what the file said is its plan. Starting it
//! asks what is to be asked before ([`readiness`]), puts the parameters in, and freezes that. From there on it is worked as
//! every migration is: one worker at a time by the lease, each state in the journal, whoever comes next goes on.
//!
//! # What makes each kind of operation safe to take up again
//!
//! | kind | what is durable, and when |
//! |---|---|
//! | `sql` in a transaction | the statement and its end as an operation commit together: it is done exactly once |
//! | `sql` outside of one, `index` | the try is written down before it begins, with the server process that runs it; who takes over waits for that process and then asks the catalogue (or `done_when`) |
//! | `backfill` | each batch commits with the key that it ends at; the list of values is frozen when the operation begins |
//! | `constraint` | the catalogue says how far it is |
//! | `check`, `verify`, `wait_until` | nothing: they only ask |
//! | `command`, `http` | the try is written down before; when its end is not known, `repeat` says whether it is done again or a person is asked |
//! | `move` | a migration of its own |
//!
//! Rolling back goes through the operations that were begun, the newest first. One that cannot be taken back makes the request
//! for it refused, before anything is undone.

mod attempt;
pub mod census;
mod course;
mod deck;
pub mod fault;
mod guard;
mod ledger;
mod operation;
mod outline;
mod query_id;
mod question;
pub mod readiness;
mod run;
mod seat;
pub mod shelf;
pub mod unsettled;
mod vigil;

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;

use corridor_pg::{Fault, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::definition::{Definition, Move};
use crate::throttle::Reason;

pub(crate) use guard::asked_for;
pub use outline::steps;
pub use run::{Call, carry_out, with_short_lease};

/// The kind of these migrations.
pub const KIND: &str = "data";
/// Version of [`DataPlan`].
pub const PLAN_VERSION: u32 = 1;

/// What a migration of kind `data` stores as its plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DataPlan {
    /// [`PLAN_VERSION`].
    pub version: u32,
    /// What the file says.
    pub definition: Definition,
    /// The same with the parameters put in; frozen when it is started.
    pub bound: Option<Definition>,
    /// The parameters, defaults included.
    pub parameters: BTreeMap<String, String>,
}

impl DataPlan {
    /// Reads a stored plan.
    pub fn read(stored: &Value) -> Result<DataPlan> {
        let version = stored.get("version").and_then(Value::as_u64);
        if version != Some(u64::from(PLAN_VERSION)) {
            let detail = format!("version {}, this is {PLAN_VERSION}", version.unwrap_or(0));
            return Err(Fault::new(&fault::UNREADABLE_PLAN, detail));
        }
        DataPlan::deserialize(stored)
            .map_err(|error| Fault::new(&fault::UNREADABLE_PLAN, error.to_string()).caused_by(error))
    }

    /// What is worked by.
    pub fn worked(&self) -> &Definition {
        self.bound.as_ref().unwrap_or(&self.definition)
    }
}

/// What a worker says while it works.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum News {
    /// An operation began (`is_done` false), or is done, or taken back.
    Operation {
        /// Its place, from 1, of how many.
        position: usize,
        /// How many there are.
        of: usize,
        /// Its name.
        name: String,
        /// Its kind.
        kind: &'static str,
        /// `began`, `done`, `undone`.
        what: &'static str,
    },
    /// How far a backfill is; about twice a second.
    Rows {
        /// Its name.
        operation: String,
        /// Rows changed so far.
        rows: u64,
        /// Over the last seconds.
        rows_per_s: f64,
        /// Items of the list that are done, of how many.
        items_done: u64,
        /// Items of the list.
        items: u64,
        /// The last key that is done.
        at: Option<String>,
    },
    /// A statement runs, or something is waited for.
    Step {
        /// In a few words.
        what: String,
    },
    /// The throttle holds, or lets go on (`reasons` empty).
    Throttle {
        /// Each with its figure and its limit.
        reasons: Vec<Reason>,
    },
    /// Something failed that is tried again.
    Retrying {
        /// What came back.
        fault: String,
        /// Pause before the next try.
        pause_ms: u64,
    },
}

/// Hears what a worker says. Must not block.
pub trait Listener: Send + Sync {
    /// Something happened.
    fn on(&self, news: &News);
}

/// A future that stays on its thread.
pub type Local<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// How a table's move stands, for the migration that waits for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Moved {
    /// Cut over, or taken back: what was asked for is done.
    Done,
    /// It was paused, stopped or interrupted.
    Left(String),
}

/// Whoever can move tables: another room.
pub trait Mover {
    /// Carries the move out up to and with its cut-over, as the migration `name`, taking it up where it is.
    fn carry<'a>(&'a self, name: &'a str, wanted: &'a Move) -> Local<'a, Result<Moved>>;
    /// Takes it back.
    fn back<'a>(&'a self, name: &'a str) -> Local<'a, Result<Moved>>;
    /// Retires the old table.
    fn finish<'a>(&'a self, name: &'a str) -> Local<'a, Result<Moved>>;
    /// Refuses what cannot be read.
    fn check(&self, wanted: &Move) -> Result<()>;
    /// Why the move, begun now, would be refused by the database as it is; `None` when it would not, or when it has begun.
    fn obstacle<'a>(&'a self, name: &'a str, wanted: &'a Move) -> Local<'a, Result<Option<Fault>>>;
}
