//! What is wrong with a definition, and where in it.

use std::collections::BTreeMap;

use corridor_pg::{Code, Fault};

/// One thing that is wrong.
#[derive(Debug)]
pub(super) struct Problem {
    /// Where: `operations[2].statement`. Empty for the whole.
    pub(super) path: String,
    /// The kind of fault.
    pub(super) code: &'static Code,
    /// What is wrong there, in words that need no line.
    pub(super) what: String,
}

pub(super) type Outcome<T = ()> = Result<T, Problem>;

impl Problem {
    pub(super) fn new(path: impl Into<String>, code: &'static Code, what: impl Into<String>) -> Self {
        Problem {
            path: path.into(),
            code,
            what: what.into(),
        }
    }

    /// A fault of a value's own reader, at `path`.
    pub(super) fn of(path: impl Into<String>, fault: &Fault, what: &str) -> Self {
        Problem::new(path, fault.code(), format!("{what}: {}", fault.detail()))
    }

    /// As a fault without a file.
    pub(super) fn into_fault(self) -> Fault {
        Fault::new(self.code, self.what)
    }
}

/// On which line of a file each part of a definition stands.
#[derive(Debug, Default)]
pub(super) struct Lines(BTreeMap<String, usize>);

impl Lines {
    pub(super) fn note(&mut self, path: &str, line: usize) {
        self.0.entry(path.to_owned()).or_insert(line);
    }

    /// The line of `path`, or of the nearest part that it is in.
    pub(super) fn of(&self, path: &str) -> usize {
        let mut path = path;
        loop {
            if let Some(line) = self.0.get(path) {
                return *line;
            }
            match path.rfind(['.', '[']) {
                Some(end) => path = &path[..end],
                None => return self.0.get("").copied().unwrap_or(1),
            }
        }
    }
}

/// A suggestion behind a message: `; did you mean `x`?`. Empty when nothing is near.
pub(super) fn suggestion<'a>(typed: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    corridor_pg::near::near(typed, names)
        .first()
        .map(|near| format!("; did you mean `{near}`?"))
        .unwrap_or_default()
}
