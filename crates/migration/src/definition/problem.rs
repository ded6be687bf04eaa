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

    /// True for what is said of `path`, or of a part of it.
    pub(super) fn is_within(&self, path: &str) -> bool {
        self.path
            .strip_prefix(path)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    }
}

/// What is wrong, each thing once, in the order in which it was found.
#[derive(Debug, Default)]
pub(super) struct Problems(pub(super) Vec<Problem>);

impl Problems {
    /// Notes what is wrong, and goes on.
    pub(super) fn note(&mut self, outcome: Outcome) {
        self.0.extend(outcome.err());
    }

    /// The value, or a note on why there is none.
    pub(super) fn read<T>(&mut self, outcome: Outcome<T>) -> Option<T> {
        outcome.map_err(|problem| self.0.push(problem)).ok()
    }

    /// Nothing, or one fault that names all of them: of one it is that, of several its code is that of the first and each has a line
    /// of its own. `place` says where a problem stands.
    pub(super) fn into_fault(self, place: impl Fn(&Problem) -> (usize, String)) -> Option<Fault> {
        let mut placed: Vec<(usize, String, Problem)> = self
            .0
            .into_iter()
            .map(|problem| {
                let (line, label) = place(&problem);
                (line, label, problem)
            })
            .collect();
        // In the file's order; those of one line as they were found.
        placed.sort_by_key(|(line, ..)| *line);
        let code = placed.first()?.2.code;
        if let [(_, label, only)] = &placed[..] {
            return Some(Fault::new(code, format!("{label}{}", only.what)));
        }
        let told: Vec<String> = placed
            .iter()
            .map(|(_, label, problem)| format!("\n{label}{} ({})", problem.what, problem.code.id))
            .collect();
        Some(Fault::new(
            code,
            format!("{} mistakes:{}", told.len(), told.concat()),
        ))
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
