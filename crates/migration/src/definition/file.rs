//! Files that hold a migration: TOML, and SQL with a small head.

use std::path::Path;

use corridor_pg::{Code, Fault, Result};
use serde_json::{Value, json};
use toml::de::DeTable;

use super::fault::{BAD_SQL_FILE, FILE_TOO_LARGE, UNREADABLE_FILE};
use super::problem::{Lines, Problem, Problems};
use super::{Definition, schema, shape, sql_file, validate};

/// The largest file.
pub const FILE_BYTES_MAX: usize = 1 << 20;

/// Stands where a description cannot be read.
const NOT_READ: &str = "not read";

/// Reads a migration from the text of a file, and looks at every rule that can be known without a server. The fault names all
/// that is wrong, each with its line.
///
/// `path_label` is the file's path, for messages; its ending says which of the two forms it has (`.toml`, `.sql`), and its
/// stem is the migration's name when the file says none.
pub fn read(path_label: &str, text: &str) -> Result<Definition> {
    let label = Path::new(path_label);
    let ending = label
        .extension()
        .and_then(|ending| ending.to_str())
        .unwrap_or_default();
    let is_sql = match ending.to_ascii_lowercase().as_str() {
        "toml" => false,
        "sql" => true,
        _ => {
            let what = format!("{path_label}: a migration is a file that ends in .toml or .sql");
            return Err(Fault::new(&UNREADABLE_FILE, what));
        }
    };
    if text.len() > FILE_BYTES_MAX {
        let what = format!(
            "{path_label}: {} bytes, at most {FILE_BYTES_MAX} are allowed",
            text.len()
        );
        return Err(Fault::new(&FILE_TOO_LARGE, what));
    }
    // What some editors put before the first character.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (mut lines, mut problems) = (Lines::default(), Problems::default());
    let read = if is_sql {
        sql_file::read(text, &mut lines, &mut problems)
    } else {
        from_toml(text, 0, schema::of_file(), &mut lines, &mut problems)
    };
    let definition = read.map(|mut definition| {
        if definition.name.is_empty() {
            label
                .file_stem()
                .and_then(|stem| stem.to_str())
                .unwrap_or_default()
                .clone_into(&mut definition.name);
        }
        let found = validate::problems(&definition, problems.0.is_empty());
        // What cannot be read is not found missing as well.
        let told: Vec<String> = problems.0.iter().map(|problem| problem.path.clone()).collect();
        let is_new = |problem: &Problem| {
            !told
                .iter()
                .any(|path| !path.is_empty() && problem.is_within(path))
        };
        problems.0.extend(found.0.into_iter().filter(is_new));
        definition
    });
    let place = |problem: &Problem| {
        let line = lines.of(&problem.path);
        (line, format!("{path_label}:{line}: "))
    };
    match (problems.into_fault(place), definition) {
        (None, Some(definition)) => Ok(definition),
        (Some(fault), _) => Err(fault),
        (None, None) => Err(Fault::new(&UNREADABLE_FILE, path_label.to_owned())),
    }
}

/// Reads TOML whose first line is line `1 + lines_before` of the file, along `schema`. What it says but for what `problems` tells of;
/// none when nothing can be made of that.
pub(super) fn from_toml(
    text: &str,
    lines_before: usize,
    schema: &Value,
    lines: &mut Lines,
    problems: &mut Problems,
) -> Option<Definition> {
    // Where each line begins.
    let starts: Vec<usize> = std::iter::once(0)
        .chain(text.match_indices('\n').map(|(at, _)| at + 1))
        .collect();
    let line_of = move |at: usize| lines_before + starts.partition_point(|start| *start <= at);
    let table = DeTable::parse(text).map_err(|error| {
        let line = line_of(error.span().map_or(0, |span| span.start));
        lines.note("toml", line);
        Problem::new("toml", &UNREADABLE_FILE, error.message())
    });
    let table = problems.read(table)?;
    let before = problems.0.len();
    let mut read = shape::read(&table, schema, &line_of, lines, problems);
    if read.get("operations").is_none() {
        // The head of a SQL file: they stand below it.
        read["operations"] = json!([]);
    }
    let is_whole = problems.0.len() == before;
    if !is_whole {
        stand_in(&mut read, &problems.0);
    }
    match serde_json::from_value(read) {
        Ok(definition) => Some(definition),
        // Nothing can be made of what is left.
        Err(_) if !is_whole => None,
        Err(error) => {
            // The schema is drawn from the types, so this is not met; and were it, the message says enough.
            let code: &'static Code = if lines_before > 0 {
                &BAD_SQL_FILE
            } else {
                &UNREADABLE_FILE
            };
            problems.note(Err(Problem::new("", code, error.to_string())));
            None
        }
    }
}

/// Puts something harmless in the place of what cannot be read, so that the rest is looked at as well.
fn stand_in(read: &mut Value, problems: &[Problem]) {
    if read.get("description").is_none() {
        read["description"] = json!(NOT_READ);
    }
    let operations = read.get_mut("operations").and_then(Value::as_array_mut);
    for (i, operation) in operations.into_iter().flatten().enumerate() {
        let path = format!("operations[{i}]");
        if problems.iter().any(|problem| problem.is_within(&path)) {
            let name = operation.get("name").and_then(Value::as_str);
            let name = name.map_or_else(|| format!("operation-{i}"), str::to_owned);
            *operation = json!({ "kind": "check", "name": name, "query": "select true" });
        }
    }
}

#[cfg(test)]
mod tests;
