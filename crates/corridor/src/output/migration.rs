//! A person's own migrations as text, and what is said while they are worked.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use corridor_migration::Name;
use corridor_migration::data::readiness::Answer;
use corridor_migration::data::shelf::Added;
use corridor_migration::data::{Listener, News};
use corridor_migration::definition::{Definition, Operation};
use corridor_move::run::{Progress, Watcher};
use corridor_pg::Fault;

use super::Output;
use super::number::grouped;
use super::table::Table;
use super::text::{Paint, hang, harmless, paint, width};
use corridor_migration::data::census::Row;

/// Time between two lines of figures.
const FIGURES_EVERY: Duration = Duration::from_secs(5);
/// Columns of a state that stands in a row; longer ones are said below, in all their words.
const STATE_MAX: usize = 28;

/// Hears a worker, and says it: a line for each, or JSON lines.
pub(crate) struct Ear {
    output: Arc<Output>,
    /// Before each line.
    prefix: String,
    figures: Mutex<Option<Instant>>,
    /// What was said last: a thing is not said twice in a row.
    last: Mutex<String>,
}

impl Ear {
    pub(crate) fn new(output: &Arc<Output>) -> Self {
        Ear::named(output, "")
    }

    /// With `prefix` before each line: several speak at once.
    pub(crate) fn named(output: &Arc<Output>, prefix: &str) -> Self {
        Ear {
            output: Arc::clone(output),
            prefix: match prefix {
                "" => String::new(),
                prefix => format!("{prefix}: "),
            },
            figures: Mutex::new(None),
            last: Mutex::new(String::new()),
        }
    }

    fn is_due(&self) -> bool {
        let Ok(mut figures) = self.figures.lock() else {
            return false;
        };
        let is_due = figures.is_none_or(|said| said.elapsed() >= FIGURES_EVERY);
        if is_due {
            *figures = Some(Instant::now());
        }
        is_due
    }

    fn line(&self, text: &str) {
        if let Ok(mut last) = self.last.lock() {
            if *last == text {
                return;
            }
            text.clone_into(&mut last);
        }
        self.output
            .note(&hang("", &harmless(&format!("{}{text}", self.prefix))));
    }
}

impl Listener for Ear {
    fn on(&self, news: &News) {
        if self.output.is_json() {
            // A reader that went away is no fault of the work.
            self.output.json_line(news).ok();
            return;
        }
        if matches!(news, News::Rows { .. }) && !self.is_due() {
            return;
        }
        self.line(&words(news));
    }
}

fn words(news: &News) -> String {
    match news {
        News::Operation {
            position,
            of,
            name,
            kind,
            what,
        } => format!("{position} of {of}  {name} ({kind}): {what}"),
        News::Rows {
            operation,
            rows,
            rows_per_s,
            items_done,
            items,
            at,
        } => {
            let items = match items {
                1 => String::new(),
                items => format!(", {} of {} of the list", grouped(*items_done), grouped(*items)),
            };
            let at = at.as_ref().map_or(String::new(), |at| format!(", at {at}"));
            format!(
                "{operation}: {} rows changed, {} a second{items}{at}",
                grouped(*rows),
                grouped(rows_per_s.round() as u64)
            )
        }
        News::Step { what } => what.clone(),
        News::Throttle { reasons } if reasons.is_empty() => "goes on".to_owned(),
        News::Throttle { reasons } => {
            let reasons: Vec<String> = reasons.iter().map(ToString::to_string).collect();
            format!("held: {}", reasons.join("; "))
        }
        News::Retrying { fault, pause_ms } => format!("{fault}; again in {pause_ms} ms"),
    }
}

impl Watcher for Ear {
    fn on(&self, progress: &Progress) {
        if self.output.is_json() {
            self.output.json_line(progress).ok();
            return;
        }
        let text = match progress {
            Progress::Operation { name, is_done: false } => format!("  move: {name}"),
            Progress::Rows { rows, rows_per_s, .. } if self.is_due() => format!(
                "  move: {} rows, {} a second",
                grouped(*rows),
                grouped(rows_per_s.round() as u64)
            ),
            Progress::Retrying { fault, pause_ms } => format!("  move: {fault}; again in {pause_ms} ms"),
            Progress::Swapped { held_ms, .. } => format!("  move: swapped, locks held for {held_ms:.0} ms"),
            _ => return,
        };
        self.line(&text);
    }
}

/// What adding came to.
pub(crate) fn added(added: &[(Name, Added)]) -> String {
    let lines: Vec<String> = added
        .iter()
        .map(|(name, what)| {
            let what = match what {
                Added::New => "added",
                Added::Changed => "changed; it was not started yet",
                Added::Unchanged => "unchanged",
                Added::Again => "added again; the run before keeps its journal under another name",
            };
            format!("{name}: {what}")
        })
        .collect();
    lines.join("\n")
}

/// All of them.
///
/// `is_wide`: one line for each, with nothing cut.
pub(crate) fn list(rows: &[Row], is_wide: bool) -> String {
    if rows.is_empty() {
        return "No migrations of your own here. `corridor migration add FILE…` adds some.".to_owned();
    }
    let mut table = Table::new(&["name", "state", "needed", "done", "versions", "what"])
        .keep(2)
        .wide(is_wide);
    // A cell is short; what a person must read whole comes below.
    let mut notes = Vec::new();
    for row in rows {
        let needed = match &row.required {
            Some(Answer::Yes) => "yes",
            Some(Answer::No) => "no",
            Some(Answer::Unknown { .. }) => "unknown",
            None => "",
        };
        let standing = &row.standing;
        let done = match standing.operations_done {
            0 => String::new(),
            done => format!("{done} of {}", standing.operations),
        };
        let state = match (&standing.asked, &standing.unreadable) {
            (_, Some(_)) => "unreadable".to_owned(),
            _ if !standing.unsettled.is_empty() => "waits for settle".to_owned(),
            (Some(asked), None) => format!("{} asked for", asked.verb),
            (None, None) if standing.ended_by.as_deref() == Some("skipped") => "skipped".to_owned(),
            (None, None) if width(&row.words) > STATE_MAX => standing.state.name().as_str().replace('_', " "),
            (None, None) => String::new(),
        };
        if !state.is_empty() {
            notes.push(hang("", &harmless(&format!("{}: {}", standing.name, row.words))));
        }
        table.push(vec![
            standing.name.to_string(),
            match state.is_empty() {
                true => harmless(&row.words),
                false => state,
            },
            needed.to_owned(),
            done,
            row.versions.clone().unwrap_or_default(),
            harmless(&standing.description),
        ]);
    }
    let mut lines = vec![table.render()];
    if !notes.is_empty() {
        lines.push(String::new());
        lines.extend(notes);
    }
    lines.join("\n")
}

/// What a file says.
pub(crate) fn definition(definition: &Definition) -> String {
    let mut lines = head(definition);
    for (place, operation) in definition.operations.iter().enumerate() {
        lines.push(String::new());
        lines.extend(of_operation(place + 1, operation));
    }
    lines.join("\n")
}

fn head(definition: &Definition) -> Vec<String> {
    let mut lines = vec![hang(
        "",
        &format!("{}: {}", definition.name, harmless(&definition.description)),
    )];
    let mut say = |label: &str, text: &str| lines.push(hang(&format!("  {label:<12}"), &harmless(text)));
    if let Some(versions) = &definition.versions {
        say("versions", versions);
    }
    if !definition.depends_on.is_empty() {
        say("depends on", &definition.depends_on.join(", "));
    }
    if let Some(query) = &definition.required_when {
        say("needed when", query);
    }
    for check in &definition.prechecks {
        say("precheck", &check.name);
    }
    for check in &definition.health_checks {
        say(
            "health",
            &format!("{}, every {}", check.name, definition.health_every),
        );
    }
    lines
}

fn of_operation(place: usize, operation: &Operation) -> Vec<String> {
    let mut lines = vec![format!(
        "{place}  {} ({})",
        paint(Paint::Bold, operation.name()),
        operation.kind()
    )];
    let steps = corridor_migration::data::steps(operation);
    for (label, text) in steps {
        let mut label = label;
        for line in text.trim().lines() {
            lines.push(hang(&format!("   {label:<10} "), &harmless(line)));
            label = "";
        }
    }
    lines
}

/// What a start would do.
pub(crate) fn plan(
    bound: &Definition,
    parameters: &[(&str, &str)],
    required: &Answer,
    obstacles: &[Fault],
    foreseen: &[Fault],
) -> String {
    let mut text = definition(bound);
    for (key, value) in parameters {
        text.push_str(&format!("\n  parameter {key} = {}", harmless(value)));
    }
    text.push('\n');
    let needed = match required {
        Answer::Yes => "It is needed here.".to_owned(),
        Answer::No => "It is not needed here: a start completes it without doing anything.".to_owned(),
        Answer::Unknown { why } => format!("Whether it is needed here is unknown ({why}): a start does it."),
    };
    text.push('\n');
    text.push_str(&hang("", &harmless(&needed)));
    for fault in obstacles {
        text.push('\n');
        let line = format!("{} {}", fault.code().id, fault.detail());
        text.push_str(&paint(Paint::Bad, &hang("in the way: ", &harmless(&line))));
    }
    for fault in foreseen {
        text.push('\n');
        let line = format!(
            "{} {}; as it is now, unless an operation before it changes that",
            fault.code().id,
            fault.detail()
        );
        text.push_str(&paint(Paint::Wait, &hang("would be refused: ", &harmless(&line))));
    }
    if obstacles.is_empty() {
        text.push('\n');
        text.push_str(&hang(
            "",
            &format!(
                "Nothing was changed. `corridor migration start {}` does it.",
                bound.name
            ),
        ));
    }
    text
}
