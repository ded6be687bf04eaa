//! The plan with its statements and locks: of a move from its outline, of a person's own migration from its definition.

use corridor_migration::data::{self, DataPlan};
use corridor_move::plan::outline::{self, Chapter, Section};
use corridor_move::plan::{MovePlan, Step, facts, fold, repeated, with_locks};

use crate::read::one::One;

/// Statements of one section that are shown; `--json` on the command line has all.
const STEPS_SHOWN: usize = 60;

/// A plan.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) digest: String,
    pub(crate) facts: Vec<(&'static str, String)>,
    pub(crate) warnings: Vec<String>,
    pub(crate) parts: Vec<Part>,
    pub(crate) way_back: Vec<Part>,
    /// Why there is none to show.
    pub(crate) unread: String,
}

/// An operation.
#[derive(Debug, Default)]
pub(crate) struct Part {
    pub(crate) number: usize,
    pub(crate) name: String,
    pub(crate) kind: &'static str,
    pub(crate) words: String,
    pub(crate) lines: Vec<(&'static str, String, bool)>,
    pub(crate) groups: Vec<Group>,
}

/// Statements that belong together.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) words: String,
    pub(crate) statements: Vec<(String, String)>,
    pub(crate) more: usize,
}

/// The plan of a migration.
pub(crate) fn of(one: &One) -> Plan {
    let mut plan = match (&one.move_plan, one.is_data()) {
        (Some(plan), _) => of_move(plan),
        (None, true) => match DataPlan::read(&one.status.plan) {
            Ok(plan) => of_data(&plan),
            Err(fault) => Plan {
                unread: fault.to_string(),
                ..Plan::default()
            },
        },
        (None, false) => Plan {
            unread: format!(
                "a plan of kind {} in a form that this version does not know",
                one.status.kind
            ),
            ..Plan::default()
        },
    };
    plan.digest.clone_from(&one.status.plan_digest);
    plan
}

fn of_move(plan: &MovePlan) -> Plan {
    let mirror = plan.mirror_steps();
    let operations = outline::operations(plan, &mirror);
    Plan {
        facts: facts(plan),
        warnings: plan
            .warnings
            .iter()
            .cloned()
            .chain(plan.widened.iter().map(|widened| widened.lost.clone()))
            .collect(),
        parts: operations
            .iter()
            .enumerate()
            .map(|(place, (name, chapter))| Part {
                number: place + 1,
                name: (*name).to_owned(),
                ..part(chapter)
            })
            .collect(),
        way_back: outline::way_back(plan, &mirror).iter().map(part).collect(),
        ..Plan::default()
    }
}

fn part(chapter: &Chapter) -> Part {
    Part {
        words: with_locks(&chapter.text, &chapter.locks, &chapter.partitioned),
        groups: chapter
            .sections
            .iter()
            .map(|section| group(section, !chapter.locks.is_empty()))
            .collect(),
        ..Part::default()
    }
}

/// `is_held`: the locks of the whole chapter have been told, so single statements need not.
fn group(section: &Section, is_held: bool) -> Group {
    let is_held = is_held || !section.locks.is_empty();
    let mut statements = Vec::new();
    let mut told = 0;
    for (steps, repeats) in fold(&section.steps) {
        if statements.len() >= STEPS_SHOWN {
            break;
        }
        told += steps.len() * repeats;
        let last = steps.len().saturating_sub(1);
        for (place, step) in steps.iter().enumerate() {
            let note = repeated(steps.len(), repeats).filter(|_| place == last);
            statements.push((step.sql.clone(), note_of(step, is_held, note)));
        }
    }
    Group {
        words: with_locks(&section.text, &section.locks, &section.partitioned),
        statements,
        more: section.steps.len().saturating_sub(told),
    }
}

fn note_of(step: &Step, is_held: bool, repeated: Option<String>) -> String {
    let locks: &[_] = if is_held { &[] } else { &step.locks };
    let locks = locks
        .iter()
        .map(|lock| format!("{} on {}", lock.mode, lock.relation));
    locks.chain(repeated).collect::<Vec<_>>().join("; ")
}

fn of_data(plan: &DataPlan) -> Plan {
    let definition = plan.worked();
    let mut facts: Vec<(&'static str, String)> = Vec::new();
    facts.extend(definition.versions.clone().map(|versions| ("versions", versions)));
    if !definition.depends_on.is_empty() {
        facts.push(("depends on", definition.depends_on.join(", ")));
    }
    facts.extend(
        definition
            .required_when
            .clone()
            .map(|query| ("needed when", query)),
    );
    facts.extend(
        definition
            .requires
            .postgres
            .clone()
            .map(|versions| ("PostgreSQL", versions)),
    );
    for (extension, versions) in &definition.requires.extensions {
        facts.push(("extension", format!("{extension} {versions}")));
    }
    for check in &definition.prechecks {
        facts.push(("asked before", format!("{}: {}", check.name, check.query)));
    }
    for check in &definition.health_checks {
        facts.push((
            "asked while",
            format!(
                "{}, every {}: {}",
                check.name, definition.health_every, check.query
            ),
        ));
    }
    if definition.rollback_on_failure {
        facts.push(("on failure", "goes back by itself".to_owned()));
    }
    facts.push((
        "over",
        match definition.finish {
            corridor_migration::definition::Finish::Automatic => "with its last operation".to_owned(),
            corridor_migration::definition::Finish::ByHand => {
                "when you say finish; until then it can be rolled back".to_owned()
            }
        },
    ));
    for (name, value) in &plan.parameters {
        facts.push(("parameter", format!("{name} = {value}")));
    }
    let parts = definition
        .operations
        .iter()
        .enumerate()
        .map(|(place, operation)| Part {
            number: place + 1,
            name: operation.name().to_owned(),
            kind: operation.kind(),
            lines: data::steps(operation)
                .into_iter()
                .map(|(label, text)| (label, text.trim().to_owned(), is_code(label)))
                .collect(),
            ..Part::default()
        });
    Plan {
        facts,
        parts: parts.collect(),
        ..Plan::default()
    }
}

/// Whether a line is something that a server or a shell reads.
fn is_code(label: &str) -> bool {
    matches!(
        label,
        "does"
            | "then"
            | "asks"
            | "counts"
            | "waits for"
            | "done when"
            | "where"
            | "for each"
            | "runs"
            | "calls"
            | "way back"
    )
}
