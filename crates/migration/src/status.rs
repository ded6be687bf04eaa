//! Everything that a person wants to know about one migration, from one snapshot, for JSON and terminal alike.

use corridor_pg::{FaultContext, Isolation, Result, Session};
use serde::Serialize;
use serde_json::Value;

use crate::data::unsettled;
use crate::lease::Tenure;
use crate::name::Name;
use crate::setting::{DEFINITIONS, Kind, Unit};
use crate::state::{Side, State, StateName, Wait};
use crate::step::{Verb, allowed};
use crate::store::{self, Asked, Operation, Verification};

/// The version of the JSON form. Grows when a field changes its meaning or goes; new fields may come at any time.
pub const VERSION: u32 = 1;

/// Verifications that a status shows; the newest.
const VERIFICATIONS_MAX: i64 = 10;

/// One migration, as it stands.
#[derive(Debug, Clone, Serialize)]
pub struct Status {
    /// [`VERSION`].
    pub version: u32,
    /// Its id in this database.
    pub id: i64,
    /// Its name.
    pub name: Name,
    /// What kind of work it is.
    pub kind: String,
    /// One line for a person.
    pub description: String,
    /// The state's name.
    pub state: StateName,
    /// The state's data, an object; empty when it has none.
    pub state_detail: Value,
    /// The state for a person.
    pub words: String,
    /// Which table has the name; `null` while nobody can say.
    pub side: Option<Side>,
    /// What it waits for a person to say.
    pub waits_for: Option<Wait>,
    /// The operation that is, or was last, at work.
    pub current_operation: Option<String>,
    /// The operations in their order.
    pub operations: Vec<Operation>,
    /// Who works on it.
    pub worker: Tenure,
    /// True when there is work to do and nobody does it: `resume` would.
    pub needs_worker: bool,
    /// Why the copy holds, as the worker last said in its heartbeat under `throttle`; `null` when it does not, or when no
    /// worker lives.
    pub throttle: Value,
    /// Operations of which a person must say whether they were done (`MIG-136`).
    pub unsettled: Vec<String>,
    /// What somebody asked for and no worker has taken yet.
    pub asked: Option<Asked>,
    /// What may be asked for now.
    pub allowed: Vec<Verb>,
    /// The newest 10 verifications that came to a verdict, the newest first.
    pub verifications: Vec<Verification>,
    /// All settings.
    pub settings: Vec<Setting>,
    /// The frozen plan; too long for a status, and here for whoever reads more by it.
    #[serde(skip)]
    pub plan: Value,
    /// SHA-256 of the frozen plan.
    pub plan_digest: String,
    /// When it was stored; RFC 3339, UTC, the server's clock.
    pub created_at: String,
    /// Who stored it.
    pub created_by: String,
    /// When it was started.
    pub started_at: Option<String>,
    /// When it reached a final state.
    pub finished_at: Option<String>,
    /// From the start to the end, pauses included; `null` before that.
    pub took_ms: Option<f64>,
    /// For how long somebody had paused it.
    pub paused_ms: f64,
}

/// One setting, as it holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Setting {
    /// The key.
    pub key: &'static str,
    /// The value that holds, in the unit.
    pub value: String,
    /// The unit of a number.
    pub unit: Option<&'static str>,
    /// Who set it; `null` for a default.
    pub set_by: Option<String>,
    /// When.
    pub set_at: Option<String>,
    /// True when it was set for all migrations, and not for this one.
    pub is_for_all: bool,
}

/// Reads the status of one migration, everything from one snapshot.
///
/// Locks: access share on the tables of the schema `corridor`, for a moment. Refuses as [`store::load`] does.
pub async fn read(session: &mut Session, name: &Name) -> Result<Status> {
    let tx = session.begin(Isolation::RepeatableRead).await?;
    let mut migration = store::load(&tx, name).await?;
    let mut pauses = store::pauses(&tx, migration.id).await?;
    let paused_ms = pauses.remove("").unwrap_or(0.0);
    for operation in &mut migration.operations {
        operation.paused_ms = pauses.remove(&operation.name).or(Some(0.0));
    }
    let worker = Tenure::look(&tx, migration.id).await?;
    let verifications = store::verifications(&tx, migration.id, 0, VERIFICATIONS_MAX).await?;
    let mut stored = store::stored_settings(&tx, migration.id).await?;
    let mut of_all = store::stored_defaults(&tx).await?;
    let mut open = unsettled::of_all(&tx, [(migration.id, &migration.state)].into_iter()).await?;
    let unsettled = open.remove(&migration.id).unwrap_or_default();
    let asked = store::asked(&tx).await?.remove(&migration.name);
    tx.commit().await.doing(|| "reading the status")?;

    let settings = DEFINITIONS
        .iter()
        .map(|definition| {
            let own = stored.remove(definition.key);
            let is_for_all = own.is_none() && of_all.contains_key(definition.key);
            let set = own.or_else(|| of_all.remove(definition.key));
            let (value, set_by, set_at) = match set {
                Some(set) => (set.value, Some(set.set_by), Some(set.set_at)),
                None => (definition.default.to_owned(), None, None),
            };
            Setting {
                key: definition.key,
                value,
                unit: unit(definition.kind),
                set_by,
                set_at,
                is_for_all,
            }
        })
        .collect();
    let throttle = match worker.progress.get("throttle") {
        Some(reasons) if worker.is_alive => reasons.clone(),
        _ => Value::Null,
    };
    Ok(Status {
        version: VERSION,
        state: migration.state.name(),
        state_detail: detail(&migration.state),
        words: unsettled::with_command(words(&migration), migration.name.as_str(), &unsettled),
        side: migration.state.side(),
        waits_for: match migration.state {
            State::Waiting { for_what } => Some(for_what),
            _ => None,
        },
        needs_worker: migration.state.is_worked_on() && !worker.is_alive,
        // A living worker needs nobody to take its work up.
        allowed: asked_for(&migration)
            .into_iter()
            .filter(|verb| *verb != Verb::Resume || !worker.is_alive)
            .collect(),
        throttle,
        unsettled,
        asked,
        verifications,
        settings,
        worker,
        id: migration.id,
        plan: migration.plan,
        name: migration.name,
        kind: migration.kind,
        description: migration.description,
        current_operation: migration.current_operation,
        operations: migration.operations,
        plan_digest: migration.plan_digest,
        created_at: migration.created_at,
        created_by: migration.created_by,
        started_at: migration.started_at,
        finished_at: migration.finished_at,
        took_ms: migration.took_ms,
        paused_ms,
    })
}

/// The state for a person, and that a plan cannot be read.
fn words(migration: &store::Migration) -> String {
    let words = migration.state.words_of(&migration.kind);
    if migration.kind != crate::data::KIND {
        return words;
    }
    match crate::data::DataPlan::read(&migration.plan) {
        Ok(_) => words,
        Err(fault) => format!("{words}; its plan cannot be read: {fault}"),
    }
}

/// What may be asked for: by the state, and by what the kind of work knows besides.
fn asked_for(migration: &store::Migration) -> Vec<Verb> {
    let by_state = allowed(&migration.state);
    match migration.kind == crate::data::KIND {
        true => crate::data::asked_for(migration, by_state),
        false => by_state,
    }
}

fn unit(kind: Kind) -> Option<&'static str> {
    let unit = match kind {
        Kind::Whole { unit, .. } | Kind::Figure { unit, .. } | Kind::Limit { unit } => unit,
        Kind::Auto { .. } | Kind::Switch | Kind::Query => return None,
    };
    (unit != Unit::Number).then(|| unit.as_str())
}

fn detail(state: &State) -> Value {
    serde_json::to_value(state)
        .ok()
        .and_then(|mut both| both.get_mut("detail").map(Value::take))
        .unwrap_or_else(|| Value::Object(serde_json::Map::new()))
}
