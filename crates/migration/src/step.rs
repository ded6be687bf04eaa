//! The one function that leads from state to state. Pure: no clock, no database.

use std::fmt;

use corridor_pg::Fault;
use serde::{Deserialize, Serialize};

use crate::fault::{EVENT_OUT_OF_PLACE, VERB_REFUSED};
use crate::state::{Course, Side, State, StateName, Swap, Wait};

/// What a person (or a script) may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    /// Begin a planned migration.
    Start,
    /// Take up what was paused, failed, or left by a dead worker.
    Resume,
    /// Checkpoint and leave; nothing is written until `resume`.
    Pause,
    /// End for good before the cut-over and leave the database as it was.
    Stop,
    /// Compare every row again.
    Verify,
    /// Swap the tables.
    Cutover,
    /// Go back to where it began; after the cut-over every later write is kept.
    Rollback,
    /// Retire the old table; from then on there is no way back.
    Finish,
}

impl Verb {
    /// All of them, in the order of a migration's life.
    pub const ALL: [Verb; 8] = [
        Verb::Start,
        Verb::Resume,
        Verb::Pause,
        Verb::Stop,
        Verb::Verify,
        Verb::Cutover,
        Verb::Rollback,
        Verb::Finish,
    ];

    /// The command.
    pub const fn as_str(self) -> &'static str {
        match self {
            Verb::Start => "start",
            Verb::Resume => "resume",
            Verb::Pause => "pause",
            Verb::Stop => "stop",
            Verb::Verify => "verify",
            Verb::Cutover => "cutover",
            Verb::Rollback => "rollback",
            Verb::Finish => "finish",
        }
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Something that happened, or was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// Somebody asked for something.
    Asked {
        /// What.
        verb: Verb,
        /// Who, as `role@host pid`.
        by: String,
        /// Why, in their words; may be empty.
        why: String,
    },
    /// An operation of the plan began, or began again.
    OperationStarted {
        /// Its name.
        operation: String,
    },
    /// An operation is done.
    OperationFinished {
        /// Its name.
        operation: String,
    },
    /// An operation met a fault that must not be tried again without a person's word.
    OperationFailed {
        /// Its name.
        operation: String,
        /// The fault's code.
        code: String,
        /// The fault in words.
        detail: String,
    },
    /// The same outside of an operation.
    WorkFailed {
        /// The fault's code.
        code: String,
        /// The fault in words.
        detail: String,
    },
    /// Every operation of a plan without a cut-over is done.
    Completed {
        /// It waits for `finish`, and can be rolled back until then.
        is_held: bool,
    },
    /// Somebody says that it need not be done here.
    Skipped {
        /// Who.
        by: String,
        /// Why, in their words.
        why: String,
    },
    /// It was asked whether it is needed here, and it is not.
    NotRequired,
    /// Copied, verified, in step: a cut-over could be made now.
    ReadyForCutover,
    /// All attempts at the swap were used up; certainly none was committed.
    CutoverGivenUp {
        /// What stood in the way.
        why: String,
    },
    /// The swap; recorded in its own transaction.
    CutOver,
    /// The swap back; recorded in its own transaction.
    SwappedBack,
    /// Everything that Corridor made on and beside the table is gone.
    CleanedUp,
    /// The old table is retired.
    Retired,
    /// The answer to a swap was lost, and looking it up gave no clear answer.
    OwnershipAmbiguous {
        /// What is unknown, in words.
        what: String,
    },
    /// It is clear again which table has the name.
    OwnershipResolved {
        /// Who has it.
        side: Side,
    },
}

impl Event {
    /// `verb`, asked by `by` without a reason.
    pub fn asked(verb: Verb, by: impl Into<String>) -> Self {
        Event::Asked {
            verb,
            by: by.into(),
            why: String::new(),
        }
    }

    /// As the journal names it.
    pub const fn name(&self) -> &'static str {
        match self {
            Event::Asked { verb, .. } => verb.as_str(),
            Event::OperationStarted { .. } => "operation_started",
            Event::OperationFinished { .. } => "operation_finished",
            Event::OperationFailed { .. } => "operation_failed",
            Event::WorkFailed { .. } => "work_failed",
            Event::Completed { .. } => "completed",
            Event::Skipped { .. } => "skipped",
            Event::NotRequired => "not_required",
            Event::ReadyForCutover => "ready_for_cutover",
            Event::CutoverGivenUp { .. } => "cutover_given_up",
            Event::CutOver => "cut_over",
            Event::SwappedBack => "swapped_back",
            Event::CleanedUp => "cleaned_up",
            Event::Retired => "retired",
            Event::OwnershipAmbiguous { .. } => "ownership_ambiguous",
            Event::OwnershipResolved { .. } => "ownership_resolved",
        }
    }

    /// The operation that it speaks of.
    pub fn operation(&self) -> Option<&str> {
        match self {
            Event::OperationStarted { operation }
            | Event::OperationFinished { operation }
            | Event::OperationFailed { operation, .. } => Some(operation),
            _ => None,
        }
    }
}

/// What the worker has to do next. Carrying it out is the runner's part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Go through the operations of the plan that are not done.
    Work,
    /// Keep the new table in step.
    CatchUp,
    /// Keep the old table in step.
    MirrorBack,
    /// Compare every row.
    Verify,
    /// Look up which table has the name, before anything else.
    LookUpOwner,
    /// Try the swap.
    Swap,
    /// Try the swap back.
    SwapBack,
    /// Remove everything that Corridor made on and beside the table. Only ever before the cut-over, or after the
    /// swap back.
    CleanUp,
    /// Retire the old table.
    Retire,
    /// Checkpoint, write nothing more, release the lease.
    Leave,
}

/// An event that does not fit the state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The event's name.
    pub event: &'static str,
    /// The state in which it came.
    pub state: StateName,
    /// Why it cannot be, and what to do instead.
    pub why: &'static str,
    /// What may be asked for in this state.
    pub allowed: Vec<Verb>,
    /// False when a worker reported it: then it is a bug.
    pub is_asked: bool,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` while {}: {}", self.event, self.state, self.why)?;
        if !self.is_asked {
            return Ok(());
        }
        match &self.allowed[..] {
            [] => f.write_str("; nothing can be asked for any more"),
            allowed => {
                let words: Vec<_> = allowed.iter().map(|v| v.as_str()).collect();
                write!(f, "; allowed now: {}", words.join(", "))
            }
        }
    }
}

impl std::error::Error for Refusal {}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        let code = if refusal.is_asked {
            &VERB_REFUSED
        } else {
            &EVENT_OUT_OF_PLACE
        };
        Fault::new(code, refusal.to_string())
    }
}

/// The next state, and what the worker has to do then.
pub fn step(state: &State, event: &Event) -> Result<(State, Vec<Action>), Refusal> {
    let outcome = match event {
        Event::Asked { verb, by, why } => asked(state, *verb, by, why),
        _ => happened(state, event).map(|next| {
            let actions = if &next == state { Vec::new() } else { duties(&next) };
            (next, actions)
        }),
    };
    outcome.map_err(|why| Refusal {
        event: event.name(),
        state: state.name(),
        why,
        allowed: allowed(state),
        is_asked: matches!(event, Event::Asked { .. }),
    })
}

/// What may be asked for in `state`.
pub fn allowed(state: &State) -> Vec<Verb> {
    Verb::ALL
        .into_iter()
        .filter(|verb| asked(state, *verb, "", "").is_ok())
        .collect()
}

/// What a worker that finds the migration in `state` has to do.
pub fn duties(state: &State) -> Vec<Action> {
    match state {
        State::Planned => vec![],
        State::Running => vec![Action::Work],
        State::Waiting {
            for_what: Wait::Cutover,
        } => vec![Action::CatchUp],
        State::Waiting {
            for_what: Wait::Finish,
        } => vec![Action::MirrorBack],
        State::CuttingOver => vec![Action::Swap],
        State::RollingBack {
            side: Side::AfterCutover,
        } => vec![Action::SwapBack],
        State::RollingBack {
            side: Side::BeforeCutover,
        }
        | State::Stopping => vec![Action::CleanUp],
        State::Finishing => vec![Action::Retire],
        State::Ambiguous { .. } => vec![Action::LookUpOwner],
        State::Paused { .. }
        | State::Failed { .. }
        | State::RolledBack
        | State::Stopped
        | State::Finished => {
            vec![Action::Leave]
        }
    }
}

/// As [`duties`], for a worker that comes after another one: what that one did in a swap is looked up first.
fn duties_after_another(state: &State) -> Vec<Action> {
    let mut actions = duties(state);
    if let Some(Action::Swap | Action::SwapBack) = actions.first() {
        actions.insert(0, Action::LookUpOwner);
    }
    actions
}

const ENDED: &str = "the migration has ended";
const UNCLEAR: &str = "it is not known which table has the name; `resume` looks it up first";

fn asked(state: &State, verb: Verb, by: &str, why: &str) -> Result<(State, Vec<Action>), &'static str> {
    if state.is_final() {
        return Err(ENDED);
    }
    let next = match verb {
        Verb::Start => match state {
            State::Planned => State::Running,
            _ => return Err("it has been started already; `resume` takes it up again"),
        },
        Verb::Resume => match state {
            State::Planned => return Err("it has not been started; use `start`"),
            State::Paused { course, .. } | State::Failed { course, .. } => course.state(),
            at_work => at_work.clone(),
        },
        Verb::Pause => match state.course() {
            Some(course) if state.is_worked_on() => State::Paused {
                by: by.to_owned(),
                why: why.to_owned(),
                course,
            },
            _ => return Err("no work is going on that could be paused"),
        },
        Verb::Stop => match (state, state.course()) {
            (State::Planned, _) => State::Stopped,
            (_, Some(Course::Forward | Course::Stop)) => State::Stopping,
            (_, Some(Course::Hold)) => {
                return Err("the application already uses the new table; \
                            `rollback` goes back and keeps every write, `finish` stays");
            }
            (_, Some(Course::SwapBack | Course::CleanUp)) => return Err("it is being rolled back already"),
            (_, Some(Course::Finish)) => return Err("the old table is being retired already"),
            (_, None) => return Err(UNCLEAR),
        },
        Verb::Rollback => match (state, state.course()) {
            (State::Planned, _) => State::RolledBack,
            (_, Some(Course::Forward | Course::CleanUp)) => Course::CleanUp.state(),
            (_, Some(Course::Hold | Course::SwapBack)) => Course::SwapBack.state(),
            (_, Some(Course::Stop)) => return Err("it is being stopped already, which cleans up the same"),
            (_, Some(Course::Finish)) => return Err("the old table is being retired; there is no way back"),
            (_, None) => return Err(UNCLEAR),
        },
        Verb::Finish => match state.course() {
            // A swap back that cannot be made must not be a dead end: the new table has the name still.
            Some(Course::Hold | Course::Finish | Course::SwapBack) => State::Finishing,
            Some(Course::CleanUp) => return Err("it is being rolled back"),
            Some(Course::Stop) => return Err("it is being stopped"),
            Some(Course::Forward) => {
                return Err("there was no cut-over yet; only then is there something to retire");
            }
            None if matches!(state, State::Planned) => return Err("it has not been started; use `start`"),
            None => return Err(UNCLEAR),
        },
        Verb::Cutover => match state {
            State::Waiting {
                for_what: Wait::Cutover,
            }
            | State::CuttingOver => State::CuttingOver,
            State::Running => {
                return Err("it is not ready yet; wait until it is, or set `cutover.auto=on`");
            }
            State::Paused {
                course: Course::Forward,
                ..
            }
            | State::Failed {
                course: Course::Forward,
                ..
            } => {
                return Err(
                    "`resume` it first; the cut-over needs a worker that keeps the new table in step",
                );
            }
            State::Planned => return Err("it has not been started; use `start`"),
            State::Ambiguous { .. } => return Err(UNCLEAR),
            _ => return Err("there is no cut-over to make any more"),
        },
        Verb::Verify => {
            // Before the cut-over the proof is needed: while it is renewed, no cut-over can be asked for.
            let next = match state {
                State::Waiting {
                    for_what: Wait::Cutover,
                } => State::Running,
                State::Waiting {
                    for_what: Wait::Finish,
                } => state.clone(),
                _ => {
                    return Err(
                        "there are no two tables in step to compare now; a running move verifies by itself",
                    );
                }
            };
            return Ok((next, vec![Action::Verify]));
        }
    };
    let takes_over = verb == Verb::Resume || &next == state;
    let actions = if takes_over {
        duties_after_another(&next)
    } else {
        duties(&next)
    };
    Ok((next, actions))
}

fn happened(state: &State, event: &Event) -> Result<State, &'static str> {
    match (state, event) {
        (_, Event::Asked { .. }) => Err("asked for, not happened"),
        (_, Event::OperationStarted { .. } | Event::OperationFinished { .. }) if state.is_worked_on() => {
            Ok(state.clone())
        }
        (_, Event::OperationFailed { code, detail, .. } | Event::WorkFailed { code, detail })
            if state.is_worked_on() =>
        {
            match state.course() {
                Some(course) => Ok(State::Failed {
                    code: code.clone(),
                    detail: detail.clone(),
                    course,
                }),
                None => Err("no work is going on"),
            }
        }
        (State::Running, Event::Completed { is_held: false })
        | (State::Planned, Event::Skipped { .. } | Event::NotRequired) => Ok(State::Finished),
        (State::Running, Event::Completed { is_held: true }) => Ok(State::Waiting {
            for_what: Wait::Finish,
        }),
        (State::Running, Event::ReadyForCutover) => Ok(State::Waiting {
            for_what: Wait::Cutover,
        }),
        (State::CuttingOver, Event::CutoverGivenUp { .. }) => Ok(State::Waiting {
            for_what: Wait::Cutover,
        }),
        (State::CuttingOver, Event::CutOver) => Ok(State::Waiting {
            for_what: Wait::Finish,
        }),
        (
            State::RollingBack {
                side: Side::AfterCutover,
            },
            Event::SwappedBack,
        ) => Ok(Course::CleanUp.state()),
        (
            State::RollingBack {
                side: Side::BeforeCutover,
            },
            Event::CleanedUp,
        ) => Ok(State::RolledBack),
        (State::Stopping, Event::CleanedUp) => Ok(State::Stopped),
        (State::Finishing, Event::Retired) => Ok(State::Finished),
        (State::CuttingOver, Event::OwnershipAmbiguous { what }) => Ok(State::Ambiguous {
            what: what.clone(),
            swap: Swap::Forward,
        }),
        (
            State::RollingBack {
                side: Side::AfterCutover,
            },
            Event::OwnershipAmbiguous { what },
        ) => Ok(State::Ambiguous {
            what: what.clone(),
            swap: Swap::Back,
        }),
        (State::Ambiguous { swap, .. }, Event::OwnershipResolved { side }) => Ok(match (swap, side) {
            (Swap::Forward, Side::BeforeCutover) => State::Waiting {
                for_what: Wait::Cutover,
            },
            (Swap::Forward, Side::AfterCutover) => State::Waiting {
                for_what: Wait::Finish,
            },
            (Swap::Back, Side::BeforeCutover) => Course::CleanUp.state(),
            (Swap::Back, Side::AfterCutover) => Course::SwapBack.state(),
        }),
        _ => Err("this cannot happen in this state"),
    }
}

#[cfg(test)]
mod tests;
