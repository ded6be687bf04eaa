//! What is told, and with which facts. Pure.

use corridor_migration::{State, Wait};
use corridor_move::run::Progress;
use corridor_pg::{Fault, ident::join};

use crate::output::text::{cut, harmless};
use crate::run::{Order, Outcome};

/// Bytes of one fact at most: systems limit the whole environment.
const FACT_COLUMNS_MAX: usize = 4_000;
/// A lock that stays busy is told at the first attempt, and again after so many.
const LOCK_BUSY_EVERY: u32 = 10;

/// What a command is told about.
#[derive(Debug, Clone)]
pub(crate) struct Subject {
    pub(crate) migration: String,
    pub(crate) table: String,
    pub(crate) database: String,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) name: &'static str,
    facts: Vec<(&'static str, String)>,
}

impl Event {
    fn new(name: &'static str) -> Self {
        Event {
            name,
            facts: Vec::new(),
        }
    }

    fn with(mut self, fact: &'static str, value: impl ToString) -> Self {
        // No line breaks, no zero bytes, nothing that steers a terminal.
        let value = cut(&harmless(&value.to_string()), FACT_COLUMNS_MAX);
        self.facts.push((fact, value));
        self
    }

    /// Environment variables.
    pub(crate) fn variables(&self) -> impl Iterator<Item = (String, &str)> {
        let facts = self.facts.iter().map(|(name, value)| (*name, value.as_str()));
        std::iter::once(("EVENT", self.name))
            .chain(facts)
            .map(|(name, value)| (format!("CORRIDOR_{name}"), value))
    }
}

/// Makes events of what a worker says.
#[derive(Debug)]
pub(crate) struct Teller {
    subject: Subject,
    /// Rows, estimate, rows a second, pending changes, as said last.
    figures: Option<(u64, u64, f64)>,
    pending_changes: Option<i64>,
    is_held: bool,
    /// What was last said to be waited for.
    waits_for: Option<Wait>,
}

impl Teller {
    pub(crate) fn new(subject: Subject) -> Self {
        Teller {
            subject,
            figures: None,
            pending_changes: None,
            is_held: false,
            waits_for: None,
        }
    }

    /// An event with what is known in any case.
    fn event(&self, name: &'static str) -> Event {
        let mut event = Event::new(name)
            .with("MIGRATION", &self.subject.migration)
            .with("TABLE", &self.subject.table)
            .with("DATABASE", &self.subject.database);
        if let Some((rows, estimate, per_s)) = self.figures {
            event = event
                .with("ROWS", rows)
                .with("ROWS_ESTIMATE", estimate)
                .with("ROWS_PER_S", per_s.round());
        }
        if let Some(pending) = self.pending_changes {
            event = event.with("PENDING_CHANGES", pending);
        }
        event
    }

    /// A command begins to carry something out.
    pub(crate) fn begun(&self, order: Order) -> Event {
        let verb = match order {
            Order::Start => "start",
            Order::Resume => "resume",
            Order::Verify => "verify",
            Order::Cutover => "cutover",
            Order::Rollback => "rollback",
            Order::Stop => "stop",
            Order::Pause => "pause",
            Order::Finish { .. } => "finish",
        };
        self.event("started").with("VERB", verb)
    }

    /// Whoever is asked says no by its exit code.
    pub(crate) fn before_cutover(&self) -> Event {
        self.event("before-cutover")
    }

    /// What is worth telling of what a worker said.
    pub(crate) fn hear(&mut self, progress: &Progress) -> Option<Event> {
        match progress {
            Progress::Rows {
                rows,
                rows_estimate,
                rows_per_s,
                pending_changes,
                ..
            } => {
                self.figures = Some((*rows, *rows_estimate, *rows_per_s));
                self.pending_changes = Some(*pending_changes);
                None
            }
            Progress::Operation { name, is_done } => {
                self.waits_for = None;
                if !is_done {
                    self.figures = None;
                }
                let event = if *is_done {
                    "operation-done"
                } else {
                    "operation-begun"
                };
                Some(self.event(event).with("OPERATION", name))
            }
            Progress::Throttle { reasons } => {
                let was_held = std::mem::replace(&mut self.is_held, !reasons.is_empty());
                match (was_held, self.is_held) {
                    (false, true) => Some(self.event("throttled").with("REASONS", join(reasons, "; "))),
                    (true, false) => Some(self.event("let-go")),
                    _ => None,
                }
            }
            Progress::LockBusy {
                what,
                holders,
                attempt,
                attempts_max,
                ..
            } => {
                let is_told = *attempt == 1 || attempt % LOCK_BUSY_EVERY == 0;
                is_told.then(|| {
                    self.event("lock-busy")
                        .with("WHAT", what)
                        .with("HOLDERS", join(holders, "; "))
                        .with("ATTEMPT", attempt)
                        .with("ATTEMPTS_MAX", attempts_max)
                })
            }
            Progress::InStep {
                waits_for,
                pending_changes,
            } => {
                self.pending_changes = Some(*pending_changes);
                self.waits(*waits_for)
            }
            Progress::Unfit { rows } => Some(self.event("unfit").with("ROWS_UNFIT", join(rows, "; "))),
            Progress::Truncated => Some(self.event("truncated")),
            Progress::Verified { report } => Some(
                self.event("verified")
                    .with("IS_PROVEN", report.is_proven)
                    .with("SOURCE_ROWS", report.source_rows)
                    .with("TARGET_ROWS", report.target_rows)
                    .with("DIFFERING_KEYS", report.differing_keys)
                    .with("REPAIRED_KEYS", report.repaired_keys),
            ),
            Progress::Swapped {
                is_back,
                waited_ms,
                held_ms,
                attempts,
            } => {
                let event = if *is_back { "swapped-back" } else { "swapped" };
                Some(
                    self.event(event)
                        .with("WAITED_MS", format!("{waited_ms:.1}"))
                        .with("HELD_MS", format!("{held_ms:.1}"))
                        .with("ATTEMPTS", attempts),
                )
            }
            Progress::Retrying { .. } | Progress::Step { .. } => None,
        }
    }

    /// It is said again every few seconds; told once.
    fn waits(&mut self, waits_for: Wait) -> Option<Event> {
        if self.waits_for.replace(waits_for) == Some(waits_for) {
            return None;
        }
        Some(self.event(match waits_for {
            Wait::Cutover => "ready",
            Wait::Finish => "holding",
        }))
    }

    /// What a command came to.
    pub(crate) fn ended(&mut self, outcome: &Result<Outcome, Fault>, exit: u8) -> Option<Event> {
        let event = match outcome {
            Ok(Outcome::Waits(waits_for)) => self.waits(*waits_for)?,
            Ok(Outcome::Paused { by, why }) => self.event("paused").with("BY", by).with("WHY", why),
            Ok(Outcome::Interrupted) => self.event("interrupted"),
            Ok(Outcome::Ended(State::Finished)) => self.event("finished"),
            Ok(Outcome::Ended(State::RolledBack)) => self.event("rolled-back"),
            Ok(Outcome::Ended(State::Stopped)) => self.event("stopped"),
            Ok(Outcome::Ended(State::Failed { code, detail, .. })) => {
                self.event("failed").with("CODE", code).with("DETAIL", detail)
            }
            Ok(Outcome::Ended(state)) => self.event("failed").with("DETAIL", state.words()),
            Err(fault) => self
                .event("failed")
                .with("CODE", fault.code().id)
                .with("DETAIL", fault),
        };
        Some(event.with("EXIT", exit))
    }
}

#[cfg(test)]
mod tests {
    use corridor_migration::setting::Unit;
    use corridor_migration::throttle::{Reason, Signal};

    use super::*;

    fn teller() -> Teller {
        Teller::new(Subject {
            migration: "events".to_owned(),
            table: "public.events".to_owned(),
            database: "app".to_owned(),
        })
    }

    fn shown(event: Option<Event>) -> String {
        let Some(event) = event else {
            return "nothing".to_owned();
        };
        join(
            event.variables().map(|(name, value)| format!("{name}={value}")),
            " ",
        )
    }

    #[test]
    fn an_event_has_its_facts() {
        let mut teller = teller();
        let rows = Progress::Rows {
            is_verification: false,
            rows: 10,
            rows_estimate: 40,
            rows_per_s: 5.4,
            bytes: 1,
            pending_changes: 7,
        };
        assert_eq!(shown(teller.hear(&rows)), "nothing");
        let busy = |attempt| Progress::LockBusy {
            what: "the swap\n".to_owned(),
            holders: vec!["pid 1".to_owned(), "pid 2".to_owned()],
            sessions: Vec::new(),
            attempt,
            attempts_max: 40,
        };
        insta::assert_snapshot!(shown(teller.hear(&busy(1))), @r"CORRIDOR_EVENT=lock-busy CORRIDOR_MIGRATION=events CORRIDOR_TABLE=public.events CORRIDOR_DATABASE=app CORRIDOR_ROWS=10 CORRIDOR_ROWS_ESTIMATE=40 CORRIDOR_ROWS_PER_S=5 CORRIDOR_PENDING_CHANGES=7 CORRIDOR_WHAT=the swap\n CORRIDOR_HOLDERS=pid 1; pid 2 CORRIDOR_ATTEMPT=1 CORRIDOR_ATTEMPTS_MAX=40");
        assert_eq!(shown(teller.hear(&busy(2))), "nothing");
        assert_ne!(shown(teller.hear(&busy(10))), "nothing");
    }

    #[test]
    fn what_lasts_is_told_once() {
        let mut teller = teller();
        let reason = Reason {
            signal: Signal::ReplicaLagMs,
            figure: None,
            limit: 5.0,
            unit: Unit::Ms,
            why: Some("no answer".to_owned()),
        };
        let names = |teller: &mut Teller, said: &Progress| teller.hear(said).map(|event| event.name);
        let held = Progress::Throttle {
            reasons: vec![reason],
        };
        let free = Progress::Throttle { reasons: Vec::new() };
        assert_eq!(names(&mut teller, &free), None);
        assert_eq!(names(&mut teller, &held), Some("throttled"));
        assert_eq!(names(&mut teller, &held), None);
        assert_eq!(names(&mut teller, &free), Some("let-go"));
        let in_step = |waits_for| Progress::InStep {
            waits_for,
            pending_changes: 0,
        };
        assert_eq!(names(&mut teller, &in_step(Wait::Cutover)), Some("ready"));
        assert_eq!(names(&mut teller, &in_step(Wait::Cutover)), None);
        assert_eq!(teller.ended(&Ok(Outcome::Waits(Wait::Cutover)), 5), None);
        assert_eq!(names(&mut teller, &in_step(Wait::Finish)), Some("holding"));
    }
}
