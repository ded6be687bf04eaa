//! Every rule of a definition that can be known without a server.

mod form;
mod operation;

use std::collections::BTreeSet;

use super::duration::duration;
use super::fault::{
    BAD_DEPENDENCY, BAD_OPERATIONS, BAD_PARAMETER, BAD_PLACEHOLDER, BAD_STATEMENT, MISSING_KEY, UNFIT_VALUE,
};
use super::placeholder::lexer::{Kind, tokens};
use super::placeholder::{EACH, RANGE, fits};
use super::problem::{Outcome, Problem, Problems, suggestion};
use super::text::{self, Text};
use super::versions::VersionRange;
use super::{Check, Definition, Operation, Parameter};
use crate::{Name, setting};

/// The most operations that a migration may have; a plan's own limit.
pub const OPERATIONS_MAX: usize = 1_000;

/// The longest name of an operation, in characters.
pub const OPERATION_NAME_CHARS_MAX: usize = 61;

/// The longest name of a parameter, in characters.
const PARAMETER_NAME_CHARS_MAX: usize = 63;

/// What each kind of operation cannot do without: neither absent nor empty.
pub(super) const REQUIRED: &[(&str, &[&str])] = &[
    ("sql", &["name", "statement"]),
    ("backfill", &["name", "table"]),
    ("index", &["name", "table", "index", "definition"]),
    ("constraint", &["name", "table", "constraint", "definition"]),
    ("check", &["name", "query"]),
    ("verify", &["name", "query", "tolerance"]),
    ("wait_until", &["name", "query", "every"]),
    ("command", &["name", "command"]),
    ("http", &["name", "method", "url"]),
    ("move", &["name", "table", "arguments"]),
];

/// Looks at a definition, wherever it comes from; the fault names all that is wrong. [`super::file::read`] does it for files, and says
/// the lines, too.
pub fn validate(definition: &Definition) -> corridor_pg::Result<()> {
    match problems(definition, true).into_fault(|_| (0, String::new())) {
        Some(fault) => Err(fault),
        None => Ok(()),
    }
}

/// All that is wrong. `is_whole`: false where parts of the file could not be read, which may use what seems to be unused.
pub(super) fn problems(definition: &Definition, is_whole: bool) -> Problems {
    let mut problems = Problems::default();
    whole(definition, &mut problems);
    operations(definition, is_whole, &mut problems);
    statements(definition, is_whole, &mut problems);
    problems
}

fn whole(definition: &Definition, problems: &mut Problems) {
    let named = Name::new(&definition.name).map(drop);
    problems.note(named.map_err(|fault| Problem::of("name", &fault, "name")));
    problems.note(is_there("description", "description", &definition.description));
    problems.note(is_one_line("description", "description", &definition.description));
    let range = |path: &str, range: &str| {
        let parsed = VersionRange::parse(range).map(drop);
        parsed.map_err(|fault| Problem::of(path, &fault, path))
    };
    if let Some(versions) = &definition.versions {
        problems.note(range("versions", versions));
    }
    let requires = &definition.requires;
    if let Some(postgres) = &requires.postgres {
        problems.note(range("requires.postgres", postgres));
    }
    for (name, wanted) in &requires.extensions {
        problems.note(range(&format!("requires.extensions.{name}"), wanted));
    }
    for name in requires.settings.keys() {
        problems.note(is_there(
            "requires.settings",
            "requires.settings, a setting's name",
            name,
        ));
    }
    dependencies(definition, problems);
    problems.note(time("health_every", "health_every", &definition.health_every));
    checks("prechecks", &definition.prechecks, problems);
    checks("health_checks", &definition.health_checks, problems);
    for (key, value) in &definition.settings {
        let path = format!("settings.{key}");
        let read = setting::normalise(key, value).map(drop);
        problems.note(read.map_err(|fault| Problem::of(path, &fault, "settings")));
    }
    for (name, parameter) in &definition.parameters {
        problems.note(self::parameter(name, parameter));
    }
}

fn dependencies(definition: &Definition, problems: &mut Problems) {
    let mut seen = BTreeSet::new();
    for (i, name) in definition.depends_on.iter().enumerate() {
        let path = format!("depends_on[{i}]");
        let refuse = |why: &str| Problem::new(&path, &BAD_DEPENDENCY, format!("depends_on: `{name}` {why}"));
        if let Err(fault) = Name::new(name) {
            problems.note(Err(Problem::of(&path, &fault, "depends_on")));
        } else if *name == definition.name {
            problems.note(Err(refuse("is the migration itself")));
        } else if !seen.insert(name) {
            problems.note(Err(refuse("is written twice")));
        }
    }
}

fn checks(list: &str, checks: &[Check], problems: &mut Problems) {
    let mut seen = BTreeSet::new();
    for (i, check) in checks.iter().enumerate() {
        let (path, label) = (format!("{list}[{i}].name"), format!("{list}, name"));
        problems.note(is_there(&path, &label, &check.name));
        problems.note(is_one_line(&path, &label, &check.name));
        problems.note(is_there(
            &format!("{list}[{i}].query"),
            &format!("{list}, `{}`, query", check.name),
            &check.query,
        ));
        if !seen.insert(&check.name) {
            let what = format!("{list}: two checks are named `{}`", check.name);
            problems.note(Err(Problem::new(path, &UNFIT_VALUE, what)));
        }
    }
}

fn parameter(name: &str, parameter: &Parameter) -> Outcome {
    let refuse = |key: &str, why: &str| {
        let path = format!("parameters.{name}{key}");
        Err(Problem::new(
            path,
            &BAD_PARAMETER,
            format!("parameter `{name}`: {why}"),
        ))
    };
    let is_plain = |c: char| c.is_ascii_lowercase() || c == '_';
    let is_name = name.starts_with(is_plain)
        && name.chars().all(|c| is_plain(c) || c.is_ascii_digit())
        && name.len() <= PARAMETER_NAME_CHARS_MAX;
    if !is_name {
        return refuse("", "a name is `[a-z_][a-z0-9_]*`, at most 63 characters");
    }
    if name == EACH || name == RANGE {
        return refuse("", "`:each` and `:range` are Corridor's own");
    }
    if let Some(value) = &parameter.default
        && let Err(wanted) = fits(parameter.kind, value)
    {
        return refuse(
            ".default",
            &format!("the default {value:?} does not fit; {wanted}"),
        );
    }
    Ok(())
}

fn operations(definition: &Definition, is_whole: bool, problems: &mut Problems) {
    let operations = &definition.operations;
    if operations.is_empty() && is_whole {
        let what = "there is no operation: write at least one `[[operations]]`, or `-- operation: NAME` in a SQL file";
        problems.note(Err(Problem::new("", &MISSING_KEY, what)));
    }
    if operations.len() > OPERATIONS_MAX {
        let what = format!(
            "{} operations; at most {OPERATIONS_MAX} are allowed",
            operations.len()
        );
        problems.note(Err(Problem::new("operations", &BAD_OPERATIONS, what)));
    }
    let mut seen = BTreeSet::new();
    for (i, operation) in operations.iter().enumerate() {
        operation::check(i, operation, problems);
        if !operation.name().is_empty() && !seen.insert(operation.name()) {
            let what = format!(
                "operation `{}`: another operation has this name",
                operation.name()
            );
            problems.note(Err(Problem::new(
                format!("operations[{i}].name"),
                &BAD_OPERATIONS,
                what,
            )));
        }
    }
}

fn is_there(path: &str, label: &str, text: &str) -> Outcome {
    if text.trim().is_empty() {
        return Err(Problem::new(
            path,
            &MISSING_KEY,
            format!("{label} is missing or empty"),
        ));
    }
    Ok(())
}

fn is_one_line(path: &str, label: &str, text: &str) -> Outcome {
    if text.trim().contains(char::is_control) {
        return Err(Problem::new(path, &UNFIT_VALUE, format!("{label}: one line")));
    }
    Ok(())
}

fn time(path: &str, label: &str, text: &str) -> Outcome {
    duration(text)
        .map(drop)
        .map_err(|fault| Problem::of(path, &fault, label))
}

/// The SQL texts: they end, their placeholders have values, and every parameter is used.
fn statements(definition: &Definition, is_whole: bool, problems: &mut Problems) {
    let mut used = BTreeSet::new();
    // The visitor gives out mutable texts; a copy is the price of having it once.
    text::for_each_mut(&mut definition.clone(), &mut |text, sql| {
        problems.note(statement(definition, text, sql, &mut used));
    });
    let has_command = definition
        .operations
        .iter()
        .any(|operation| matches!(operation, Operation::Command(_)));
    // Where something else is wrong, it may be what uses it.
    if has_command || !is_whole || !problems.0.is_empty() {
        return;
    }
    for name in definition.parameters.keys().filter(|name| !used.contains(*name)) {
        let what = format!("parameter `{name}`: nothing uses `:{name}`");
        problems.note(Err(Problem::new(
            format!("parameters.{name}"),
            &BAD_PARAMETER,
            what,
        )));
    }
}

fn statement(definition: &Definition, text: &Text, sql: &str, used: &mut BTreeSet<String>) -> Outcome {
    let refuse = |code: &'static corridor_pg::Code, what: String| {
        Err(Problem::new(&text.path, code, format!("{}: {what}", text.label)))
    };
    if sql.contains('\0') {
        return refuse(
            &UNFIT_VALUE,
            "a NUL character cannot be sent to the server".to_owned(),
        );
    }
    for token in tokens(sql) {
        let line = 1 + sql[..token.at].matches('\n').count();
        match token.kind {
            Kind::Unended(what) => {
                let begins = sql[token.at..].lines().next().unwrap_or_default();
                let begins: String = begins.chars().take(40).collect();
                return refuse(
                    &BAD_STATEMENT,
                    format!("{what} does not end; it begins in line {line} of the statement: {begins}"),
                );
            }
            Kind::Psql => {
                let what = "`:'…'` and `:\"…\"` are psql's; write `:name`, which is a literal already";
                return refuse(&BAD_PLACEHOLDER, what.to_owned());
            }
            Kind::Placeholder(EACH) if !text.has_each => {
                let what = "`:each` has no value here; it has one in `set`, `where` and `statement` of a backfill with `for_each`";
                return refuse(&BAD_PLACEHOLDER, what.to_owned());
            }
            Kind::Placeholder(RANGE) if !text.has_range => {
                let what = "`:range` has no value here; it has one in the `statement` of a backfill";
                return refuse(&BAD_PLACEHOLDER, what.to_owned());
            }
            Kind::Placeholder(EACH | RANGE) => {}
            Kind::Placeholder(name) => match definition.parameters.get(name) {
                Some(parameter) if text.is_asked_early && parameter.default.is_none() => {
                    let what = format!(
                        "`:{name}` has no default, and this is asked before anybody gives it a value"
                    );
                    return refuse(&BAD_PARAMETER, what);
                }
                Some(_) => {
                    used.insert(name.to_owned());
                }
                None => {
                    let known = definition
                        .parameters
                        .keys()
                        .map(String::as_str)
                        .chain([EACH, RANGE]);
                    let near = suggestion(name, known);
                    return refuse(&BAD_PLACEHOLDER, format!("no parameter is named `{name}`{near}"));
                }
            },
            Kind::SliceOrPlaceholder(name)
                if matches!(name, EACH | RANGE) || definition.parameters.contains_key(name) =>
            {
                let what = format!(
                    "`:{name}` may be a parameter or the end of a slice; write `(:{name})` for the one, `: {name}` for the other"
                );
                return refuse(&BAD_PLACEHOLDER, what);
            }
            _ => {}
        }
    }
    form::check(text.form, sql).or_else(|(code, what)| refuse(code, what))
}

#[cfg(test)]
mod tests;
