//! What is said about a statement.

use std::fmt;
use std::ops::Range;

use corridor_pg::Code;
use serde::{Serialize, Serializer};

/// What kind of harm it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Stops or breaks the application while the statement runs, or fails.
    Hazard,
    /// Breaks a release that still runs.
    Compatibility,
    /// Costs something later. Off unless asked for.
    Hygiene,
}

/// How bad. The exit code follows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing.
    Notice,
    /// Someone should look at it.
    Warning,
    /// It should not be carried out like this.
    Error,
}

/// A rule: one file each, with its tests and its page.
pub struct Rule {
    /// Its code; `corridor explain LNT-001` shows the page.
    pub code: &'static Code,
    /// The name that people write behind `allow`: `add-index-blocks-writes`.
    pub name: &'static str,
    /// What kind of harm.
    pub class: Class,
    /// How bad, where nothing is known of the table.
    pub severity: Severity,
}

impl Rule {
    /// Why, in short: what its page begins with.
    pub fn why(&self) -> String {
        self.code.page.split("\n\n").next().unwrap_or_default().to_owned()
    }
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code.id, self.name)
    }
}

/// One finding.
#[derive(Debug, Clone, Serialize)]
pub struct Finding {
    /// Which rule says it.
    #[serde(serialize_with = "rule")]
    pub rule: &'static Rule,
    /// How bad, with everything that is known here.
    pub severity: Severity,
    /// The file, as it was named; `-` is the standard input.
    pub file: String,
    /// The part of the file that it speaks of, in bytes.
    pub span: Range<usize>,
    /// What happens, one sentence, with figures where there are some.
    pub what: String,
    /// Why, one to three sentences.
    pub why: String,
    /// The safe way, in words; empty where there is none.
    pub safe_way: String,
    /// What it rests on: facts (measured), figures of this database. In the order in which they matter.
    pub evidence: Vec<Evidence>,
    /// What would have to be known to say more.
    pub unknown: Vec<String>,
    /// An edit of the file that mends it, where that is local.
    pub fix: Option<Fix>,
}

/// Without what was said of the same file before, of rules that are said once a file. To be asked last: what `--since` or a baseline
/// leaves out must not speak for what is new.
pub fn once(findings: Vec<Finding>) -> Vec<Finding> {
    const SAID_ONCE: &str = "no-lock-timeout";
    let mut said = std::collections::BTreeSet::new();
    findings
        .into_iter()
        .filter(|it| it.rule.name != SAID_ONCE || said.insert(it.file.clone()))
        .collect()
}

/// Something that a finding rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Evidence {
    /// What: `locks`, `rows`, `oldest transaction`.
    pub name: String,
    /// The figure with its unit, for people.
    pub text: String,
    /// Where it comes from: `measured on PostgreSQL 15`, `pg_class`.
    pub source: String,
}

/// Edits of one file, in ascending order, not overlapping.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fix {
    /// What it does.
    pub title: String,
    /// The bytes that go, and what comes in their place.
    pub edits: Vec<(Range<usize>, String)>,
}

fn rule<S: Serializer>(rule: &&'static Rule, serializer: S) -> Result<S::Ok, S::Error> {
    use serde::ser::SerializeMap as _;
    let mut map = serializer.serialize_map(Some(4))?;
    map.serialize_entry("code", rule.code.id)?;
    map.serialize_entry("name", rule.name)?;
    map.serialize_entry("class", &rule.class)?;
    map.serialize_entry("title", rule.code.title)?;
    map.end()
}
