//! The prediction beside the observation. Pure.
//!
//! A lock, a new file or a scan is expected of a relation when the statement names it in a role that has one in the facts. It is
//! allowed when the catalogue has the relation in such a role: a lock on the partitions of a table that is altered was predicted
//! with the table's, though the statement does not name them. What was expected and did not happen, and what happened and was not
//! allowed, is a difference.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::catalogue::Catalogue;
use super::observe::Locks;
use super::prediction::Prediction;
use crate::facts::Mode;

/// What a server has said no to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// The SQLSTATE.
    pub sqlstate: String,
    /// The server's words.
    pub message: String,
    /// The server's further words.
    pub detail: Option<String>,
    /// The byte of the statement that it points to, from 0.
    pub position: Option<usize>,
}

/// What was seen while one statement ran.
#[derive(Debug, Clone, Default)]
pub struct Observation {
    /// Relations before it.
    pub before: Catalogue,
    /// Relations after it; of a failed one those before it.
    pub after: Catalogue,
    /// Locks that its transaction held before it.
    pub held: Locks,
    /// Locks that it took, with those before.
    pub locks: Locks,
    /// Relations that it scanned. `None`: not looked at.
    pub scans: Option<BTreeSet<u32>>,
    /// Whether locks were looked at: a statement with transactions of its own may have waited for nobody.
    pub has_locks: bool,
    /// Relations that this transaction has made.
    pub made: BTreeSet<u32>,
    /// The relations of its effects by name, as they were before it.
    pub named: BTreeMap<String, u32>,
    /// It was refused in a transaction, and had to run by itself.
    pub ran_alone: bool,
    /// A transaction was open before it.
    pub in_transaction: bool,
    /// It failed.
    pub failure: Option<Failure>,
    /// Its tables have no rows.
    pub is_empty: bool,
}

/// What became of one expectation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    /// Observed as predicted.
    Agrees,
    /// Tables without rows do not show it.
    NotObservable,
    /// It differs, and the prediction had said what it did not know.
    Unsure,
    /// There is no prediction.
    NotJudged,
    /// It differs: a bug in the facts, or in how they are read.
    Differs,
}

/// One relation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// Its name.
    pub relation: String,
    /// Predicted.
    pub predicted: Deeds,
    /// Observed.
    pub observed: Deeds,
    /// What became of it.
    pub mark: Mark,
    /// What differs, or why it could not be seen.
    pub remarks: Vec<String>,
}

/// What is done to a relation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Deeds {
    /// The strongest lock.
    pub lock: Option<Mode>,
    /// Its rows are written anew, or emptied.
    pub is_rewritten: bool,
    /// Its rows are read; `None`: nobody looked.
    pub is_scanned: Option<bool>,
}

/// One statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Comparison {
    /// The worst of its lines, and of how it ended.
    pub mark: Mark,
    /// The relations that it touched, or was to touch.
    pub lines: Vec<Line>,
    /// What is to be said of the statement as a whole.
    pub remarks: Vec<String>,
}

/// How a relation stands to a statement.
#[derive(Debug, Default)]
struct Stand {
    expected: Deeds,
    allowed: Deeds,
    /// A scan of it is a query's: it need not begin where the other side has no rows.
    is_by_query: bool,
}

/// Compares.
pub fn compare(prediction: &Prediction, seen: &Observation) -> Comparison {
    let (mark, remarks) = ending(prediction, seen);
    let mut found = Comparison {
        mark,
        lines: Vec::new(),
        remarks,
    };
    if seen.failure.is_some() {
        // What it did before it failed was taken back.
        return found;
    }
    if prediction.failure(seen.in_transaction).is_some() {
        // The facts know only that it fails.
        return found;
    }
    let (stands, anywhere) = stands(prediction, seen);
    let touched: BTreeSet<u32> = seen
        .locks
        .iter()
        .filter(|(oid, modes)| seen.held.get(*oid) != Some(*modes))
        .map(|(oid, _)| *oid)
        .chain(seen.scans.iter().flatten().copied())
        .chain(rewritten(seen))
        .filter(|oid| seen.before.relations.contains_key(oid))
        .map(|oid| seen.before.whole(oid))
        .chain(
            stands
                .iter()
                .filter(|(_, stand)| stand.expected != Deeds::default())
                .map(|(oid, _)| *oid),
        )
        .collect();
    for oid in touched {
        let line = line(oid, stands.get(&oid), anywhere, prediction, seen);
        // Plain reading that nobody has predicted is nobody's business.
        let is_reading =
            line.observed.lock.is_none_or(|mode| mode <= Mode::RowExclusive) && !line.observed.is_rewritten;
        if line.mark != Mark::Differs
            && is_reading
            && !stands.contains_key(&oid)
            && line.observed.is_scanned != Some(true)
        {
            continue;
        }
        found.mark = worse(found.mark, line.mark);
        found.lines.push(line);
    }
    if prediction.is_unjudged {
        found.mark = Mark::NotJudged;
    }
    found
}

/// How it ended, beside how it was to end.
fn ending(prediction: &Prediction, seen: &Observation) -> (Mark, Vec<String>) {
    if prediction.is_unjudged {
        return (Mark::NotJudged, Vec::new());
    }
    let differs = |text: String| {
        let mark = if prediction.unknown.is_empty() {
            Mark::Differs
        } else {
            Mark::Unsure
        };
        (mark, vec![text])
    };
    let expected = prediction.failure(seen.in_transaction);
    match (expected, &seen.failure) {
        (Some(code), None) if code.starts_with("23") => (
            Mark::NotObservable,
            vec![format!(
                "it fails with {code} where there are rows; here there are none"
            )],
        ),
        (Some(_), None) if prediction.is_conditional => (Mark::Agrees, Vec::new()),
        (Some(code), None) => differs(format!("it was to fail with {code}, and did not")),
        // Why one fails is said in a finding of its own: the facts do not promise that a statement fits the schema.
        (_, Some(_)) => (Mark::Agrees, Vec::new()),
        (None, None) if seen.ran_alone && !prediction.is_lone() => {
            differs("it was to be allowed in a transaction, and the server refused it there".to_owned())
        }
        (None, None) => (Mark::Agrees, Vec::new()),
    }
}

fn worse(one: Mark, other: Mark) -> Mark {
    let rank = |mark| match mark {
        Mark::Agrees => 0,
        Mark::NotObservable => 1,
        Mark::Unsure => 2,
        Mark::NotJudged => 3,
        Mark::Differs => 4,
    };
    if rank(other) > rank(one) { other } else { one }
}

/// Roles that a statement, or the catalogue, gives to a relation.
const ROLES: [&str; 8] = [
    "table",
    "referenced",
    "referencing",
    "partition",
    "default",
    "parent",
    "source",
    "user",
];

/// Relations by how they stand to the statement; and what may happen to any: the facts say that some table is locked, and the
/// statement speaks of an object that is no relation (a function, a domain, extended statistics).
fn stands(prediction: &Prediction, seen: &Observation) -> (BTreeMap<u32, Stand>, Deeds) {
    let mut stands: BTreeMap<u32, Stand> = BTreeMap::new();
    let mut anywhere = Deeds::default();
    let resolve = |name: &str| seen.named.get(name).copied().filter(|oid| *oid != 0);
    for (effect, fact) in &prediction.effects {
        let Some(fact) = fact else { continue };
        let is_by_query = effect.key.contains("foreign-key") || effect.key.contains("references");
        let subject = resolve(&effect.table.sql()).map(|oid| seen.before.whole(oid));
        let is_elsewhere = subject.is_none() && !effect.key.starts_with("create-");
        for (role, mode) in &fact.locks {
            let is_other = !ROLES.contains(role) && !role.contains('.') && *role != "new";
            if is_other || *role == "table" && is_elsewhere {
                anywhere.lock = anywhere.lock.max(Some(*mode));
                anywhere.is_scanned = Some(fact.scans(role) || anywhere.is_scanned == Some(true));
            }
        }
        for role in ROLES {
            let deeds = Deeds {
                lock: fact.lock(role),
                is_rewritten: fact.rewrites(role),
                is_scanned: Some(fact.scans(role)),
            };
            let named: Vec<u32> = effect
                .relations(role)
                .iter()
                .filter_map(|name| resolve(&name.sql()))
                .filter(|oid| seen.before.whole(*oid) == *oid)
                .collect();
            for oid in &named {
                let stand = stands.entry(*oid).or_default();
                stand.expected = stand.expected.with(deeds);
                stand.is_by_query |= is_by_query;
            }
            let mut beside: BTreeSet<u32> = named
                .iter()
                .flat_map(|oid| seen.before.in_role("table", *oid))
                .collect();
            if let Some(subject) = subject {
                beside.extend(seen.before.in_role(role, subject));
            }
            // A domain's users are its tables.
            if effect.key.starts_with("domain-") && role == "table" {
                beside.extend(seen.before.users_of_domain(&effect.table.name));
            }
            for oid in beside {
                let stand = stands.entry(oid).or_default();
                stand.allowed = stand.allowed.with(deeds);
            }
        }
    }
    (stands, anywhere)
}

impl Deeds {
    fn with(self, other: Deeds) -> Deeds {
        Deeds {
            lock: self.lock.max(other.lock),
            is_rewritten: self.is_rewritten || other.is_rewritten,
            is_scanned: Some(self.is_scanned == Some(true) || other.is_scanned == Some(true)),
        }
    }
}

fn rewritten(seen: &Observation) -> impl Iterator<Item = u32> + '_ {
    seen.after.relations.iter().filter_map(|(oid, relation)| {
        let was = seen.before.relations.get(oid)?;
        (relation.part.is_none() && was.file != relation.file && was.file != 0 && relation.file != 0)
            .then_some(*oid)
    })
}

fn line(
    oid: u32,
    stand: Option<&Stand>,
    anywhere: Deeds,
    prediction: &Prediction,
    seen: &Observation,
) -> Line {
    let none = Stand::default();
    let stand = stand.unwrap_or(&none);
    let allowed = stand.allowed.with(anywhere);
    let modes = |locks: &Locks| locks.get(&oid).cloned().unwrap_or_default();
    let (held, all) = (modes(&seen.held), modes(&seen.locks));
    let new = all.difference(&held).max().copied();
    let parts = |oids: &BTreeSet<u32>| oids.iter().any(|of| seen.before.whole(*of) == oid);
    let is_scanned = seen.scans.as_ref().map(parts);
    let is_rewritten = rewritten(seen).any(|of| of == oid);
    let is_gone = !seen.after.relations.contains_key(&oid);
    let mut differences = Vec::new();
    let mut excuses = Vec::new();
    let expects = !prediction.is_conditional;
    // An upper limit: what was taken now, by what is allowed. What a statement drops it may lock as it likes.
    if new.is_some_and(|mode| mode > Mode::RowExclusive && Some(mode) > allowed.lock) && !is_gone {
        let words = |mode: Option<Mode>| mode.map_or("no lock", Mode::words);
        differences.push(format!(
            "locked {}; predicted: {}",
            words(new),
            words(allowed.lock)
        ));
    }
    // A lower one: what is held now, by what is expected.
    if let Some(mode) = stand
        .expected
        .lock
        .filter(|mode| expects && seen.has_locks && all.iter().max() < Some(mode))
    {
        let had = all.iter().max().map_or("no lock", |mode| mode.words());
        differences.push(format!("{had}; predicted: {}", mode.words()));
    }
    if is_rewritten && !allowed.is_rewritten {
        differences.push("its rows were written anew; predicted: they stay".to_owned());
    }
    let has_file = seen
        .before
        .relations
        .get(&oid)
        .is_some_and(|relation| relation.file != 0);
    if stand.expected.is_rewritten
        && expects
        && !is_rewritten
        && has_file
        && !is_gone
        && !seen.made.contains(&oid)
    {
        differences.push("its rows stayed; predicted: they are written anew".to_owned());
    }
    if let Some(is_scanned) = is_scanned.filter(|_| !prediction.is_planned) {
        if is_scanned && allowed.is_scanned != Some(true) {
            differences.push("its rows were read; predicted: they are not".to_owned());
        }
        if stand.expected.is_scanned == Some(true) && expects && !is_scanned && has_file && !is_gone {
            match seen.is_empty {
                true if stand.is_by_query => excuses
                    .push("a query reads its rows, and has no need to begin where there are none".to_owned()),
                _ => differences.push("its rows were not read; predicted: they are".to_owned()),
            }
        }
    }
    let mark = match (differences.is_empty(), excuses.is_empty()) {
        (false, _) if prediction.is_unjudged => Mark::NotJudged,
        (false, _) if !prediction.unknown.is_empty() => Mark::Unsure,
        (false, _) => Mark::Differs,
        (true, false) => Mark::NotObservable,
        (true, true) => Mark::Agrees,
    };
    let shown = if stand.expected == Deeds::default() {
        allowed
    } else {
        stand.expected
    };
    Line {
        relation: seen.before.called(oid),
        predicted: shown,
        observed: Deeds {
            lock: new.or(all.iter().max().copied()),
            is_rewritten,
            is_scanned,
        },
        mark,
        remarks: differences
            .into_iter()
            .chain(excuses)
            .chain(
                prediction
                    .unknown
                    .iter()
                    .filter(|_| mark == Mark::Unsure)
                    .map(|what| format!("not known: {what}")),
            )
            .collect(),
    }
}
