//! What a rule is asked: one statement, with all that is known before it, and what comes behind it.

use std::ops::Range;

use super::script::{Part, Script};
use super::state::{State, Table};
use super::statement::{Alter, Create, Kind, Name, Statement};
use super::topology::Topology;
use crate::finding::{Evidence, Finding, Fix, Rule, Severity};

/// Below it a table is written anew in seconds.
const SMALL_BYTES: u64 = 1 << 30;
/// From it on it takes hours.
const LARGE_BYTES: u64 = 100 << 30;

/// One statement and what is known.
pub(crate) struct Case<'s, 'a> {
    pub(crate) file: &'s str,
    pub(crate) script: &'s Script<'a>,
    pub(crate) statements: &'s [Statement],
    pub(crate) at: usize,
    pub(crate) state: &'s State,
    pub(crate) topology: &'s Topology,
    /// The first cluster that a statement of the file names.
    pub(crate) first_cluster: Option<&'s str>,
}

/// What a finding says.
pub(crate) struct Words {
    pub(crate) what: String,
    pub(crate) why: &'static str,
    pub(crate) safe_way: String,
}

impl<'s> Case<'s, '_> {
    pub(crate) fn statement(&self) -> &'s Statement {
        &self.statements[self.at]
    }

    pub(crate) fn before(&self) -> &'s [Statement] {
        &self.statements[..self.at]
    }

    pub(crate) fn behind(&self) -> &'s [Statement] {
        &self.statements[self.at + 1..]
    }

    pub(crate) fn create(&self) -> Option<&'s Create> {
        if let Kind::Create(create) = &self.statement().kind {
            Some(create)
        } else {
            None
        }
    }

    pub(crate) fn alter(&self) -> Option<&'s Alter> {
        if let Kind::Alter(alter) = &self.statement().kind {
            Some(alter)
        } else {
            None
        }
    }

    pub(crate) fn table(&self, name: &Name) -> Option<&'s Table> {
        self.state.table(name)
    }

    /// True where both names mean the same table.
    pub(crate) fn is_same(&self, one: &Name, other: &Name) -> bool {
        self.state.key(one) == self.state.key(other)
    }

    /// A setting that holds for this statement: its own, or one that was SET before.
    pub(crate) fn setting(&self, name: &str) -> Option<&'s str> {
        let own = self
            .statement()
            .settings
            .iter()
            .find(|s| s.name == name)
            .map(|s| s.value.as_str());
        own.or_else(|| self.state.settings.get(name).map(String::as_str))
    }

    pub(crate) fn is_on(&self, name: &str) -> bool {
        self.setting(name)
            .is_some_and(|value| matches!(value, "1" | "true" | "TRUE"))
    }

    /// The table is new here, or small, so that work on all of its rows is no matter.
    pub(crate) fn is_light(&self, name: &Name) -> bool {
        self.table(name)
            .is_some_and(|t| t.is_empty() || t.size_bytes.is_some_and(|size| size < SMALL_BYTES))
    }

    pub(crate) fn words(&self, part: Part) -> String {
        self.script.words(part)
    }

    pub(crate) fn finding(&self, rule: &'static Rule, span: Range<usize>, words: Words) -> Finding {
        Finding {
            rule,
            severity: rule.severity,
            file: self.file.to_owned(),
            span,
            what: words.what,
            why: words.why.to_owned(),
            safe_way: words.safe_way,
            evidence: Vec::new(),
            unknown: Vec::new(),
            fix: None,
        }
    }

    /// The same for work on all rows of a table: its size is evidence, and decides how bad it is.
    pub(crate) fn heavy(
        &self,
        rule: &'static Rule,
        span: Range<usize>,
        table: &Name,
        words: Words,
    ) -> Finding {
        let mut finding = self.finding(rule, span, words);
        match self.table(table).and_then(|t| t.size_bytes) {
            Some(size) => {
                if size >= LARGE_BYTES {
                    finding.severity = Severity::Error;
                }
                finding.evidence.push(Evidence {
                    name: "size".to_owned(),
                    text: size_text(size),
                    source: "the cluster description".to_owned(),
                });
            }
            None => finding.unknown.push(format!("how large {table} is")),
        }
        finding
    }
}

/// Evidence of what was tried on a server.
pub(crate) fn measured(name: &str, text: &str) -> Evidence {
    Evidence {
        name: name.to_owned(),
        text: text.to_owned(),
        source: "measured on ClickHouse 26.9".to_owned(),
    }
}

/// An edit that only adds.
pub(crate) fn insertion(title: &str, at: usize, text: &str) -> Option<Fix> {
    Some(Fix {
        title: title.to_owned(),
        edits: vec![(at..at, text.to_owned())],
    })
}

/// Bytes for people.
pub(crate) fn size_text(bytes: u64) -> String {
    let (mut value, mut unit) = (bytes as f64, "B");
    for next in ["KiB", "MiB", "GiB", "TiB", "PiB"] {
        if value < 1024.0 {
            break;
        }
        value /= 1024.0;
        unit = next;
    }
    if unit == "B" {
        format!("{bytes} B")
    } else {
        format!("{value:.1} {unit}")
    }
}
