//! Migrations as rows: create, load, list; transitions in the caller's transaction.
//!
//! - [`create`] freezes a plan; [`load`] refuses one whose digest does not fit any more.
//! - [`apply`] is the only way to change a state. It holds the fence, asks [`step`](crate::step()), and writes state,
//!   operation and journal entry in the transaction that it is given: a swap and its state commit together, or
//!   not at all.
//! - What only informs ([`logs`], [`read_settings`], [`load`]) needs no fence. What asks ([`ask`], [`set`]) needs none
//!   either: it never touches data.

mod audit;
mod journal;
mod request;
mod setting_row;
mod transition;
mod verification;

use std::collections::{BTreeMap, BTreeSet};

use corridor_pg::near::{did_you_mean, near};
use corridor_pg::{Fault, FaultContext, Result};
use serde::Serialize;
use serde_json::Value;
use tokio_postgres::{GenericClient, Row, Transaction};

use crate::data::unsettled;
use crate::fault::{BAD_PLAN, NAME_TAKEN, NO_SUCH_MIGRATION, PLAN_CHANGED, UNREADABLE_ROW};
use crate::name::Name;
use crate::operation::OperationState;
use crate::state::State;

pub use audit::audit;
pub(crate) use journal::append_plain as journal_append;
pub use journal::{Entry, JOURNAL_ENTRIES_MAX, logs, note, note_throttle};
pub use request::{
    Asked, Outcome, REQUESTS_KEPT_MAX, REQUESTS_OPEN_MAX, Request, Unworked, answer, ask, asked, hold_open,
    is_refusal, outcome, refusal, take_requests, unworked_requests, withdraw,
};
pub use setting_row::{
    StoredSetting, read_settings, set, set_default, stored_defaults, stored_settings, unset, unset_default,
};
pub use transition::{
    Applied, apply, note_operation_progress, read_state, repeat_operation, undo_operation,
    write_operation_progress,
};
pub use verification::{VERIFICATIONS_KEPT_MAX, Verification, record_verification, verifications};

/// Most operations of one plan.
pub const OPERATIONS_MAX: usize = 1_000;
/// Most migrations that [`list`] returns.
pub const LIST_MAX: i64 = 1_000;
/// Texts of faults are cut to this many characters before they are stored.
const TEXT_CHARS_MAX: usize = 4_000;

/// How a new migration gets its name.
#[derive(Debug, Clone)]
pub enum Naming {
    /// Exactly this one; `MIG-005` when it is taken.
    Exactly(Name),
    /// This one, or its first free variant: `persons`, `persons-2`…
    Like(Name),
}

/// A migration to be stored.
#[derive(Debug, Clone)]
pub struct NewMigration {
    /// Its name.
    pub naming: Naming,
    /// What kind of work it is, for example `move`: `[a-z][a-z0-9_]{0,30}`.
    pub kind: String,
    /// One line for a person.
    pub description: String,
    /// The plan; frozen with its digest.
    pub plan: Value,
    /// The names of its operations in their order: `[a-z][a-z0-9_-]{0,60}`.
    pub operations: Vec<String>,
    /// Who stores it.
    pub created_by: String,
}

/// A stored migration.
#[derive(Debug, Clone, Serialize)]
pub struct Migration {
    /// Its id in this database.
    pub id: i64,
    /// Its name.
    pub name: Name,
    /// What kind of work it is.
    pub kind: String,
    /// One line for a person.
    pub description: String,
    /// The plan, as it was agreed to.
    pub plan: Value,
    /// SHA-256 of the plan's text in the database, in hex.
    pub plan_digest: String,
    /// The state.
    pub state: State,
    /// The operation that is, or was last, at work.
    pub current_operation: Option<String>,
    /// The operations in their order.
    pub operations: Vec<Operation>,
    /// RFC 3339, UTC, the server's clock; so are all times here.
    pub created_at: String,
    /// Who stored it.
    pub created_by: String,
    /// When it was started.
    pub started_at: Option<String>,
    /// When it reached a final state.
    pub finished_at: Option<String>,
    /// From the start to the end, pauses included; `None` before that.
    pub took_ms: Option<f64>,
}

/// One operation of a stored migration.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Operation {
    /// Its place, from 1.
    pub position: i32,
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub state: OperationState,
    /// What it last said about its progress.
    pub progress: Value,
    /// How often it was begun.
    pub attempts: i32,
    /// When it was first begun.
    pub started_at: Option<String>,
    /// When it ended.
    pub finished_at: Option<String>,
    /// Since when it runs, or how long it took, pauses included.
    pub took_ms: Option<f64>,
    /// For how long of that somebody had paused it; only a status asks.
    pub paused_ms: Option<f64>,
    /// Why it failed.
    pub error: Option<String>,
}

/// One line of [`list`].
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    /// Its id in this database.
    pub id: i64,
    /// Its name.
    pub name: Name,
    /// What kind of work it is.
    pub kind: String,
    /// One line for a person.
    pub description: String,
    /// The state.
    pub state: State,
    /// The operation that is, or was last, at work.
    pub current_operation: Option<String>,
    /// When it was stored.
    pub created_at: String,
    /// When it reached a final state.
    pub finished_at: Option<String>,
    /// True when a worker holds the lease and was heard of in time.
    pub is_worker_alive: bool,
    /// Operations of which a person must say whether they were done (`MIG-136`).
    pub unsettled: Vec<String>,
}

impl Summary {
    /// The state for a person, and what is to be said when it waits for that.
    pub fn words(&self) -> String {
        unsettled::with_command(
            self.state.words_of(&self.kind),
            self.name.as_str(),
            &self.unsettled,
        )
    }
}

/// Stores a planned migration with its operations, a free lease, and the first journal entry.
pub async fn create(tx: &Transaction<'_>, new: &NewMigration) -> Result<Migration> {
    check_plan(new)?;
    let (id, name) = insert_named(tx, new).await?;
    let doing = || format!("storing migration {name}");
    tx.execute(
        include_str!("../sql/store/insert_operations.sql"),
        &[&id, &new.operations],
    )
    .await
    .doing(doing)?;
    tx.execute(include_str!("../sql/store/insert_lease.sql"), &[&id])
        .await
        .doing(doing)?;
    tx.execute(include_str!("../sql/store/insert_heartbeat.sql"), &[&id])
        .await
        .doing(doing)?;
    journal::append(tx, id, &new.created_by, "created", None, None, &Value::Null).await?;
    load(tx, &name).await
}

fn check_plan(new: &NewMigration) -> Result<()> {
    let names: BTreeSet<_> = new.operations.iter().collect();
    if new.operations.is_empty()
        || new.operations.len() > OPERATIONS_MAX
        || names.len() != new.operations.len()
    {
        return Err(Fault::new(
            &BAD_PLAN,
            format!(
                "{} operations, {} different names",
                new.operations.len(),
                names.len()
            ),
        ));
    }
    Ok(())
}

async fn insert_named(tx: &Transaction<'_>, new: &NewMigration) -> Result<(i64, Name)> {
    let stem = match &new.naming {
        Naming::Exactly(name) => {
            return match insert(tx, new, name).await? {
                Some(id) => Ok((id, name.clone())),
                None => Err(Fault::new(&NAME_TAKEN, name.to_string())),
            };
        }
        Naming::Like(stem) => stem,
    };
    for hundred in 0..100u32 {
        let candidates: Vec<Name> = (1..=100).map(|n| stem.variant(hundred * 100 + n)).collect();
        let texts: Vec<&str> = candidates.iter().map(Name::as_str).collect();
        let taken: BTreeSet<String> = tx
            .query(include_str!("../sql/store/names_like.sql"), &[&texts])
            .await
            .doing(|| "looking for a free name")?
            .iter()
            .map(|row| row.get("name"))
            .collect();
        for name in candidates.into_iter().filter(|n| !taken.contains(n.as_str())) {
            // Somebody else may have taken it since: then the next one.
            if let Some(id) = insert(tx, new, &name).await? {
                return Ok((id, name));
            }
        }
    }
    Err(Fault::new(&NAME_TAKEN, format!("{stem} and 9,999 names like it")))
}

async fn insert(tx: &Transaction<'_>, new: &NewMigration, name: &Name) -> Result<Option<i64>> {
    let row = tx
        .query_opt(
            include_str!("../sql/store/insert_migration.sql"),
            &[
                &name.as_str(),
                &new.kind,
                &new.description,
                &new.plan.to_string(),
                &new.created_by,
            ],
        )
        .await
        .doing(|| format!("storing migration {name}"))?;
    Ok(row.map(|row| row.get("id")))
}

/// There is no migration of this name; the fault says which names come near.
async fn missing(client: &impl GenericClient, name: &Name) -> Result<Fault> {
    let rows = client
        .query(include_str!("../sql/store/names.sql"), &[])
        .await
        .doing(|| format!("looking for names like {name}"))?;
    let names: Vec<&str> = rows.iter().map(|row| row.get("name")).collect();
    let suggestions = did_you_mean(&near(name.as_str(), names));
    Ok(Fault::new(&NO_SUCH_MIGRATION, format!("{name}{suggestions}")))
}

/// The id of a migration, whatever became of its plan.
pub async fn find(client: &impl GenericClient, name: &Name) -> Result<Option<i64>> {
    let row = client
        .query_opt(include_str!("../sql/store/find.sql"), &[&name.as_str()])
        .await
        .doing(|| format!("looking for migration {name}"))?;
    Ok(row.map(|row| row.get("id")))
}

/// Reads one migration and checks its plan against the digest.
pub async fn load(client: &impl GenericClient, name: &Name) -> Result<Migration> {
    let row = client
        .query_opt(include_str!("../sql/store/load.sql"), &[&name.as_str()])
        .await
        .doing(|| format!("reading migration {name}"))?;
    let Some(row) = row else {
        return Err(missing(client, name).await?);
    };
    let plan_digest: String = row.get("plan_digest");
    let digest_now: String = row.get("digest_now");
    if plan_digest != digest_now {
        return Err(Fault::new(
            &PLAN_CHANGED,
            format!("migration {name}: digest {digest_now}, agreed to {plan_digest}"),
        ));
    }
    let id = row.get("id");
    Ok(Migration {
        id,
        name: Name::new(row.get::<_, String>("name"))?,
        kind: row.get("kind"),
        description: row.get("description"),
        plan: json(&row, "plan")?,
        plan_digest,
        state: state_of(&row)?,
        current_operation: row.get("current_operation"),
        operations: operations(client, id).await?,
        created_at: row.get("created_at"),
        created_by: row.get("created_by"),
        started_at: row.get("started_at"),
        finished_at: row.get("finished_at"),
        took_ms: row.get("took_ms"),
    })
}

/// All migrations, the newest first, at most [`LIST_MAX`].
pub async fn list(client: &impl GenericClient) -> Result<Vec<Summary>> {
    let rows = client
        .query(include_str!("../sql/store/list.sql"), &[&LIST_MAX])
        .await
        .doing(|| "listing the migrations")?;
    let mut list = rows
        .iter()
        .map(|row| {
            Ok(Summary {
                id: row.get("id"),
                name: Name::new(row.get::<_, String>("name"))?,
                kind: row.get("kind"),
                description: row.get("description"),
                state: state_of(row)?,
                current_operation: row.get("current_operation"),
                created_at: row.get("created_at"),
                finished_at: row.get("finished_at"),
                is_worker_alive: row.get("is_worker_alive"),
                unsettled: Vec::new(),
            })
        })
        .collect::<Result<Vec<Summary>>>()?;
    let mut open = unsettled::of_all(client, list.iter().map(|one| (one.id, &one.state))).await?;
    for one in &mut list {
        one.unsettled = open.remove(&one.id).unwrap_or_default();
    }
    Ok(list)
}

/// The operations of one migration in their order.
pub async fn operations(client: &impl GenericClient, migration_id: i64) -> Result<Vec<Operation>> {
    let rows = client
        .query(include_str!("../sql/store/operations.sql"), &[&migration_id])
        .await
        .doing(|| "reading the operations")?;
    rows.iter()
        .map(|row| {
            let text: &str = row.get("state");
            Ok(Operation {
                position: row.get("position"),
                name: row.get("name"),
                state: OperationState::parse(text)
                    .ok_or_else(|| Fault::new(&UNREADABLE_ROW, format!("operation state {text:?}")))?,
                progress: json(row, "progress")?,
                attempts: row.get("attempts"),
                started_at: row.get("started_at"),
                finished_at: row.get("finished_at"),
                took_ms: row.get("took_ms"),
                paused_ms: None,
                error: row.get("error"),
            })
        })
        .collect()
}

/// For how long each operation was paused, by its name, and under the empty name the whole migration.
pub async fn pauses(client: &impl GenericClient, migration_id: i64) -> Result<BTreeMap<String, f64>> {
    let rows = client
        .query(include_str!("../sql/store/pauses.sql"), &[&migration_id])
        .await
        .doing(|| "adding up the pauses")?;
    Ok(rows
        .iter()
        .map(|row| (row.get("name"), row.get("paused_ms")))
        .collect())
}

/// Reads the columns `state` and `state_detail` (as text) of a row of `corridor.migration`.
pub fn state_of(row: &Row) -> Result<State> {
    let name: &str = row.get("state");
    let detail = json(row, "state_detail")?;
    let mut both = serde_json::Map::from_iter([("state".to_owned(), Value::from(name))]);
    // A state without data has no content at all in JSON, and `{}` in the table.
    if detail.as_object().is_some_and(|detail| !detail.is_empty()) {
        both.insert("detail".to_owned(), detail);
    }
    serde_json::from_value(Value::Object(both))
        .map_err(|error| Fault::new(&UNREADABLE_ROW, format!("state {name:?}")).caused_by(error))
}

/// What [`state_of`] reads.
fn state_columns(state: &State) -> (&'static str, String) {
    let detail = serde_json::to_value(state)
        .ok()
        .and_then(|mut both| both.get_mut("detail").map(Value::take))
        .unwrap_or_else(|| Value::Object(serde_json::Map::new()));
    (state.name().as_str(), detail.to_string())
}

/// A jsonb column, selected as text: the driver needs no JSON feature, and the text is what the digest is of.
pub(crate) fn json(row: &Row, column: &'static str) -> Result<Value> {
    let text: &str = row.get(column);
    serde_json::from_str(text)
        .map_err(|error| Fault::new(&UNREADABLE_ROW, format!("column {column}")).caused_by(error))
}

/// `value` as the text of a JSON object.
pub(crate) fn object_text(value: &Value) -> String {
    match value {
        Value::Null => "{}".to_owned(),
        Value::Object(_) => value.to_string(),
        other => serde_json::json!({ "value": other }).to_string(),
    }
}

/// Cut to what is stored of a text, at a whole character. NUL cannot be stored at all.
fn stored_text(text: &str) -> String {
    text.chars().filter(|c| *c != '\0').take(TEXT_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::Course;

    #[test]
    fn a_state_fits_its_columns() {
        assert_eq!(state_columns(&State::Running), ("running", "{}".to_owned()));
        let paused = State::Paused {
            by: "p".into(),
            why: String::new(),
            course: Course::Hold,
        };
        assert_eq!(
            state_columns(&paused),
            ("paused", r#"{"by":"p","course":"hold","why":""}"#.to_owned())
        );
    }

    #[test]
    fn texts_are_cut_at_characters_and_lose_what_cannot_be_stored() {
        assert_eq!(stored_text("a\0b"), "ab");
        assert_eq!(stored_text(&"é".repeat(5_000)).chars().count(), TEXT_CHARS_MAX);
    }
}
