//! What is asked of a worker, and how its turn ends: the same for every kind of migration.

use serde_json::{Value, json};

use crate::state::{State, Wait};
use crate::step::Verb;

/// What is to be carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Begin a planned migration; leave when it waits for a person.
    Start,
    /// Take up what was paused, failed or left; one that waits is kept in step until something is asked for.
    Resume,
    /// Compare every row again.
    Verify,
    /// Swap.
    Cutover,
    /// Go back.
    Rollback,
    /// End before the cut-over.
    Stop,
    /// Checkpoint and leave.
    Pause,
    /// Retire the old table.
    Finish {
        /// Drop it instead.
        is_drop: bool,
    },
}

impl Order {
    /// What it asks for.
    pub const fn verb(self) -> Verb {
        match self {
            Order::Start => Verb::Start,
            Order::Resume => Verb::Resume,
            Order::Verify => Verb::Verify,
            Order::Cutover => Verb::Cutover,
            Order::Rollback => Verb::Rollback,
            Order::Stop => Verb::Stop,
            Order::Pause => Verb::Pause,
            Order::Finish { .. } => Verb::Finish,
        }
    }

    /// With what, a JSON object.
    pub fn argument(self, why: &str) -> Value {
        match self {
            Order::Finish { is_drop } => json!({ "drop": is_drop, "why": why }),
            _ => json!({ "why": why }),
        }
    }
}

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// In a final state.
    Ended(State),
    /// It waits for a person.
    Waits(Wait),
    /// Somebody paused it.
    Paused {
        /// Who.
        by: String,
        /// Why.
        why: String,
    },
    /// Interrupted: checkpointed and left; or the wait for another worker was. Or a request had been answered by somebody
    /// else already.
    Interrupted,
}

impl Outcome {
    /// Of a worker whose turn ended in `state`.
    pub fn of(state: State) -> Self {
        match state {
            State::Waiting { for_what } => Outcome::Waits(for_what),
            State::Paused { by, why, .. } => Outcome::Paused { by, why },
            other => Outcome::Ended(other),
        }
    }
}
