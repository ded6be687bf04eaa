//! The states of a migration, as data.
//!
//! ```text
//! planned ─start─▶ running ─ready─▶ waiting for cutover ─cutover─▶ cutting_over ─cut over─▶ waiting for finish
//!                     │                    │                            │                     │         │
//!                     └───── stop ▶ stopping ▶ stopped                  │                  rollback   finish
//!                     └── rollback ▶ rolling_back ▶ rolled_back ◀───────┴──── rolling_back ◀──┘         ▼
//!                                                                                         finishing ▶ finished
//! ```
//!
//! Every state in the middle can be `paused` or `failed`, and both remember the [`Course`] that `resume` takes up
//! again. A swap whose answer was lost leads to `ambiguous`.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The state of a migration, with what belongs to it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "state", content = "detail", rename_all = "snake_case")]
pub enum State {
    /// Stored, nothing done: the database is untouched.
    Planned,
    /// On the way to the cut-over.
    Running,
    /// The worker has checkpointed and left; nothing is written.
    Paused {
        /// Who asked.
        by: String,
        /// Why, in their words; may be empty.
        why: String,
        /// What `resume` takes up again.
        course: Course,
    },
    /// Everything that can be done without a person's word is done; the worker keeps the target in step.
    Waiting {
        /// What it waits for.
        for_what: Wait,
    },
    /// The swap is being tried.
    CuttingOver,
    /// Going back to where it began.
    RollingBack {
        /// Whether the swap back still has to happen.
        side: Side,
    },
    /// Final: everything is as it was, every later write kept.
    RolledBack,
    /// Cleaning up before the cut-over, for good.
    Stopping,
    /// Final: ended before the cut-over; the database is left as it was.
    Stopped,
    /// Retiring the old table.
    Finishing,
    /// Final: done.
    Finished,
    /// The worker met a fault that it may not try again, and left.
    Failed {
        /// The fault's code, for example `PG-007`.
        code: String,
        /// The fault in words.
        detail: String,
        /// What `resume` takes up again.
        course: Course,
    },
    /// A swap may or may not have been committed. Nothing goes on before its owner is looked up.
    Ambiguous {
        /// What is unknown, in words.
        what: String,
        /// Which swap it was.
        swap: Swap,
    },
}

/// What a [`State::Waiting`] migration waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wait {
    /// `cutover`: copied, verified, in step.
    Cutover,
    /// `finish` (or `rollback`): swapped, the reverse mirror holds the old table in step.
    Finish,
}

/// Which table has the name: the one question that decides what may be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The application uses the old table.
    BeforeCutover,
    /// The application uses the new table.
    AfterCutover,
}

/// What an unfinished migration is on the way to. Each course has one side, so that no mixture is possible.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Course {
    /// Towards the cut-over.
    Forward,
    /// After the cut-over: keeping the old table in step.
    Hold,
    /// Rolling back, the swap back is still to come.
    SwapBack,
    /// Rolling back, the old table has its name (again): only cleaning up is left.
    CleanUp,
    /// Stopping: cleaning up before the cut-over.
    Stop,
    /// Retiring the old table.
    Finish,
}

/// A swap of names, by its direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Swap {
    /// The cut-over.
    Forward,
    /// The swap back of a rollback.
    Back,
}

/// [`State`] without its data, as it stands in the column `state`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StateName {
    /// [`State::Planned`]
    Planned,
    /// [`State::Running`]
    Running,
    /// [`State::Paused`]
    Paused,
    /// [`State::Waiting`]
    Waiting,
    /// [`State::CuttingOver`]
    CuttingOver,
    /// [`State::RollingBack`]
    RollingBack,
    /// [`State::RolledBack`]
    RolledBack,
    /// [`State::Stopping`]
    Stopping,
    /// [`State::Stopped`]
    Stopped,
    /// [`State::Finishing`]
    Finishing,
    /// [`State::Finished`]
    Finished,
    /// [`State::Failed`]
    Failed,
    /// [`State::Ambiguous`]
    Ambiguous,
}

impl StateName {
    /// All of them.
    pub const ALL: [StateName; 13] = [
        StateName::Planned,
        StateName::Running,
        StateName::Paused,
        StateName::Waiting,
        StateName::CuttingOver,
        StateName::RollingBack,
        StateName::RolledBack,
        StateName::Stopping,
        StateName::Stopped,
        StateName::Finishing,
        StateName::Finished,
        StateName::Failed,
        StateName::Ambiguous,
    ];

    /// As the database, JSON and the terminal write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            StateName::Planned => "planned",
            StateName::Running => "running",
            StateName::Paused => "paused",
            StateName::Waiting => "waiting",
            StateName::CuttingOver => "cutting_over",
            StateName::RollingBack => "rolling_back",
            StateName::RolledBack => "rolled_back",
            StateName::Stopping => "stopping",
            StateName::Stopped => "stopped",
            StateName::Finishing => "finishing",
            StateName::Finished => "finished",
            StateName::Failed => "failed",
            StateName::Ambiguous => "ambiguous",
        }
    }

    /// True when nothing can follow.
    pub const fn is_final(self) -> bool {
        matches!(
            self,
            StateName::RolledBack | StateName::Stopped | StateName::Finished
        )
    }
}

impl fmt::Display for StateName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Side {
    /// As the database and JSON write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Side::BeforeCutover => "before_cutover",
            Side::AfterCutover => "after_cutover",
        }
    }

    /// Reads what [`Side::as_str`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        [Side::BeforeCutover, Side::AfterCutover]
            .into_iter()
            .find(|side| side.as_str() == text)
    }
}

impl Course {
    /// Who has the name on this course.
    pub const fn side(self) -> Side {
        match self {
            Course::Forward | Course::CleanUp | Course::Stop => Side::BeforeCutover,
            Course::Hold | Course::SwapBack | Course::Finish => Side::AfterCutover,
        }
    }

    /// The state in which a worker follows this course.
    pub const fn state(self) -> State {
        match self {
            Course::Forward => State::Running,
            Course::Hold => State::Waiting {
                for_what: Wait::Finish,
            },
            Course::SwapBack => State::RollingBack {
                side: Side::AfterCutover,
            },
            Course::CleanUp => State::RollingBack {
                side: Side::BeforeCutover,
            },
            Course::Stop => State::Stopping,
            Course::Finish => State::Finishing,
        }
    }
}

impl State {
    /// The data-free twin.
    pub const fn name(&self) -> StateName {
        match self {
            State::Planned => StateName::Planned,
            State::Running => StateName::Running,
            State::Paused { .. } => StateName::Paused,
            State::Waiting { .. } => StateName::Waiting,
            State::CuttingOver => StateName::CuttingOver,
            State::RollingBack { .. } => StateName::RollingBack,
            State::RolledBack => StateName::RolledBack,
            State::Stopping => StateName::Stopping,
            State::Stopped => StateName::Stopped,
            State::Finishing => StateName::Finishing,
            State::Finished => StateName::Finished,
            State::Failed { .. } => StateName::Failed,
            State::Ambiguous { .. } => StateName::Ambiguous,
        }
    }

    /// What an unfinished migration is on the way to, whether it is being worked on, paused or failed. `None` for
    /// a planned, an ambiguous and a final one.
    pub const fn course(&self) -> Option<Course> {
        match self {
            State::Planned
            | State::RolledBack
            | State::Stopped
            | State::Finished
            | State::Ambiguous { .. } => None,
            State::Running | State::CuttingOver => Some(Course::Forward),
            State::Waiting {
                for_what: Wait::Cutover,
            } => Some(Course::Forward),
            State::Waiting {
                for_what: Wait::Finish,
            } => Some(Course::Hold),
            State::RollingBack {
                side: Side::AfterCutover,
            } => Some(Course::SwapBack),
            State::RollingBack {
                side: Side::BeforeCutover,
            } => Some(Course::CleanUp),
            State::Stopping => Some(Course::Stop),
            State::Finishing => Some(Course::Finish),
            State::Paused { course, .. } | State::Failed { course, .. } => Some(*course),
        }
    }

    /// Who has the name; `None` while nobody can say.
    pub const fn side(&self) -> Option<Side> {
        match self {
            State::Ambiguous { .. } => None,
            State::Finished => Some(Side::AfterCutover),
            State::Planned | State::RolledBack | State::Stopped => Some(Side::BeforeCutover),
            _ => match self.course() {
                Some(course) => Some(course.side()),
                None => None,
            },
        }
    }

    /// True when a worker has something to do in this state (a waiting migration is kept in step).
    pub const fn is_worked_on(&self) -> bool {
        matches!(
            self,
            State::Running
                | State::Waiting { .. }
                | State::CuttingOver
                | State::RollingBack { .. }
                | State::Stopping
                | State::Finishing
        )
    }

    /// True when nothing can follow.
    pub const fn is_final(&self) -> bool {
        self.name().is_final()
    }

    /// One line for a person, in the words of a migration's kind: one of a person's own has no tables to swap.
    pub fn words_of(&self, kind: &str) -> String {
        if kind != crate::data::KIND {
            return self.words();
        }
        match self {
            State::Waiting { .. } => "done; waits for `finish` or `rollback`".into(),
            State::RollingBack { .. } => "rolling back, the newest operation first".into(),
            State::RolledBack => "rolled back".into(),
            State::Stopping => "stopping".into(),
            State::Stopped => "stopped; what was done stays".into(),
            State::Finishing => "finishing".into(),
            other => other.words(),
        }
    }

    /// One line for a person.
    pub fn words(&self) -> String {
        match self {
            State::Planned => "planned; nothing has been done yet".into(),
            State::Running => "running".into(),
            State::Paused { by, why, .. } if why.is_empty() => format!("paused by {by}"),
            State::Paused { by, why, .. } => format!("paused by {by}: {why}"),
            State::Waiting {
                for_what: Wait::Cutover,
            } => "ready; waits for `cutover`".into(),
            State::Waiting {
                for_what: Wait::Finish,
            } => "cut over; the old table is kept in step, waits for `finish` or `rollback`".into(),
            State::CuttingOver => "cutting over".into(),
            State::RollingBack {
                side: Side::AfterCutover,
            } => "rolling back; the swap back is to come".into(),
            State::RollingBack {
                side: Side::BeforeCutover,
            } => "rolling back; cleaning up".into(),
            State::RolledBack => "rolled back; everything is as it was".into(),
            State::Stopping => "stopping; cleaning up".into(),
            State::Stopped => "stopped; the database is as it was".into(),
            State::Finishing => "finishing; retiring the old table".into(),
            State::Finished => "finished".into(),
            State::Failed { code, detail, .. } => format!("failed with {code}: {detail}"),
            State::Ambiguous { what, .. } => format!("ambiguous: {what}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_course_leads_to_a_state_on_that_course() {
        for course in [
            Course::Forward,
            Course::Hold,
            Course::SwapBack,
            Course::CleanUp,
            Course::Stop,
            Course::Finish,
        ] {
            assert_eq!(course.state().course(), Some(course));
            assert_eq!(course.state().side(), Some(course.side()));
            assert!(course.state().is_worked_on());
        }
    }

    #[test]
    fn the_twin_and_serde_agree_on_the_names() {
        for name in StateName::ALL {
            assert_eq!(serde_json::to_value(name).unwrap(), name.as_str());
        }
        for side in [Side::BeforeCutover, Side::AfterCutover] {
            assert_eq!(serde_json::to_value(side).unwrap(), side.as_str());
            assert_eq!(Side::parse(side.as_str()), Some(side));
        }
        let state = State::RollingBack {
            side: Side::AfterCutover,
        };
        assert_eq!(
            serde_json::to_string(&state).unwrap(),
            r#"{"state":"rolling_back","detail":{"side":"after_cutover"}}"#
        );
        assert_eq!(
            serde_json::to_string(&State::Running).unwrap(),
            r#"{"state":"running"}"#
        );
    }
}
