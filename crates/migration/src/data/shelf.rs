//! The shelf: the migrations of a person that this database knows, done or not.

use std::collections::BTreeMap;

use corridor_pg::{Fault, FaultContext, Isolation, Result, Session};
use serde::Serialize;
use serde_json::json;
use tokio_postgres::{GenericClient, Transaction};

use super::fault::{DEFINITION_FROZEN, NOT_PLANNED, NOTHING_TO_SETTLE};
use super::{DataPlan, KIND, PLAN_VERSION, unsettled};
use crate::definition::{Definition, Operation, graph, placeholder};
use crate::lease::Lease;
use crate::name::Name;
use crate::state::State;
use crate::store::{self, Asked, Migration, Naming, NewMigration};

/// Runs of one migration that were rolled back or stopped and are kept.
const OLD_RUNS_MAX: u32 = 1_000;

/// What adding a definition came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Added {
    /// It was not here.
    New,
    /// It was here, not started, and is replaced.
    Changed,
    /// It is here as it is.
    Unchanged,
    /// It was rolled back or stopped; that run keeps its journal under another name, and it can be started anew.
    Again,
}

/// How one migration stands.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Standing {
    /// Its name.
    pub name: Name,
    /// One line for a person.
    pub description: String,
    /// The state.
    pub state: State,
    /// How it came to its end without having run: `skipped` or `not_required`.
    pub ended_by: Option<String>,
    /// Why it was skipped.
    pub why: Option<String>,
    /// The operation that is, or was last, at work.
    pub current_operation: Option<String>,
    /// Operations that are done, of how many.
    pub operations_done: i64,
    /// Operations.
    pub operations: i64,
    /// When it was started.
    pub started_at: Option<String>,
    /// When it ended.
    pub finished_at: Option<String>,
    /// A worker holds the lease and was heard of in time.
    pub is_worker_alive: bool,
    /// What somebody asked for and no worker has taken yet.
    pub asked: Option<Asked>,
    /// Operations of which a person must say whether they were done (`MIG-136`).
    pub unsettled: Vec<String>,
    /// Why what it says cannot be read (`MIG-144`); `null` when it can be.
    pub unreadable: Option<String>,
    /// The name in its file: another one than its own for a run that made room for the next.
    #[serde(skip)]
    pub name_in_file: Option<String>,
    /// What it says; `None` when it cannot be read.
    #[serde(skip)]
    pub plan: Option<DataPlan>,
}

impl Standing {
    /// Finished, skipped or not required. A migration that waits for `finish` is done as far as others are concerned.
    pub fn is_done(&self) -> bool {
        matches!(
            self.state,
            State::Finished | State::Waiting { .. } | State::Finishing
        )
    }

    /// In a few words.
    pub fn words(&self) -> String {
        let words = match &self.unreadable {
            Some(why) => format!("{}; its plan cannot be read: {why}", self.state_words()),
            None => self.state_words(),
        };
        let words = match &self.asked {
            Some(asked) => format!("{words}; {}", asked.words()),
            None => words,
        };
        unsettled::with_command(words, self.name.as_str(), &self.unsettled)
    }

    fn state_words(&self) -> String {
        match (self.ended_by.as_deref(), &self.state) {
            (Some("skipped"), _) => format!("skipped: {}", self.why.as_deref().unwrap_or("no reason")),
            (Some("not_required"), _) => "not required here".to_owned(),
            (_, State::Planned) => "not started".to_owned(),
            (_, State::Waiting { .. }) => "done; waits for `finish` or `rollback`".to_owned(),
            (_, State::RollingBack { .. }) => "rolling back".to_owned(),
            (_, State::Stopping) => "stopping".to_owned(),
            (_, State::Stopped) => "stopped; what was done stays".to_owned(),
            (_, state) => state.words(),
        }
    }
}

/// All of a person's migrations, in the order in which they were added.
pub async fn standings(client: &impl GenericClient) -> Result<Vec<Standing>> {
    let rows = client
        .query(include_str!("../../sql/data/standings.sql"), &[&KIND])
        .await
        .doing(|| "listing the migrations")?;
    let mut all = Vec::new();
    for row in &rows {
        let stored: serde_json::Value = store::json(row, "plan")?;
        let name_in_file = stored.pointer("/definition/name").and_then(|name| name.as_str());
        // One that another version stored does not keep the others from their work.
        let (plan, unreadable) = match DataPlan::read(&stored) {
            Ok(plan) => (Some(plan), None),
            Err(fault) => (None, Some(fault.to_string())),
        };
        all.push((
            row.get::<_, i64>("id"),
            Standing {
                name: Name::new(row.get::<_, String>("name"))?,
                description: row.get("description"),
                state: store::state_of(row)?,
                ended_by: row.get("ended_by"),
                why: row.get("why"),
                current_operation: row.get("current_operation"),
                operations_done: row.get("operations_done"),
                operations: row.get("operations"),
                started_at: row.get("started_at"),
                finished_at: row.get("finished_at"),
                is_worker_alive: row.get("is_worker_alive"),
                asked: None,
                unsettled: Vec::new(),
                unreadable,
                name_in_file: name_in_file.map(str::to_owned),
                plan,
            },
        ));
    }
    let mut open = unsettled::of_all(client, all.iter().map(|(id, one)| (*id, &one.state))).await?;
    let mut asked = store::asked(client).await?;
    let with_open = all.into_iter().map(|(id, one)| Standing {
        unsettled: open.remove(&id).unwrap_or_default(),
        asked: asked.remove(&one.name),
        ..one
    });
    Ok(with_open.collect())
}

/// Adds definitions, all or none. A migration that was started is not changed: `MIG-130` when its file says something else.
/// `MIG-117` when one of them closes a circle with what is stored.
pub async fn add(session: &mut Session, definitions: &[Definition], by: &str) -> Result<Vec<(Name, Added)>> {
    add_all(session, definitions, by, None).await
}

/// As [`add`], for one who acts from afar: the audit of this database has it, in the same transaction.
pub async fn add_audited(
    session: &mut Session,
    definition: &Definition,
    by: &str,
    audited: &Audited<'_>,
) -> Result<Added> {
    let added = add_all(session, std::slice::from_ref(definition), by, Some(audited)).await?;
    // One for one.
    Ok(added.first().map_or(Added::Unchanged, |(_, what)| *what))
}

/// What the audit is told of a deed.
#[derive(Debug, Clone, Copy)]
pub struct Audited<'a> {
    /// Who.
    pub actor: &'a str,
    /// Of what.
    pub object: &'a str,
    /// What else is known.
    pub detail: &'a serde_json::Value,
}

async fn add_all(
    session: &mut Session,
    definitions: &[Definition],
    by: &str,
    audited: Option<&Audited<'_>>,
) -> Result<Vec<(Name, Added)>> {
    let tx = session.begin(Isolation::ReadCommitted).await?;
    // Of two that add at the same time, the second one sees what the first has added.
    tx.execute(include_str!("../../sql/data/serialise_adding.sql"), &[])
        .await
        .doing(|| "waiting for others who add migrations")?;
    refuse_circle(&tx, definitions).await?;
    let mut all = Vec::new();
    for definition in definitions {
        let name = Name::new(definition.name.as_str())?;
        let added = add_one(&tx, definition, &name, by).await?;
        all.push((name, added));
    }
    if let Some(deed) = audited {
        store::audit(&tx, deed.actor, "add", deed.object, deed.detail).await?;
    }
    corridor_pg::failpoint::step("added", tx.commit())
        .await
        .doing(|| "adding migrations")?;
    Ok(all)
}

/// A changed file can close a circle with what is stored: all in it would wait for ever.
async fn refuse_circle(tx: &Transaction<'_>, definitions: &[Definition]) -> Result<()> {
    let stored = standings(tx).await?.into_iter().filter_map(|one| {
        let definition = one.plan?.definition;
        // A run that made room for the next one stands under another name, and nobody waits for it.
        (definition.name == one.name.as_str()).then_some((definition.name, definition.depends_on))
    });
    let mut depends_on: BTreeMap<String, Vec<String>> = stored.collect();
    depends_on.extend(
        definitions
            .iter()
            .map(|one| (one.name.clone(), one.depends_on.clone())),
    );
    let added: Vec<&str> = definitions.iter().map(|one| one.name.as_str()).collect();
    graph::refuse_circle(&added, &depends_on)
}

async fn add_one(tx: &Transaction<'_>, definition: &Definition, name: &Name, by: &str) -> Result<Added> {
    let plan = DataPlan {
        version: PLAN_VERSION,
        definition: definition.clone(),
        bound: None,
        parameters: BTreeMap::new(),
    };
    let known = tx
        .query_opt(
            "select id from corridor.migration where name = $1 for update",
            &[&name.as_str()],
        )
        .await
        .doing(|| format!("looking for {name}"))?;
    if known.is_none() {
        let new = NewMigration {
            naming: Naming::Exactly(name.clone()),
            kind: KIND.to_owned(),
            description: definition.description.clone(),
            plan: as_json(&plan)?,
            operations: operation_names(definition),
            created_by: by.to_owned(),
        };
        let migration = store::create(tx, &new).await?;
        set_settings(tx, migration.id, definition, by).await?;
        return Ok(Added::New);
    }
    let migration = store::load(tx, name).await?;
    if migration.kind != KIND {
        let detail = format!("{name} is a migration of kind {}", migration.kind);
        return Err(Fault::new(&crate::fault::NAME_TAKEN, detail));
    }
    if matches!(migration.state, State::RolledBack | State::Stopped) {
        rename(tx, &migration).await?;
        rename_moves(tx, &migration).await?;
        let new = NewMigration {
            naming: Naming::Exactly(name.clone()),
            kind: KIND.to_owned(),
            description: definition.description.clone(),
            plan: as_json(&plan)?,
            operations: operation_names(definition),
            created_by: by.to_owned(),
        };
        let migration = store::create(tx, &new).await?;
        set_settings(tx, migration.id, definition, by).await?;
        return Ok(Added::Again);
    }
    if DataPlan::read(&migration.plan)?.definition == *definition {
        return Ok(Added::Unchanged);
    }
    if migration.state != State::Planned {
        return Err(Fault::new(
            &DEFINITION_FROZEN,
            format!("{name} is {}", migration.state.name()),
        ));
    }
    replace(tx, &migration, &plan).await?;
    tx.execute(
        "delete from corridor.operation where migration_id = $1",
        &[&migration.id],
    )
    .await
    .doing(|| format!("replacing the operations of {name}"))?;
    tx.execute(
        include_str!("../../sql/store/insert_operations.sql"),
        &[&migration.id, &operation_names(definition)],
    )
    .await
    .doing(|| format!("replacing the operations of {name}"))?;
    set_settings(tx, migration.id, definition, by).await?;
    store::journal_append(tx, migration.id, by, "definition_changed", &json!({})).await?;
    Ok(Added::Changed)
}

/// A run that is over makes room for the next one.
async fn rename(tx: &Transaction<'_>, migration: &Migration) -> Result<()> {
    for number in 2..=OLD_RUNS_MAX {
        let renamed = tx
            .execute(
                "update corridor.migration set name = $2 where id = $1 \
                 and not exists (select 1 from corridor.migration o where o.name = $2)",
                &[&migration.id, &migration.name.variant(number).as_str()],
            )
            .await
            .doing(|| format!("making room for {}", migration.name))?;
        if renamed > 0 {
            return Ok(());
        }
    }
    Err(Fault::new(
        &crate::fault::NAME_TAKEN,
        format!("{} and {OLD_RUNS_MAX} names like it", migration.name),
    ))
}

/// So do the moves of its operations that were taken back with it: the next run moves anew.
async fn rename_moves(tx: &Transaction<'_>, migration: &Migration) -> Result<()> {
    for operation in &DataPlan::read(&migration.plan)?.definition.operations {
        let Operation::Move(_) = operation else { continue };
        let name = Name::new(super::operation::name_of(
            migration.name.as_str(),
            operation.name(),
        ))?;
        if store::find(tx, &name).await?.is_none() {
            continue;
        }
        let own = store::load(tx, &name).await?;
        if matches!(own.state, State::RolledBack | State::Stopped) {
            rename(tx, &own).await?;
        }
    }
    Ok(())
}

async fn set_settings(tx: &Transaction<'_>, id: i64, definition: &Definition, by: &str) -> Result<()> {
    for (key, value) in &definition.settings {
        store::set(tx, id, key, value, (by, "")).await?;
    }
    Ok(())
}

fn operation_names(definition: &Definition) -> Vec<String> {
    definition
        .operations
        .iter()
        .map(|operation| operation.name().to_owned())
        .collect()
}

fn as_json(plan: &DataPlan) -> Result<serde_json::Value> {
    serde_json::to_value(plan).map_err(|error| Fault::new(&super::fault::UNREADABLE_PLAN, error.to_string()))
}

async fn replace(tx: &Transaction<'_>, migration: &Migration, plan: &DataPlan) -> Result<()> {
    tx.execute(
        include_str!("../../sql/data/replace_plan.sql"),
        &[
            &migration.id,
            &as_json(plan)?.to_string(),
            &plan.definition.description,
        ],
    )
    .await
    .doing(|| format!("replacing the plan of {}", migration.name))?;
    Ok(())
}

/// The definition is what was read before, and stays so until the transaction ends.
pub(super) async fn refuse_changed(tx: &Transaction<'_>, migration: &Migration) -> Result<()> {
    tx.query_opt(
        "select id from corridor.migration where id = $1 for update",
        &[&migration.id],
    )
    .await
    .doing(|| format!("holding {}", migration.name))?;
    let now = store::load(tx, &migration.name).await?;
    if now.plan_digest == migration.plan_digest {
        return Ok(());
    }
    let detail = format!(
        "the file of {} was added anew while it was started",
        migration.name
    );
    Err(Fault::new(&DEFINITION_FROZEN, detail))
}

/// Puts the parameters in and freezes the plan, in the transaction that starts it.
pub(super) async fn freeze(tx: &Transaction<'_>, migration: &Migration, plan: &DataPlan) -> Result<()> {
    replace(tx, migration, plan).await
}

/// A plan with its parameters put in. Faults of `placeholder::bind`: a parameter is missing, unknown, or does not fit.
pub fn bind(plan: &DataPlan, parameters: &BTreeMap<String, String>) -> Result<DataPlan> {
    let bound = placeholder::bind(&plan.definition, parameters)?;
    let mut all: BTreeMap<String, String> = plan
        .definition
        .parameters
        .iter()
        .filter_map(|(name, parameter)| Some((name.clone(), parameter.default.clone()?)))
        .collect();
    all.extend(parameters.clone());
    Ok(DataPlan {
        bound: Some(bound),
        parameters: all,
        ..plan.clone()
    })
}

/// Reads one; `MIG-143` for one of another kind.
pub async fn read(client: &impl GenericClient, name: &Name) -> Result<(Migration, DataPlan)> {
    let migration = store::load(client, name).await?;
    if migration.kind != KIND {
        let detail = format!("{name} is a migration of kind {}", migration.kind);
        return Err(Fault::new(&super::fault::NOT_FOR_THIS_KIND, detail));
    }
    let plan = DataPlan::read(&migration.plan)?;
    Ok((migration, plan))
}

/// Says that a planned migration need not be done here.
pub async fn skip(session: &mut Session, lease: &Lease, by: &str, why: &str) -> Result<()> {
    let tx = session.begin(Isolation::ReadCommitted).await?;
    if store::read_state(&tx, lease.fence().migration_id).await? != State::Planned {
        return Err(Fault::new(&NOT_PLANNED, "it was started"));
    }
    let event = crate::Event::Skipped {
        by: by.to_owned(),
        why: why.to_owned(),
    };
    store::apply(&tx, lease, &event).await?;
    corridor_pg::failpoint::step("event", tx.commit())
        .await
        .doing(|| "skipping the migration")
}

/// A person has looked whether an operation was done whose end is not known.
pub async fn settle(
    session: &mut Session,
    lease: &Lease,
    operation: &str,
    is_done: bool,
    (by, why): (&str, &str),
) -> Result<()> {
    let tx = session.begin(Isolation::ReadCommitted).await?;
    lease.fence().hold(&tx).await?;
    let state = store::read_state(&tx, lease.fence().migration_id).await?;
    if state.is_final() {
        let detail = format!("{operation}: the migration is over, {}", state.name());
        return Err(Fault::new(&NOTHING_TO_SETTLE, detail));
    }
    let outcome = if is_done { "settled_done" } else { "settled_again" };
    let settled = tx
        .execute(
            include_str!("../../sql/data/settle.sql"),
            &[&lease.fence().migration_id, &operation, &outcome],
        )
        .await
        .doing(|| format!("settling {operation}"))?;
    if settled == 0 {
        return Err(Fault::new(&NOTHING_TO_SETTLE, operation.to_owned()));
    }
    let mut detail = json!({ "by": by, "is_done": is_done });
    if !why.is_empty() {
        detail["why"] = json!(why);
    }
    store::note(&tx, lease, "settled", Some(operation), &detail).await?;
    tx.commit().await.doing(|| format!("settling {operation}"))
}
