//! What came of a command that carried something out.

use std::sync::Arc;

use corridor_migration::step::allowed;
use corridor_migration::{Course, Name, State, StateName, Verb, Wait};
use corridor_pg::Result;
use serde::Serialize;
use tokio::task::JoinHandle;

use super::Output;
use super::status::{ONE_WAY, has_sense_one_way, next_commands};
use super::text::{Paint, hang, harmless, paint};
use crate::command::Context;
use crate::run::Outcome;

/// The last line of a command that carried something out.
#[derive(Serialize)]
struct OutcomeDocument<'a> {
    #[serde(flatten)]
    what: What<'a>,
    name: &'a Name,
    exit: u8,
    next: Vec<String>,
}

/// Ended: `finished`, `rolled_back`, `stopped`.
#[derive(Serialize)]
#[serde(untagged)]
enum What<'a> {
    Ended {
        outcome: StateName,
    },
    Waiting {
        outcome: StateName,
        for_what: Wait,
    },
    Paused {
        outcome: StateName,
        by: &'a str,
        why: &'a str,
    },
    Interrupted {
        outcome: &'static str,
    },
}

impl<'a> What<'a> {
    fn of(outcome: &'a Outcome) -> Self {
        match outcome {
            Outcome::Ended(state) => What::Ended {
                outcome: state.name(),
            },
            Outcome::Waits(for_what) => What::Waiting {
                outcome: StateName::Waiting,
                for_what: *for_what,
            },
            Outcome::Paused { by, why } => What::Paused {
                outcome: StateName::Paused,
                by,
                why,
            },
            Outcome::Interrupted => What::Interrupted {
                outcome: "interrupted",
            },
        }
    }
}

/// Says that the checkpoint is being made, as soon as somebody asks us to leave.
pub(crate) struct Farewell(JoinHandle<()>);

impl Farewell {
    /// Waits for the signal beside the work.
    pub(crate) fn begin(context: &Context) -> Self {
        let (interrupt, output) = (context.interrupt.clone(), Arc::clone(&context.output));
        Farewell(tokio::spawn(async move {
            interrupt.wait().await;
            output.note("Checkpointing, then leaving. Once more to leave at once.");
        }))
    }

    /// The work is done.
    pub(crate) fn end(self) {
        self.0.abort();
    }
}

/// Shows what came of it, and what can be done next. `is_one_way`: it waits behind its cut-over, without a way back.
pub(crate) fn show(
    output: &Output,
    name: &Name,
    outcome: &Outcome,
    exit: u8,
    is_one_way: bool,
) -> Result<()> {
    let next = next(name, outcome, is_one_way);
    if output.is_json() {
        let what = What::of(outcome);
        let next = next.into_iter().map(|(command, _)| command).collect();
        return output.json_line(&OutcomeDocument {
            what,
            name,
            exit,
            next,
        });
    }
    let (how, words) = match is_one_way {
        true => (Paint::Wait, ONE_WAY.to_owned()),
        false => words(outcome, exit),
    };
    let mut text = paint(how, &hang("", &harmless(&format!("{name}: {words}"))));
    for (command, why) in next {
        text.push('\n');
        text.push_str(&hang(&format!("  {command:<30}  "), why));
    }
    output.data(&text)
}

/// The same for a migration of a person's own.
pub(crate) fn show_data(output: &Output, name: &Name, outcome: &Outcome, exit: u8) -> Result<()> {
    let verbs: Vec<Verb> = match outcome {
        Outcome::Ended(state) => allowed(state),
        Outcome::Waits(for_what) => allowed(&State::Waiting { for_what: *for_what }),
        Outcome::Paused { .. } | Outcome::Interrupted => vec![Verb::Resume],
    }
    .into_iter()
    .filter(|verb| !matches!(verb, Verb::Verify | Verb::Cutover))
    .collect();
    let next = super::status::next_commands_of(corridor_migration::data::KIND, name, &verbs);
    if output.is_json() {
        let what = What::of(outcome);
        let next = next.into_iter().map(|(command, _)| command).collect();
        return output.json_line(&OutcomeDocument {
            what,
            name,
            exit,
            next,
        });
    }
    let (how, said) = match outcome {
        Outcome::Waits(for_what) => {
            let state = State::Waiting { for_what: *for_what };
            (Paint::Wait, state.words_of(corridor_migration::data::KIND))
        }
        Outcome::Ended(state) => {
            let how = if exit == 0 { Paint::Good } else { Paint::Bad };
            (how, state.words_of(corridor_migration::data::KIND))
        }
        other => words(other, exit),
    };
    let mut text = paint(how, &hang("", &harmless(&format!("{name}: {said}"))));
    for (command, why) in next {
        text.push('\n');
        text.push_str(&hang(&format!("  {command:<30}  "), why));
    }
    output.data(&text)
}

fn words(outcome: &Outcome, exit: u8) -> (Paint, String) {
    match outcome {
        Outcome::Ended(state) if exit == 0 => (Paint::Good, state.words()),
        Outcome::Ended(state) if state.is_final() => {
            let words = format!(
                "{} (somebody else asked for it, see `corridor logs`)",
                state.words()
            );
            (Paint::Bad, words)
        }
        Outcome::Ended(state) => (Paint::Bad, state.words()),
        Outcome::Waits(for_what) => (Paint::Wait, State::Waiting { for_what: *for_what }.words()),
        Outcome::Paused { by, why } => (Paint::Wait, paused(by, why).words()),
        Outcome::Interrupted => (
            Paint::Wait,
            "interrupted after a checkpoint; nothing is lost".to_owned(),
        ),
    }
}

fn paused(by: &str, why: &str) -> State {
    State::Paused {
        by: by.to_owned(),
        why: why.to_owned(),
        // Only for the words, which do not tell it.
        course: Course::Forward,
    }
}

/// What a person may ask for now; after an interruption the state is not known here, and `resume` always fits.
fn next(name: &Name, outcome: &Outcome, is_one_way: bool) -> Vec<(String, &'static str)> {
    let mut verbs = match outcome {
        Outcome::Ended(state) => allowed(state),
        Outcome::Waits(for_what) => allowed(&State::Waiting { for_what: *for_what }),
        Outcome::Paused { .. } | Outcome::Interrupted => vec![Verb::Resume],
    };
    if is_one_way {
        verbs.retain(has_sense_one_way);
    }
    next_commands(name, &verbs)
}
