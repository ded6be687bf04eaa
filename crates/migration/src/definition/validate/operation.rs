//! The rules of one operation.

use corridor_pg::{Code, Fault, Ident, ident};

use super::super::duration::duration;
use super::super::fault::{
    BAD_BACKFILL, BAD_OPERATIONS, MISSING_KEY, NEEDS_DONE_WHEN, NO_WAY_BACK, UNFIT_VALUE,
};
use super::super::not_null;
use super::super::placeholder::RANGE;
use super::super::placeholder::lexer::{Kind, tokens};
use super::super::problem::{Outcome, Problem, Problems, suggestion};
use super::super::tolerance::Tolerance;
use super::super::{Backfill, Command, Http, Operation, Sql};
use super::{OPERATION_NAME_CHARS_MAX, REQUIRED, time};

/// Looks at the operation at `place`.
pub(super) fn check(place: usize, operation: &Operation, problems: &mut Problems) {
    let (at, name) = (At { place, operation }, operation.name());
    let before = problems.0.len();
    at.has_required(problems);
    if problems.0.len() > before {
        // What is empty would be found unfit once more.
        return;
    }
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-');
    let is_name = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(is_plain)
        && name.len() <= OPERATION_NAME_CHARS_MAX;
    if !is_name {
        problems.note(Err(at.problem(
            "name",
            &BAD_OPERATIONS,
            "a name is a lower-case letter, then letters, digits, `-` and `_`, at most 61",
        )));
    }
    match operation {
        Operation::Sql(it) => sql(&at, it, problems),
        Operation::Backfill(it) => backfill(&at, it, problems),
        Operation::Index(it) => {
            problems.note(at.table(&it.table));
            problems.note(at.ident("index", &it.index));
        }
        Operation::Constraint(it) => {
            problems.note(at.table(&it.table));
            problems.note(at.ident("constraint", &it.constraint));
            if let Some(Err(fault)) = not_null::column(&it.definition) {
                problems.note(Err(at.of("definition", &fault)));
            }
            problems.note(at.server_time("lock_budget", it.lock_budget.as_deref()));
        }
        Operation::Verify(it) => {
            let read = Tolerance::parse(&it.tolerance).map(drop);
            problems.note(read.map_err(|fault| at.of("tolerance", &fault)));
        }
        Operation::WaitUntil(it) => {
            problems.note(at.time("every", Some(&it.every)));
            problems.note(at.time("at_most", it.at_most.as_deref()));
        }
        Operation::Command(it) => command(&at, it, problems),
        Operation::Http(it) => http(&at, it, problems),
        Operation::Move(it) => problems.note(at.table(&it.table)),
        Operation::Check(_) => {}
    }
}
/// One operation, and its place in the list.
struct At<'a> {
    place: usize,
    operation: &'a Operation,
}

impl At<'_> {
    fn path(&self, key: &str) -> String {
        match key {
            "" => format!("operations[{}]", self.place),
            key => format!("operations[{}].{key}", self.place),
        }
    }

    fn label(&self, key: &str) -> String {
        format!("operation `{}`, {key}", self.operation.name())
    }

    fn problem(&self, key: &str, code: &'static Code, what: &str) -> Problem {
        let name = self.operation.name();
        Problem::new(self.path(key), code, format!("operation `{name}`: {what}"))
    }

    fn of(&self, key: &str, fault: &Fault) -> Problem {
        Problem::of(self.path(key), fault, &self.label(key))
    }

    /// Looks at the keys of [`REQUIRED`], by the names that a file has for them.
    fn has_required(&self, problems: &mut Problems) {
        let values = serde_json::to_value(self.operation).unwrap_or_default();
        let keys = REQUIRED
            .iter()
            .find(|(kind, _)| *kind == self.operation.kind())
            .map_or(&[][..], |(_, keys)| keys);
        for key in keys {
            let is_empty = match &values[*key] {
                serde_json::Value::String(text) => text.trim().is_empty(),
                serde_json::Value::Array(list) => list.is_empty(),
                _ => true,
            };
            if is_empty {
                let name = match self.operation.name() {
                    "" => format!("operation {}", self.place + 1),
                    name => format!("operation `{name}`"),
                };
                let what = format!("{name}: `{key}` is missing or empty");
                problems.note(Err(Problem::new(self.path(key), &MISSING_KEY, what)));
            }
        }
    }

    fn table(&self, name: &str) -> Outcome {
        ident::parse_name(name)
            .map(drop)
            .map_err(|fault| self.problem("table", &UNFIT_VALUE, &format!("table: {}", fault.detail())))
    }

    fn ident(&self, key: &str, name: &str) -> Outcome {
        Ident::new(name)
            .map(drop)
            .map_err(|fault| self.problem(key, &UNFIT_VALUE, &format!("{key}: {}", fault.detail())))
    }

    fn time(&self, key: &str, text: Option<&str>) -> Outcome {
        text.map_or(Ok(()), |text| time(&self.path(key), &self.label(key), text))
    }

    /// A time that the server counts, in milliseconds of four bytes.
    fn server_time(&self, key: &str, text: Option<&str>) -> Outcome {
        self.time(key, text)?;
        let is_too_long = |text| duration(text).is_ok_and(|time| time.as_millis() > i32::MAX as u128);
        if text.is_some_and(is_too_long) {
            return Err(self.problem(
                key,
                &UNFIT_VALUE,
                &format!("{key}: the server counts at most 596h"),
            ));
        }
        Ok(())
    }

    /// `rollback` or `irreversible`, and not both.
    fn way_back(&self, has_rollback: bool, irreversible: Option<&str>) -> Outcome {
        let refuse = |key: &str, what: &str| Err(self.problem(key, &NO_WAY_BACK, what));
        match (has_rollback, irreversible) {
            (true, Some(_)) => refuse("irreversible", "it has `rollback` and `irreversible`"),
            (false, None) => refuse("", "it has neither `rollback` nor `irreversible`"),
            (false, Some(why)) if why.trim().is_empty() => {
                refuse("irreversible", "`irreversible` does not say why")
            }
            _ => Ok(()),
        }
    }
}

fn sql(at: &At<'_>, it: &Sql, problems: &mut Problems) {
    problems.note(at.way_back(it.rollback.is_some(), it.irreversible.as_deref()));
    let is_blank = |text: &Option<String>| text.as_deref().is_none_or(|text| text.trim().is_empty());
    if it.no_transaction && is_blank(&it.done_when) {
        let what = "it runs without a transaction and has no `done_when`";
        problems.note(Err(at.problem("no_transaction", &NEEDS_DONE_WHEN, what)));
    } else if it.done_when.is_some() && is_blank(&it.done_when) {
        problems.note(Err(at.problem("done_when", &MISSING_KEY, "`done_when` is empty")));
    }
    problems.note(at.server_time("timeout", it.timeout.as_deref()));
    problems.note(at.server_time("lock_timeout", it.lock_timeout.as_deref()));
    problems.note(at.server_time("lock_budget", it.lock_budget.as_deref()));
}

fn backfill(at: &At<'_>, it: &Backfill, problems: &mut Problems) {
    problems.note(at.table(&it.table));
    problems.note(at.way_back(it.rollback.is_some(), it.irreversible.as_deref()));
    problems.note(what_it_does(at, it));
    if let Some(alias) = &it.alias {
        let is_one = ident::parse_name(alias).is_ok_and(|parts| parts.len() == 1);
        if !is_one {
            let what = format!("alias: {alias:?} is not a name");
            problems.note(Err(at.problem("alias", &UNFIT_VALUE, &what)));
        }
    }
    for (column, sql) in &it.set {
        let key = format!("set.{column}");
        problems.note(at.ident(&key, column));
        if sql.trim().is_empty() {
            problems.note(Err(at.problem(&key, &MISSING_KEY, "the expression is empty")));
        }
    }
    for (key, sql) in [("where", &it.filter), ("for_each", &it.for_each)] {
        if sql.as_deref().is_some_and(|sql| sql.trim().is_empty()) {
            let what = format!("`{key}` is empty; leave it out");
            problems.note(Err(at.problem(key, &MISSING_KEY, &what)));
        }
    }
    if it.rows == Some(0) {
        problems.note(Err(at.problem("rows", &UNFIT_VALUE, "rows: at least 1")));
    }
}

/// `set` or `statement`, and what goes with each.
fn what_it_does(at: &At<'_>, it: &Backfill) -> Outcome {
    let refuse = |key: &str, what: &str| Err(at.problem(key, &BAD_BACKFILL, what));
    match (it.set.is_empty(), &it.statement) {
        (true, None) => return refuse("", "it has neither `set` nor `statement`"),
        (false, Some(_)) => return refuse("statement", "it has `set` and `statement`"),
        _ => {}
    }
    let Some(statement) = &it.statement else {
        return match it.alias {
            Some(_) => refuse("alias", "`alias` goes with `statement`"),
            None => Ok(()),
        };
    };
    let has_range = tokens(statement)
        .iter()
        .any(|token| token.kind == Kind::Placeholder(RANGE));
    match has_range {
        true => Ok(()),
        false => refuse(
            "statement",
            "`statement` does not have `:range` in it: each batch would do the whole",
        ),
    }
}

fn command(at: &At<'_>, it: &Command, problems: &mut Problems) {
    problems.note(at.way_back(it.rollback.is_some(), it.irreversible.as_deref()));
    for (key, words) in [("command", Some(&it.command)), ("rollback", it.rollback.as_ref())] {
        let Some(words) = words else { continue };
        if words.first().is_some_and(|program| program.trim().is_empty()) {
            let what = format!("{key}: the program has no name");
            problems.note(Err(at.problem(key, &MISSING_KEY, &what)));
        }
        if words.iter().any(|word| word.contains('\0')) {
            let what = format!("{key}: a NUL character cannot be passed on");
            problems.note(Err(at.problem(key, &UNFIT_VALUE, &what)));
        }
    }
    problems.note(at.time("timeout", it.timeout.as_deref()));
}

fn http(at: &At<'_>, it: &Http, problems: &mut Problems) {
    const METHODS: [&str; 6] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];
    let unfit = |key: &str, what: &str| Err(at.problem(key, &UNFIT_VALUE, &format!("{key}: {what}")));
    problems.note(match it.irreversible.as_deref() {
        None => Err(at.problem(
            "",
            &NO_WAY_BACK,
            "it does not say with `irreversible` why it cannot be taken back",
        )),
        why => at.way_back(false, why),
    });
    if !METHODS.contains(&it.method.as_str()) {
        let near = suggestion(&it.method, METHODS);
        let what = format!("{:?} is not one of {}{near}", it.method, METHODS.join(", "));
        problems.note(unfit("method", &what));
    }
    let host = it.url.strip_prefix("https://").or(it.url.strip_prefix("http://"));
    let is_url = host.is_some_and(|host| !host.is_empty() && !host.starts_with(['/', '?', '#', ':']))
        && !it.url.contains(|c: char| c.is_whitespace() || c.is_control());
    if !is_url {
        let what = format!("{:?} is not an address such as `https://host/path`", it.url);
        problems.note(unfit("url", &what));
    }
    for (name, value) in &it.headers {
        let is_token = !name.is_empty()
            && name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b));
        if !is_token || value.contains(char::is_control) {
            problems.note(unfit("headers", &format!("{name:?} cannot be sent")));
        }
    }
    for status in it.expect.iter().filter(|status| !(100..=599).contains(*status)) {
        let what = format!("{status} is not a status of HTTP, 100 to 599");
        problems.note(unfit("expect", &what));
    }
    problems.note(at.time("timeout", it.timeout.as_deref()));
}
