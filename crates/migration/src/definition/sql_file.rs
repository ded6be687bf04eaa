//! A migration as a SQL file: a head in comments, then the operations, each under a marker.

use std::ops::Range;

use super::fault::{BAD_SQL_FILE, MISSING_KEY};
use super::placeholder::lexer::{Kind, tokens};
use super::problem::{Lines, Outcome, Problem, Problems, suggestion};
use super::{Definition, Operation, Sql, file, schema};

/// The first line.
const FIRST_LINE: &str = "-- corridor migration";

/// What may stand before the colon of a marker.
const MARKERS: &[(&str, Marker)] = &[
    ("operation", Marker::Operation),
    ("roll back", Marker::Rollback),
    ("rollback", Marker::Rollback),
    ("done when", Marker::DoneWhen),
    ("irreversible", Marker::Irreversible),
    ("no transaction", Marker::NoTransaction),
    ("timeout", Marker::Timeout),
    ("lock timeout", Marker::LockTimeout),
    ("lock budget", Marker::LockBudget),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Marker {
    /// SQL follows: a new operation.
    Operation,
    /// SQL follows.
    Rollback,
    /// SQL follows.
    DoneWhen,
    /// The reason is in the line.
    Irreversible,
    NoTransaction,
    /// The time is in the line.
    Timeout,
    LockTimeout,
    LockBudget,
}

impl Marker {
    const fn key(self) -> &'static str {
        match self {
            Marker::Operation => "statement",
            Marker::Rollback => "rollback",
            Marker::DoneWhen => "done_when",
            Marker::Irreversible => "irreversible",
            Marker::NoTransaction => "no_transaction",
            Marker::Timeout => "timeout",
            Marker::LockTimeout => "lock_timeout",
            Marker::LockBudget => "lock_budget",
        }
    }

    const fn begins_sql(self) -> bool {
        matches!(self, Marker::Operation | Marker::Rollback | Marker::DoneWhen)
    }
}

/// One marker, with the SQL under it.
struct Section<'a> {
    marker: Marker,
    name: &'a str,
    /// What stands in the line behind the name.
    rest: &'a str,
    line: usize,
    sql: String,
}

/// Reads the whole file.
pub(super) fn read(text: &str, lines: &mut Lines, problems: &mut Problems) -> Option<Definition> {
    let all: Vec<&str> = text.lines().collect();
    if all.first().map(|line| line.trim_end()) != Some(FIRST_LINE) {
        problems.note(Err(bad(
            lines,
            1,
            format!("the first line is not `{FIRST_LINE}`"),
        )));
        return None;
    }
    let is_head = |line: &&&str| {
        let line = line.trim_end();
        (line == "--" || line.starts_with("-- ")) && marker(line).is_none()
    };
    let head_lines = all[1..].iter().take_while(is_head).count();
    let head: String = all[1..=head_lines]
        .iter()
        .map(|line| format!("{}\n", line.trim_end().get(3..).unwrap_or("")))
        .collect();
    let definition = file::from_toml(&head, 1, schema::of_head(), lines, problems);
    let before = problems.0.len();
    let sections = sections((text, &all), 1 + head_lines, lines, problems);
    let operations = operations(sections, lines, problems);
    // Where a marker means nothing, what stands around it may be another operation's.
    let is_clear = problems.0.len() == before;
    let mut definition = definition.filter(|_| is_clear)?;
    definition.operations = operations;
    Some(definition)
}

/// What the line marks, with the name behind it and the rest; none for any other line.
fn marker(line: &str) -> Option<(Marker, &str, &str)> {
    let (words, behind) = line.strip_prefix("--")?.split_once(':')?;
    let words: Vec<String> = words.split_whitespace().map(str::to_ascii_lowercase).collect();
    let words = words.join(" ");
    let (_, marker) = MARKERS.iter().find(|(known, _)| *known == words)?;
    let behind = behind.trim();
    let (name, rest) = behind.split_once(char::is_whitespace).unwrap_or((behind, ""));
    Some((*marker, name, rest.trim()))
}

/// A marker that the line nearly is. As a comment it would pass unseen, and join two operations into one.
fn nearly_marker(line: &str) -> Option<&'static str> {
    let comment = line.trim_start().strip_prefix("--")?;
    let plain = |text: &str| {
        text.split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
            .to_lowercase()
    };
    let known = || MARKERS.iter().map(|(known, marker)| (*known, *marker));
    let Some((words, _)) = comment.split_once(':') else {
        // The colon was forgotten: `-- operation fill`.
        let comment = plain(comment);
        return known()
            .filter(|(known, marker)| {
                let name = comment
                    .strip_prefix(known)
                    .and_then(|rest| rest.strip_prefix(' '));
                marker.begins_sql() && name.is_some_and(|name| !name.contains(' '))
            })
            .map(|(known, _)| known)
            .next();
    };
    let words = plain(words);
    known()
        .map(|(known, _)| known)
        .find(|known| corridor_pg::near::distance(&words, known, 2).is_some())
}

/// Places, in bytes, where something begins that may have several lines, and where it ends: a text, a name, a comment. What does not
/// end is the statement's fault, and hides no marker.
fn quoted(text: &str) -> Vec<Range<usize>> {
    let is_quoted = |kind: Kind<'_>| matches!(kind, Kind::Constant | Kind::QuotedName | Kind::Comment);
    tokens(text)
        .into_iter()
        .filter(|token| is_quoted(token.kind))
        .map(|token| token.at..token.at + token.text.len())
        .collect()
}

fn sections<'a>(
    (text, all): (&str, &[&'a str]),
    from: usize,
    lines: &mut Lines,
    problems: &mut Problems,
) -> Vec<Section<'a>> {
    let mut sections: Vec<Section<'a>> = Vec::new();
    // Where SQL goes: markers that say something in their own line do not end what stands around them.
    let mut open: Option<usize> = None;
    let quoted = quoted(text);
    let begin = text.as_ptr() as usize;
    for (i, text) in all.iter().enumerate().skip(from) {
        let line = i + 1;
        // Each line is a part of the text.
        let at = text.as_ptr() as usize - begin;
        let next = quoted.partition_point(|one| one.end <= at);
        let is_quoted = quoted.get(next).is_some_and(|one| one.start < at);
        if let Some((marker, name, rest)) = marker(text.trim_end()).filter(|_| !is_quoted) {
            if name.is_empty() {
                problems.note(Err(bad(lines, line, "the marker names no operation".to_owned())));
                // Whose the lines below are is not known either.
                open = Some(usize::MAX);
                continue;
            }
            if !rest.is_empty() && (marker.begins_sql() || marker == Marker::NoTransaction) {
                let what = format!("{rest:?} behind the name means nothing");
                problems.note(Err(bad(lines, line, what)));
            }
            if marker.begins_sql() {
                open = Some(sections.len());
            }
            sections.push(Section {
                marker,
                name,
                rest,
                line,
                sql: String::new(),
            });
            continue;
        }
        if let Some(near) = nearly_marker(text).filter(|_| !is_quoted) {
            let what = format!(
                "{:?} is nearly a marker; did you mean `-- {near}: NAME`?",
                text.trim()
            );
            problems.note(Err(bad(lines, line, what)));
            continue;
        }
        match open {
            Some(at) => {
                if let Some(section) = sections.get_mut(at) {
                    section.sql.push_str(text);
                    section.sql.push('\n');
                }
            }
            None if text.trim().is_empty() => {}
            None => {
                let what = "this stands before the first `-- operation: NAME`; the head ends with the first line that \
                            does not begin with `-- `, and a comment of your own in it begins with `-- #`";
                problems.note(Err(bad(lines, line, what.to_owned())));
                // One word is enough for what stands there.
                open = Some(usize::MAX);
            }
        }
    }
    sections
}

fn operations(sections: Vec<Section<'_>>, lines: &mut Lines, problems: &mut Problems) -> Vec<Operation> {
    let mut operations: Vec<Sql> = Vec::new();
    for section in sections.iter().filter(|it| it.marker == Marker::Operation) {
        if operations.iter().any(|known| known.name == section.name) {
            let what = format!("another operation is named `{}`", section.name);
            problems.note(Err(bad(lines, section.line, what)));
            continue;
        }
        lines.note(&format!("operations[{}]", operations.len()), section.line);
        operations.push(Sql {
            name: section.name.to_owned(),
            statement: section.sql.trim().to_owned(),
            ..Sql::default()
        });
    }
    for section in sections.iter().filter(|it| it.marker != Marker::Operation) {
        let Some(place) = operations.iter().position(|known| known.name == section.name) else {
            let near = suggestion(section.name, operations.iter().map(|known| known.name.as_str()));
            let what = format!("no operation is named `{}`{near}", section.name);
            problems.note(Err(bad(lines, section.line, what)));
            continue;
        };
        lines.note(
            &format!("operations[{place}].{}", section.marker.key()),
            section.line,
        );
        problems.note(add(&mut operations[place], section, lines));
    }
    operations.into_iter().map(Operation::Sql).collect()
}

fn add(operation: &mut Sql, section: &Section<'_>, lines: &mut Lines) -> Outcome {
    let said = match section.marker {
        Marker::Rollback => &mut operation.rollback,
        Marker::DoneWhen => &mut operation.done_when,
        Marker::Irreversible => &mut operation.irreversible,
        Marker::Timeout => &mut operation.timeout,
        Marker::LockTimeout => &mut operation.lock_timeout,
        Marker::LockBudget => &mut operation.lock_budget,
        Marker::NoTransaction | Marker::Operation => {
            if operation.no_transaction {
                return Err(bad(
                    lines,
                    section.line,
                    format!("said twice of `{}`", section.name),
                ));
            }
            operation.no_transaction = true;
            return Ok(());
        }
    };
    if said.is_some() {
        return Err(bad(
            lines,
            section.line,
            format!("said twice of `{}`", section.name),
        ));
    }
    if !section.marker.begins_sql() && section.rest.is_empty() {
        let what = format!("operation `{}`: nothing stands behind the name", section.name);
        return Err(Problem::new(at(lines, section.line), &MISSING_KEY, what));
    }
    *said = Some(match section.marker.begins_sql() {
        true => section.sql.trim().to_owned(),
        false => section.rest.to_owned(),
    });
    Ok(())
}

fn bad(lines: &mut Lines, line: usize, what: String) -> Problem {
    Problem::new(at(lines, line), &BAD_SQL_FILE, what)
}

/// A path of its own for a line.
fn at(lines: &mut Lines, line: usize) -> String {
    let path = format!("line {line}");
    lines.note(&path, line);
    path
}
