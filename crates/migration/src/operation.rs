//! The states of one operation of a plan.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Where one operation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OperationState {
    /// Not begun.
    Pending,
    /// Begun; at most one operation of a migration is.
    Running,
    /// Done.
    Done,
    /// Ended by a fault; `resume` begins it again.
    Failed,
    /// Begun once, and taken back by `stop` or `rollback`.
    Undone,
}

/// What happens to an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OperationEvent {
    /// It begins, or begins again after a fault or a dead worker.
    Start,
    /// It begins again although it was done (`verify`).
    Repeat,
    /// It is done.
    Finish,
    /// It met a fault.
    Fail,
    /// Another operation goes before it (the copy begins again after a truncate); it begins anew after that.
    Yield,
    /// What it made is gone. Says nothing about an operation that was never begun.
    Undo,
}

impl OperationState {
    /// All of them.
    pub const ALL: [OperationState; 5] = [
        OperationState::Pending,
        OperationState::Running,
        OperationState::Done,
        OperationState::Failed,
        OperationState::Undone,
    ];

    /// As the database writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            OperationState::Pending => "pending",
            OperationState::Running => "running",
            OperationState::Done => "done",
            OperationState::Failed => "failed",
            OperationState::Undone => "undone",
        }
    }

    /// Reads the column.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// The state after `event`; `None` when it cannot happen.
    pub const fn after(self, event: OperationEvent) -> Option<Self> {
        use OperationState::{Done, Failed, Pending, Running, Undone};
        match (self, event) {
            (Pending | Running | Failed, OperationEvent::Start) => Some(Running),
            (Done | Running, OperationEvent::Repeat) => Some(Running),
            (Running, OperationEvent::Finish) => Some(Done),
            (Running, OperationEvent::Fail) => Some(Failed),
            (Running, OperationEvent::Yield) => Some(Pending),
            (Pending, OperationEvent::Undo) => Some(Pending),
            (Running | Done | Failed | Undone, OperationEvent::Undo) => Some(Undone),
            _ => None,
        }
    }
}

impl fmt::Display for OperationState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_in_every_state() {
        let mut table = String::new();
        for state in OperationState::ALL {
            for event in [
                OperationEvent::Start,
                OperationEvent::Repeat,
                OperationEvent::Finish,
                OperationEvent::Fail,
                OperationEvent::Yield,
                OperationEvent::Undo,
            ] {
                let next = state.after(event).map_or("-", OperationState::as_str);
                table.push_str(&format!("{state} {event:?} {next}\n"));
            }
        }
        insta::assert_snapshot!(table, @r#"
        pending Start running
        pending Repeat -
        pending Finish -
        pending Fail -
        pending Yield -
        pending Undo pending
        running Start running
        running Repeat running
        running Finish done
        running Fail failed
        running Yield pending
        running Undo undone
        done Start -
        done Repeat running
        done Finish -
        done Fail -
        done Yield -
        done Undo undone
        failed Start running
        failed Repeat -
        failed Finish -
        failed Fail -
        failed Yield -
        failed Undo undone
        undone Start -
        undone Repeat -
        undone Finish -
        undone Fail -
        undone Yield -
        undone Undo undone
        "#);
    }
}
