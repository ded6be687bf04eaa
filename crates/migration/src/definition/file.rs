//! Files that hold a migration: TOML, and SQL with a small head.

use std::path::Path;

use corridor_pg::{Code, Fault, Result};
use toml::de::DeTable;

use super::fault::{BAD_SQL_FILE, FILE_TOO_LARGE, UNREADABLE_FILE};
use super::problem::{Lines, Problem};
use super::{Definition, schema, shape, sql_file, validate};

/// The largest file.
pub const FILE_BYTES_MAX: usize = 1 << 20;

/// Reads a migration from the text of a file, and looks at every rule that can be known without a server.
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
    let mut lines = Lines::default();
    let read = if is_sql {
        sql_file::read(text, &mut lines)
    } else {
        from_toml(text, 0, schema::of_file(), &mut lines)
    };
    let named = read.and_then(|mut definition| {
        if definition.name.is_empty() {
            label
                .file_stem()
                .and_then(|stem| stem.to_str())
                .unwrap_or_default()
                .clone_into(&mut definition.name);
        }
        validate::check(&definition)?;
        Ok(definition)
    });
    named.map_err(|problem| located(path_label, &lines, problem))
}

/// Reads TOML whose first line is line `1 + lines_before` of the file, along `schema`.
pub(super) fn from_toml(
    text: &str,
    lines_before: usize,
    schema: &serde_json::Value,
    lines: &mut Lines,
) -> std::result::Result<Definition, Problem> {
    // Where each line begins.
    let starts: Vec<usize> = std::iter::once(0)
        .chain(text.match_indices('\n').map(|(at, _)| at + 1))
        .collect();
    let line_of = move |at: usize| lines_before + starts.partition_point(|start| *start <= at);
    let table = DeTable::parse(text).map_err(|error| {
        let line = line_of(error.span().map_or(0, |span| span.start));
        lines.note("toml", line);
        Problem::new("toml", &UNREADABLE_FILE, error.message())
    })?;
    let mut read = shape::read(&table, schema, &line_of, lines)?;
    if read.get("operations").is_none() {
        // The head of a SQL file: they stand below it.
        read["operations"] = serde_json::json!([]);
    }
    serde_json::from_value(read).map_err(|error| {
        // The schema is drawn from the types, so this is not met; and were it, the message says enough.
        let code: &'static Code = if lines_before > 0 {
            &BAD_SQL_FILE
        } else {
            &UNREADABLE_FILE
        };
        Problem::new("", code, error.to_string())
    })
}

fn located(path_label: &str, lines: &Lines, problem: Problem) -> Fault {
    let line = lines.of(&problem.path);
    Fault::new(problem.code, format!("{path_label}:{line}: {}", problem.what))
}

#[cfg(test)]
mod tests;
