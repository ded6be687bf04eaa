//! The same question for ClickHouse: is this schema change safe on a cluster that is in use?
//!
//! - [`lint`] is the door: a file's text and what is known of the cluster in, findings out. It is pure.
//! - [`Topology`] is what is known: who sends statements where, pairs of tables, tables as they are, what was seen on hosts.
//! - `token`, `script`, `read`: text to statements. The reader is tolerant: heads and the clauses that rules ask for are
//!   read, the rest is kept as tokens. What it cannot read is said, as [`NotEvaluated`], and the next statement is read.
//! - `state`: what the statements before have done: tables that are new, columns that were added, settings in effect.
//! - `rules`: one file each: code, page, check, cases.
//!
//! **Invariant:** nothing recurses over the text. Groups know their partner; their depth is counted; tokens are bounded.
//!
//! **Invariant:** no rule holds what is not said here: without a description a rule judges by the file and by names, and
//! says what it would have to know.

mod case;
mod column_type;
mod read;
mod rules;
mod script;
mod state;
mod statement;
#[cfg(test)]
mod tests;
mod token;
mod topology;

use std::ops::Range;

use corridor_pg::Code;
use serde::Serialize;

use crate::finding::{Finding, Rule};
pub use topology::{
    BAD_TOPOLOGY, ClusterNodes, Database, KnownTable, Observed, Pair, Role, Runner, Topology,
};

/// All rules for ClickHouse, in the order of their codes.
pub static RULES: &[&Rule] = rules::RULES;

/// All codes of this side: a rule's each, and those of faults.
pub static CODES: &[&Code] = rules::CODES;

/// A stretch of the file that nobody judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NotEvaluated {
    /// Its bytes.
    pub span: Range<usize>,
    /// Why not.
    pub reason: String,
}

impl NotEvaluated {
    fn new(span: Range<usize>, reason: &str) -> Self {
        NotEvaluated {
            span,
            reason: reason.to_owned(),
        }
    }
}

/// What a lint of one file says.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Report {
    /// Statements that were read.
    pub statements: usize,
    /// What was found, in the order of the file.
    pub findings: Vec<Finding>,
    /// What was not judged, in the order of the file. Not a word about it would pass for a clean bill.
    pub not_evaluated: Vec<NotEvaluated>,
}

/// Judges a file of ClickHouse statements. `file` is its name, as findings are to show it.
///
/// ```
/// use corridor_lint::clickhouse::{Topology, lint};
/// let report = lint("0001.sql", "alter table events add column plan String", &Topology::default());
/// assert_eq!(report.findings[0].rule.code.id, "LNT-302");
/// ```
pub fn lint(file: &str, text: &str, topology: &Topology) -> Report {
    let mut not_evaluated = Vec::new();
    let script = script::Script::read(text, &mut not_evaluated);
    let statements: Vec<statement::Statement> = script
        .statements
        .iter()
        .filter_map(|part| read::statement(&script, *part, &mut not_evaluated))
        .collect();
    let first_cluster = statements
        .iter()
        .find_map(|s| s.cluster.as_ref())
        .map(|cluster| cluster.name.as_str());
    let mut state = state::State::new(topology);
    let mut findings = Vec::new();
    for at in 0..statements.len() {
        let case = case::Case {
            file,
            script: &script,
            statements: &statements,
            at,
            state: &state,
            topology,
            first_cluster,
        };
        for check in rules::CHECKS {
            check(&case, &mut findings);
        }
        state.apply(&script, &statements[at]);
    }
    findings.sort_by_key(|finding| (finding.span.start, finding.rule.code.id));
    not_evaluated.sort_by_key(|unread| unread.span.start);
    Report {
        statements: statements.len(),
        findings,
        not_evaluated,
    }
}
