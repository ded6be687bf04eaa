//! What came of a rehearsal, for people: statement by statement the prediction and the observation, then the schema.

use corridor_lint::rehearse::compare::{Deeds, Line, Mark};
use corridor_lint::rehearse::{Cause, State, Step};

use super::super::WIDTH;
use super::super::text::{Paint, cut, hang, harmless, paint};
use super::Judged;
use crate::command::Rehearsal;

/// Lines of the difference that are shown; JSON has all.
const DIFFERENCE_LINES_MAX: usize = 200;
/// Remarks on the clone that are shown.
const NOTES_MAX: usize = 30;

/// The report.
pub(crate) fn tty(files: &[Judged], rehearsal: &Rehearsal) -> String {
    let place = if rehearsal.is_throwaway {
        "a throwaway cluster"
    } else {
        "the given server"
    };
    let mut shown = vec![hang(
        "rehearsed on ",
        &format!("{}, {place}", harmless(&rehearsal.server)),
    )];
    for played in &rehearsal.files {
        let Some(file) = files.iter().find(|file| file.path == played.file) else {
            continue;
        };
        let how = if played.in_transaction {
            ", in one transaction"
        } else {
            ""
        };
        shown.push(String::new());
        shown.push(hang("", &format!("{}{how}", harmless(&played.file))));
        shown.extend(played.steps.iter().map(|step| statement(file, step)));
    }
    shown.push(String::new());
    match &rehearsal.difference {
        Some(lines) if lines.is_empty() => shown.push("the schema is the same before and after".to_owned()),
        Some(lines) => {
            shown.push("the schema, before and after:".to_owned());
            shown.extend(
                lines
                    .iter()
                    .take(DIFFERENCE_LINES_MAX)
                    .map(|line| difference(line)),
            );
            if lines.len() > DIFFERENCE_LINES_MAX {
                shown.push(format!(
                    "… {} more lines; --json has them",
                    lines.len() - DIFFERENCE_LINES_MAX
                ));
            }
        }
        None => {}
    }
    let notes = &rehearsal.notes;
    shown.extend(
        notes
            .iter()
            .take(NOTES_MAX)
            .map(|note| hang("note: ", &harmless(note))),
    );
    if notes.len() > NOTES_MAX {
        shown.push(format!("note: {} more; --json has them", notes.len() - NOTES_MAX));
    }
    shown.join("\n")
}

fn difference(line: &str) -> String {
    let text = cut(&harmless(line), WIDTH);
    match line.as_bytes().first() {
        Some(b'+') => paint(Paint::Good, &text),
        Some(b'-') => paint(Paint::Bad, &text),
        Some(b'@') => paint(Paint::Dim, &text),
        _ => text,
    }
}

fn statement(file: &Judged, step: &Step) -> String {
    let (line, _) = file.place(step.span.start);
    let text = file.text.get(step.span.clone()).unwrap_or_default();
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mark = step.comparison.as_ref().map(|comparison| comparison.mark);
    let (word, how) = match (&step.state, mark) {
        (State::NotRun { .. }, _) => ("not run", Paint::Dim),
        (_, Some(Mark::Differs)) => ("differs", Paint::Bad),
        (State::Failed { .. }, _) => ("fails", Paint::Bad),
        (State::Ran, Some(Mark::Agrees)) => ("agrees", Paint::Good),
        (State::Ran, Some(Mark::NotObservable)) => ("agrees*", Paint::Good),
        (State::Ran, Some(Mark::Unsure)) => ("unsure", Paint::Wait),
        (State::Ran, Some(Mark::NotJudged)) => ("ran", Paint::Wait),
        (State::Ran, None) => ("ran", Paint::Dim),
    };
    let start = format!("{line:>5}  ");
    let columns = WIDTH.saturating_sub(start.len() + 9);
    let mut shown = vec![format!(
        "{start}{}  {}",
        paint(how, &format!("{word:<7}")),
        cut(&harmless(&text), columns)
    )];
    let mut say = |text: &str| shown.push(hang("                ", &harmless(text)));
    match &step.state {
        State::Failed { failure, cause } => {
            let why = match cause {
                Cause::Statement => "on the real database as well",
                Cause::NoRows => "perhaps only for lack of rows",
                Cause::Clone => "perhaps only on the clone",
            };
            say(&format!("{} ({}), {why}", failure.message, failure.sqlstate));
        }
        State::NotRun { why } => say(why),
        State::Ran => {}
    }
    if let Some(comparison) = &step.comparison {
        if step.is_alone {
            say("it has transactions of its own: scans are not looked at");
        }
        comparison.remarks.iter().for_each(|remark| say(remark));
        for line in &comparison.lines {
            relation(line, &mut say);
        }
    }
    shown.join("\n")
}

fn relation(line: &Line, say: &mut dyn FnMut(&str)) {
    let (predicted, observed) = (deeds(line.predicted), deeds(line.observed));
    match line.mark {
        Mark::Agrees | Mark::NotJudged => say(&format!("{}: {observed}", line.relation)),
        Mark::NotObservable => say(&format!(
            "{}: {observed}; predicted: {predicted}; not observable on a table without rows",
            line.relation
        )),
        Mark::Unsure | Mark::Differs => {
            say(&format!("{}: predicted: {predicted}", line.relation));
            say(&format!("{}: observed: {observed}", line.relation));
            line.remarks.iter().for_each(|remark| say(remark));
        }
    }
}

fn deeds(deeds: Deeds) -> String {
    let mut words = vec![deeds.lock.map_or("no lock", |mode| mode.words()).to_owned()];
    if deeds.is_rewritten {
        words.push("rows written anew".to_owned());
    }
    if deeds.is_scanned == Some(true) {
        words.push("rows read".to_owned());
    }
    words.join(", ")
}
