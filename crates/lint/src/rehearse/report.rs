//! What came of a rehearsal, and the findings in it. Pure.

use corridor_pg::{Code, Exit, Retry};
use serde::Serialize;

use super::compare::{Comparison, Deeds, Failure, Line, Mark};
use crate::finding::{Class, Evidence, Finding, Rule, Severity};
use crate::ir::Span;
use crate::judge::Source;

static MISMATCH_CODE: Code = Code {
    id: "LNT-906",
    title: "the rehearsal saw something else than was predicted",
    retry: Retry::Never,
    exit: Exit::BadResult,
    hint: "Report it with everything that is printed, and go by what was observed.",
    page: "A statement was run on a clone of the schema, and took another lock, wrote other rows anew, or read other rows than the facts say: a bug in the facts, or in how a statement is read. Whatever lint says of this statement elsewhere is in doubt.\n\nThe finding shows what was predicted and what was observed, relation by relation, the lines of the facts, the server's version and the statement. That is all that a report needs; it shows names of your schema, so replace those that are nobody's business.\n\nIt cannot be switched off, and is an error at every `--fail-on`.",
};

static FAILS_CODE: Code = Code {
    id: "LNT-907",
    title: "the statement fails in the rehearsal",
    retry: Retry::Never,
    exit: Exit::BadResult,
    hint: "See the server's words. Where it says that it would fail on the real database too, mend the file.",
    page: "The file was run on a clone of the schema without its rows, and the server refused a statement; nothing behind it was run. The finding says which of three it is:\n\n- **It would fail on the real database as well**: a name that is not there, one that is taken, a type that does not fit, a statement that is not allowed in the transaction. An error.\n- **It may fail for lack of rows only**: a foreign key whose other end was not cloned, a query that must find a row, an exception that the file itself raises. A warning: the rehearsal cannot tell.\n- **It may fail for what the clone lacks**: an extension whose files are not there, a right, the time that a rehearsal gives a statement. A warning.",
};

/// The rehearsal saw something else than was predicted.
pub static MISMATCH: Rule = Rule {
    code: &MISMATCH_CODE,
    name: "rehearsal-mismatch",
    class: Class::Hazard,
    severity: Severity::Error,
};

/// A statement fails in the rehearsal.
pub static FAILS: Rule = Rule {
    code: &FAILS_CODE,
    name: "rehearsal-failure",
    class: Class::Hazard,
    severity: Severity::Error,
};

/// What a rehearsal finds.
pub static RULES: &[&Rule] = &[&MISMATCH, &FAILS];

/// One file that was rehearsed.
#[derive(Debug, Clone, Serialize)]
pub struct Played {
    /// As it was named.
    pub file: String,
    /// Its runner opened a transaction around it.
    pub in_transaction: bool,
    /// Its statements.
    pub steps: Vec<Step>,
}

/// One statement that was rehearsed.
#[derive(Debug, Clone, Serialize)]
pub struct Step {
    /// Where it stands, in bytes.
    pub span: Span,
    /// Its kinds, as the facts call them.
    pub kinds: Vec<&'static str>,
    /// Their lines.
    #[serde(skip)]
    pub facts: Vec<String>,
    /// How long it took, on a clone without rows, with the looking.
    pub elapsed_ms: u64,
    /// It has transactions of its own.
    pub is_alone: bool,
    /// What became of it.
    #[serde(flatten)]
    pub state: State,
    /// The prediction beside the observation; none of a statement that only steers the session.
    pub comparison: Option<Comparison>,
}

/// What became of a statement.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum State {
    /// It ran.
    Ran,
    /// The server refused it.
    Failed {
        /// The server's words.
        failure: Failure,
        /// Why.
        cause: Cause,
    },
    /// It was not run.
    NotRun {
        /// Why.
        why: &'static str,
    },
}

/// Why a statement failed, as far as a rehearsal can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// It would fail on the real database as well.
    Statement,
    /// There are no rows.
    NoRows,
    /// The clone is not the database.
    Clone,
}

impl Cause {
    /// By the SQLSTATE. `has_gaps`: something could not be cloned.
    pub fn of(failure: &Failure, has_gaps: bool) -> Cause {
        let code = failure.sqlstate.as_str();
        let class = code.get(..2).unwrap_or_default();
        let is_extension = failure.message.starts_with("extension ")
            || failure.message.starts_with("could not open extension");
        match class {
            // What a file raises itself, data that does not fit, rows that are missing or too many.
            "02" | "21" | "22" | "23" | "P0" => Cause::NoRows,
            // Rights, resources, cancelled, the system, this very server.
            "28" | "53" | "54" | "57" | "58" | "F0" | "XX" => Cause::Clone,
            "55" if code == "55P03" => Cause::Clone,
            "0A" if is_extension => Cause::Clone,
            "42" if code == "42501" => Cause::Clone,
            // Something that is not there may be what was not cloned.
            "42" | "3F" if has_gaps && matches!(code, "42P01" | "42704" | "42883" | "3F000" | "42703") => {
                Cause::Clone
            }
            _ => Cause::Statement,
        }
    }

    fn words(self) -> &'static str {
        match self {
            Cause::Statement => "It would fail on the real database as well.",
            Cause::NoRows => "It may fail only because the clone has no rows; the rehearsal cannot tell.",
            Cause::Clone => {
                "It may fail only because the clone is not the real database: something was not cloned, is not installed here, or took too long."
            }
        }
    }
}

/// Whether a comparison, or how the statement ended, differs.
fn differs(comparison: &Comparison) -> bool {
    comparison.mark == Mark::Differs
}

fn deeds(deeds: Deeds) -> String {
    let mut words = vec![
        deeds
            .lock
            .map_or("no lock".to_owned(), |mode| mode.words().to_owned()),
    ];
    words.push(
        if deeds.is_rewritten {
            "rows written anew"
        } else {
            "rows stay"
        }
        .to_owned(),
    );
    words.extend(
        deeds
            .is_scanned
            .map(|is| if is { "rows read" } else { "rows not read" }.to_owned()),
    );
    words.join(", ")
}

fn on_line(line: &Line) -> String {
    format!("{}: {}", line.relation, line.remarks.join("; "))
}

/// What is to be said. `server`: its version, for a report.
pub fn findings(sources: &[Source<'_>], played: &[Played], server: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    for file in played {
        let text = sources
            .iter()
            .find(|source| source.path == file.file)
            .map_or("", |source| source.text);
        for step in &file.steps {
            found.extend(failed(file, step));
            if let Some(comparison) = step.comparison.as_ref().filter(|it| differs(it)) {
                found.push(mismatch(file, step, comparison, text, server));
            }
        }
    }
    found
}

fn failed(file: &Played, step: &Step) -> Option<Finding> {
    let State::Failed { failure, cause } = &step.state else {
        return None;
    };
    let at = failure.position.map(|at| step.span.start + at);
    let mut evidence = vec![Evidence {
        name: "SQLSTATE".to_owned(),
        text: failure.sqlstate.clone(),
        source: "the rehearsal".to_owned(),
    }];
    evidence.extend(failure.detail.as_ref().map(|detail| Evidence {
        name: "detail".to_owned(),
        text: detail.clone(),
        source: "the rehearsal".to_owned(),
    }));
    Some(Finding {
        rule: &FAILS,
        severity: if *cause == Cause::Statement {
            Severity::Error
        } else {
            Severity::Warning
        },
        file: file.file.clone(),
        span: at
            .filter(|at| *at < step.span.end)
            .map_or(step.span.clone(), |at| at..step.span.end),
        what: format!("it fails: {}", failure.message),
        why: cause.words().to_owned(),
        safe_way: match cause {
            Cause::Statement => "Mend the statement, or what comes before it.",
            _ => "Look at what it needs of the real database.",
        }
        .to_owned(),
        evidence,
        unknown: Vec::new(),
        fix: None,
    })
}

fn mismatch(file: &Played, step: &Step, comparison: &Comparison, text: &str, server: &str) -> Finding {
    let say = |name: &str, text: String, source: &str| Evidence {
        name: name.to_owned(),
        text,
        source: source.to_owned(),
    };
    let differing: Vec<&Line> = comparison
        .lines
        .iter()
        .filter(|line| line.mark == Mark::Differs)
        .collect();
    let what: Vec<String> = comparison
        .remarks
        .iter()
        .cloned()
        .chain(differing.iter().map(|line| on_line(line)))
        .collect();
    let mut evidence = Vec::new();
    for line in &comparison.lines {
        evidence.push(say(
            &format!("{} predicted", line.relation),
            deeds(line.predicted),
            "the facts",
        ));
        evidence.push(say(
            &format!("{} observed", line.relation),
            deeds(line.observed),
            "the rehearsal",
        ));
    }
    evidence.extend(
        step.facts
            .iter()
            .map(|fact| say("fact", fact.clone(), "facts.tsv")),
    );
    evidence.push(say("server", server.to_owned(), "the rehearsal"));
    evidence.push(say(
        "corridor",
        env!("CARGO_PKG_VERSION").to_owned(),
        "this program",
    ));
    let statement = text
        .get(step.span.clone())
        .unwrap_or_default()
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    evidence.push(say("statement", statement, "the file"));
    Finding {
        rule: &MISMATCH,
        severity: Severity::Error,
        file: file.file.clone(),
        span: step.span.clone(),
        what: what.join("; "),
        why: MISMATCH.why(),
        safe_way: MISMATCH.code.hint.to_owned(),
        evidence,
        unknown: Vec::new(),
        fix: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn why_one_fails_is_told_by_its_sqlstate() {
        let of = |sqlstate: &str, message: &str, has_gaps| {
            let failure = Failure {
                sqlstate: sqlstate.to_owned(),
                message: message.to_owned(),
                detail: None,
                position: None,
            };
            Cause::of(&failure, has_gaps)
        };
        assert_eq!(of("42P01", "", false), Cause::Statement);
        assert_eq!(of("42P01", "", true), Cause::Clone);
        assert_eq!(of("42601", "", true), Cause::Statement);
        assert_eq!(of("25001", "", false), Cause::Statement);
        assert_eq!(of("23503", "", false), Cause::NoRows);
        assert_eq!(of("P0001", "", false), Cause::NoRows);
        assert_eq!(
            of("0A000", "extension \"x\" is not available", false),
            Cause::Clone
        );
        assert_eq!(of("57014", "", false), Cause::Clone);
    }
}
