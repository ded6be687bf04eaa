//! How a state stands out, what it is called, and how urgent it is.

use corridor_migration::data::KIND;
use corridor_migration::{Course, State, Wait};

/// How something stands out; the class of its mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    /// It is well, or done.
    Good,
    /// It is at work.
    Work,
    /// It waits for a person.
    Wait,
    /// It is not well.
    Bad,
    /// Of less interest.
    Dim,
}

impl Tone {
    pub(crate) fn class(self) -> &'static str {
        match self {
            Tone::Good => "good",
            Tone::Work => "work",
            Tone::Wait => "wait",
            Tone::Bad => "bad",
            Tone::Dim => "dim",
        }
    }
}

/// A state in one or two words.
pub(crate) fn label(kind: &str, state: &State) -> &'static str {
    match state {
        State::Waiting {
            for_what: Wait::Cutover,
        } => "waits for cut-over",
        State::Waiting { .. } => "waits for finish",
        State::Planned if kind == KIND => "not started",
        State::CuttingOver => "cutting over",
        State::RollingBack { .. } => "rolling back",
        State::RolledBack => "rolled back",
        state => state.name().as_str(),
    }
}

/// How a state stands out. `is_alive`: a worker works on it.
pub(crate) fn tone(kind: &str, state: &State, is_alive: bool) -> Tone {
    match state {
        State::Failed { .. } | State::Ambiguous { .. } => Tone::Bad,
        _ if wants_worker(kind, state) && !is_alive => Tone::Bad,
        State::Waiting { .. } | State::Paused { .. } => Tone::Wait,
        State::Finished => Tone::Good,
        State::Planned | State::RolledBack | State::Stopped => Tone::Dim,
        _ => Tone::Work,
    }
}

/// True when there is something to do now, or to keep in step. A migration of a person's own that waits has no mirror.
pub(crate) fn wants_worker(kind: &str, state: &State) -> bool {
    state.is_worked_on() && !(kind == KIND && matches!(state, State::Waiting { .. }))
}

/// For sorting: what needs a person first.
pub(crate) fn urgency(kind: &str, state: &State, is_alive: bool) -> u8 {
    match state {
        State::Ambiguous { .. } => 0,
        State::Failed { .. } => 1,
        _ if wants_worker(kind, state) && !is_alive => 2,
        State::Waiting { .. } => 3,
        State::Paused {
            course: Course::Hold | Course::SwapBack,
            ..
        } => 4,
        State::Paused { .. } => 5,
        State::Planned => 7,
        state if state.is_final() => 8,
        _ => 6,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_needs_a_person_stands_out_and_comes_first() {
        let failed = State::Failed {
            code: "PG-1".into(),
            detail: String::new(),
            course: Course::Forward,
        };
        let waiting = State::Waiting {
            for_what: Wait::Finish,
        };
        let ranked = [
            urgency("move", &failed, false),
            urgency("move", &State::Running, false),
            urgency("move", &waiting, true),
            urgency("move", &State::Running, true),
            urgency("move", &State::Finished, false),
        ];
        assert!(ranked.is_sorted(), "{ranked:?}");
        assert_eq!(tone("move", &State::Running, false), Tone::Bad);
        assert_eq!(tone("move", &State::Running, true), Tone::Work);
        // It has no mirror that would fall behind.
        assert_eq!(tone(KIND, &waiting, false), Tone::Wait);
        assert_eq!(tone("move", &waiting, false), Tone::Bad);
    }
}
