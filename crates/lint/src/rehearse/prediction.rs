//! What lint says of a statement before it runs: its kinds, and what the facts know of them.

use crate::facts::key::Effect;
use crate::facts::{self, Fact};
use crate::ir::{Kind, ReindexTarget, Statement};

/// The facts that a prediction rests on. A test may hand in others.
pub type FactsOf = fn(key: &str, major: u32) -> Option<&'static Fact>;

/// What one statement is expected to do.
#[derive(Debug, Clone)]
pub struct Prediction {
    /// Its kinds with their facts.
    pub effects: Vec<(Effect, Option<&'static Fact>)>,
    /// Nothing is known of it, so nothing can differ.
    pub is_unjudged: bool,
    /// What would have to be known to be sure.
    pub unknown: Vec<String>,
    /// `if exists`, `if not exists`: it may well do nothing.
    pub is_conditional: bool,
    /// The server plans how it reads: which tables are read, and in which order, is no matter of the facts.
    pub is_planned: bool,
}

/// Predicts.
pub fn predict(
    statement: &Statement,
    text: &str,
    effects: Vec<Effect>,
    major: u32,
    facts_of: FactsOf,
) -> Prediction {
    let effects: Vec<(Effect, Option<&'static Fact>)> = effects
        .into_iter()
        .map(|effect| {
            let fact = facts_of(effect.key, major);
            (effect, fact)
        })
        .collect();
    let mut unknown: Vec<String> = effects
        .iter()
        .flat_map(|(effect, _)| effect.unknown.iter().cloned())
        .collect();
    // Of tables and columns the facts know it.
    let is_known = |key: &str| {
        key.starts_with("drop-table") || key.starts_with("drop-column") || key.starts_with("truncate")
    };
    let cascades = crate::script::words(text).iter().any(|word| word == "cascade");
    if cascades
        && matches!(statement.kind, Kind::Drop { .. } | Kind::Alter { .. })
        && !effects.iter().all(|(effect, _)| is_known(effect.key))
    {
        unknown.push("what `cascade` takes along".to_owned());
    }
    let knows_nothing = effects.is_empty()
        && !matches!(statement.kind, Kind::Harmless(_) | Kind::SearchPath(_))
        || effects.iter().any(|(_, fact)| fact.is_none());
    let is_whole_database = matches!(
        &statement.kind,
        Kind::Vacuum { tables, .. } | Kind::Analyze { tables } if tables.is_empty()
    ) || matches!(
        &statement.kind,
        Kind::Cluster { table: None }
            | Kind::Reindex {
                target: ReindexTarget::Schema | ReindexTarget::Database,
                ..
            }
    );
    Prediction {
        is_unjudged: knows_nothing || is_whole_database,
        unknown,
        is_conditional: is_conditional(text),
        is_planned: effects.iter().any(|(effect, _)| is_planned(effect.key)),
        effects,
    }
}

/// Kinds that read by a plan of the server's.
fn is_planned(key: &str) -> bool {
    [
        "insert",
        "update",
        "delete",
        "merge",
        "select",
        "copy",
        "refresh",
        "create-table.as",
        "create-materialized-view",
    ]
    .iter()
    .any(|start| key.starts_with(start))
}

fn is_conditional(text: &str) -> bool {
    let words = crate::script::words(text);
    words.windows(2).any(|pair| pair == ["if", "exists"])
        || words.windows(3).any(|three| three == ["if", "not", "exists"])
}

impl Prediction {
    /// The SQLSTATE that it is expected to fail with.
    pub fn failure(&self, in_transaction: bool) -> Option<&'static str> {
        self.effects.iter().find_map(|(_, fact)| {
            let fact = (*fact)?;
            match fact.failure {
                Some(code) => Some(code),
                None if !fact.in_transaction && in_transaction => Some("25001"),
                None => None,
            }
        })
    }

    /// It has transactions of its own.
    pub fn is_lone(&self) -> bool {
        self.effects
            .iter()
            .any(|(_, fact)| fact.is_some_and(|fact| !fact.in_transaction))
    }

    /// The lines of the facts that it rests on, for a report.
    pub fn lines(&self) -> Vec<String> {
        self.effects
            .iter()
            .map(|(effect, fact)| match fact {
                Some(fact) => format!("{}: {}", effect.key, fact.row().replace('\t', " | ")),
                None => format!("{}: not measured on this major", effect.key),
            })
            .collect()
    }
}

/// Locks that another session takes, one after the other, so that a statement with transactions of its own has to wait where its
/// locks can be seen. Names as SQL takes them.
pub fn holds(prediction: &Prediction) -> Vec<String> {
    let lock = |name: &crate::ir::Name, mode: &str| format!("lock table {} in {mode} mode", name.sql());
    let mut found = Vec::new();
    for (effect, _) in prediction
        .effects
        .iter()
        .filter(|(effect, _)| !effect.table.name.is_empty())
    {
        match effect.key {
            "detach-partition.concurrently" => {
                found.push(lock(&effect.table, "share update exclusive"));
                found.extend(
                    effect
                        .relations("partition")
                        .iter()
                        .map(|name| lock(name, "access share")),
                );
            }
            // It takes its lock at once, and waits for nobody behind it.
            "vacuum" => found.push(lock(&effect.table, "share update exclusive")),
            "vacuum.full" => found.push(lock(&effect.table, "access share")),
            key if key.contains("concurrently") => found.push(lock(&effect.table, "row exclusive")),
            _ => {}
        }
    }
    found
}

/// The facts of this room.
pub const MEASURED: FactsOf = facts::of;
