//! What a check says: which limit, of which object, how near, since what, and the right way out.

use corridor_pg::Code;
use serde::{Serialize, Serializer};

use crate::forecast::{Growth, Runway};

/// How bad. The order is the order of urgency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing; nothing stops. Does not change the exit code.
    Notice,
    /// It will stop something, or costs much already; there is time to plan.
    Warning,
    /// It stops something now, or within days.
    Critical,
}

/// How much of a limit is in use.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Gauge {
    /// In use.
    pub used: f64,
    /// One standard error of `used`, when it is an estimate.
    pub standard_error: Option<f64>,
    /// The limit.
    pub capacity: f64,
    /// Of what: `ids`, `transactions`, `bytes`.
    pub unit: &'static str,
}

impl Gauge {
    /// The share in use, 0 to 1 (and above, past the limit).
    pub fn share(&self) -> f64 {
        if self.capacity > 0.0 {
            self.used / self.capacity
        } else {
            0.0
        }
    }
}

/// How what is in use lies over a space of numbers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Density {
    /// Of what, in a word or two: `ids in use`.
    pub of: &'static str,
    /// Shares in use of equal parts of the space, 0 to 1, from its beginning on.
    pub shares: Vec<f64>,
    /// The part in which `at_word` is now, from 0 on.
    pub at: Option<usize>,
    /// What is there: `the counter`.
    pub at_word: &'static str,
}

/// A figure that the finding rests on.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Fact {
    /// What: `share of ids in use`.
    pub name: String,
    /// The figure with its unit, for people.
    pub text: String,
    /// Where it comes from: `4,096 points of the id space`, `pg_control_checkpoint()`.
    pub source: &'static str,
}

/// A way that was not recommended.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Rejected {
    /// Its short name.
    pub way: &'static str,
    /// The fact that speaks against it.
    pub why: String,
}

/// The recommended way out.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Advice {
    /// Its short name, stable: `jump-counter`.
    pub way: &'static str,
    /// What it is, one sentence.
    pub title: &'static str,
    /// The facts that chose it, in the order in which they were asked.
    pub because: Vec<String>,
    /// What to type, when it is a command: Corridor's own, or SQL.
    pub command: Option<String>,
    /// `corridor check --apply CODE` can do it.
    pub is_applicable: bool,
    /// The ways that were not taken.
    pub rejected: Vec<Rejected>,
}

/// Ids that go round, and that a vacuum frees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AgingIds {
    /// Transaction ids.
    Transactions,
    /// MultiXact ids, and their members.
    MultiXacts,
}

/// What `corridor check --apply` can do about a finding: one safe statement, or a loop of small ones.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "way", rename_all = "kebab-case")]
pub enum Remedy {
    /// `toast_tuple_target` to its highest value.
    Inline {
        /// The table's schema.
        schema: String,
        /// The table.
        table: String,
    },
    /// A vacuum of the relation, its indexes included.
    Vacuum {
        /// The relation's schema.
        schema: String,
        /// The relation; may be a TOAST relation.
        relation: String,
    },
    /// A vacuum of the relation that freezes its oldest ids.
    Freeze {
        /// The relation's schema.
        schema: String,
        /// The relation; may be a TOAST relation.
        relation: String,
        /// Which ids run short.
        ids: AgingIds,
        /// Its indexes are left as they are, because time is short.
        are_indexes_left: bool,
    },
    /// The counter of object ids over a stretch of used ones.
    Jump {
        /// The first id of the stretch.
        first: u32,
        /// How many ids it has.
        ids: u64,
    },
}

impl Remedy {
    /// The name of its way, as in [`Advice::way`].
    pub fn way(&self) -> &'static str {
        match self {
            Remedy::Inline { .. } => "inline",
            Remedy::Vacuum { .. } => "vacuum",
            Remedy::Freeze {
                are_indexes_left: true,
                ..
            } => "vacuum-fast",
            Remedy::Freeze { .. } => "vacuum",
            Remedy::Jump { .. } => "jump",
        }
    }
}

/// One limit of one object.
#[derive(Debug, Clone, Serialize)]
pub struct Finding {
    /// `LIM-001`.
    #[serde(serialize_with = "code_id")]
    pub code: &'static Code,
    /// `public.persons`, `database app`, `slot cdc`.
    pub object: String,
    /// How bad.
    pub severity: Severity,
    /// One line: what, how much, of what. Without the object and without the days.
    pub headline: String,
    /// How much of the limit is in use, when it is such a limit.
    pub gauge: Option<Gauge>,
    /// When it is reached.
    pub runway: Runway,
    /// How what is in use lies over the limit's space, where that was looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub density: Option<Density>,
    /// What it rests on.
    pub facts: Vec<Fact>,
    /// The way out.
    pub advice: Option<Advice>,
    /// What can be done by `--apply`, the recommended way and others.
    pub remedies: Vec<Remedy>,
}

impl Finding {
    /// A finding without figures; the fields are public.
    pub fn new(
        code: &'static Code,
        object: impl Into<String>,
        severity: Severity,
        headline: impl Into<String>,
    ) -> Self {
        Finding {
            code,
            object: object.into(),
            severity,
            headline: headline.into(),
            gauge: None,
            runway: Runway::Unknown,
            density: None,
            facts: Vec::new(),
            advice: None,
            remedies: Vec::new(),
        }
    }

    /// Adds a fact.
    pub fn fact(&mut self, name: impl Into<String>, text: impl Into<String>, source: &'static str) {
        self.facts.push(Fact {
            name: name.into(),
            text: text.into(),
            source,
        });
    }

    /// Adds the fact of a growth, where there is one, and over what time it was seen. `said`: so much a day, in words.
    pub fn growth(&mut self, growth: Option<&Growth>, said: impl Fn(f64) -> String) {
        if let Some(growth) = growth.filter(|growth| growth.per_s > 0.0) {
            let text = format!("{} a day, {}", said(growth.per_s * 86_400.0), growth.over());
            self.fact("grows by", text, "the history of checks");
        }
    }
}

/// Worst first: by severity, then by days left, then by the share in use, then by code and object, so that the order
/// is the same for the same database.
pub fn sort(findings: &mut [Finding]) {
    findings.sort_by(|a, b| {
        let days = |f: &Finding| f.runway.days_mid().unwrap_or(f64::INFINITY);
        let share = |f: &Finding| f.gauge.as_ref().map_or(0.0, Gauge::share);
        b.severity
            .cmp(&a.severity)
            .then(days(a).total_cmp(&days(b)))
            .then(share(b).total_cmp(&share(a)))
            .then(a.code.id.cmp(b.code.id))
            .then_with(|| a.object.cmp(&b.object))
    });
}

fn code_id<S: Serializer>(code: &&'static Code, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(code.id)
}
