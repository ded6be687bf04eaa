//! The door of the runner: plan, store, carry out.

use std::sync::Arc;
use std::time::{Duration, Instant};

use corridor_migration::lease::{Tenure, take, this_process};
use corridor_migration::store::{self, Naming, NewMigration, Outcome as RequestOutcome};
use corridor_migration::{Event, Heart, Name, State, Verb, Wait, heart, schema};
use corridor_pg::{
    ApplicationName, ConnectOptions, Fault, FaultContext, Isolation, QualifiedName, Result, Session,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::plan::{MovePlan, PLAN_VERSION};
use crate::run::course::{self, Ending};
use crate::run::deck::{Deck, DeckParts};
use crate::run::fault::{ANOTHER_PLAN_VERSION, UNREADABLE_PLAN, WORKER_FAILED};
use crate::run::report::Watcher;
use crate::run::{OPERATIONS, guard};
use crate::shape::Shape;

/// What a person asks for.
#[derive(Debug, Clone)]
pub struct Wish {
    /// The migration's name; derived from the table when absent.
    pub name: Option<String>,
    /// The table, as typed.
    pub table: String,
    /// The wanted shape.
    pub shape: Shape,
    /// `--accept key-widening`
    pub accept_key_widening: bool,
    /// `--fallback-view NAME`, as typed.
    pub fallback_view: Option<String>,
    /// Settings from the start, key and value.
    pub settings: Vec<(String, String)>,
}

/// What a migration of kind `move` stores as its plan.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StoredMove {
    /// The plan.
    pub plan: MovePlan,
    /// The fallback view, when one was asked for.
    pub fallback_view: Option<QualifiedName>,
}

/// What is to be carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Begin a planned migration; leave when it waits for a person.
    Start,
    /// Take up what was paused, failed or left; one that waits is kept in step until something is asked for.
    Resume,
    /// Compare every row again.
    Verify,
    /// Swap.
    Cutover,
    /// Go back.
    Rollback,
    /// End before the cut-over.
    Stop,
    /// Checkpoint and leave.
    Pause,
    /// Retire the old table.
    Finish {
        /// Drop it instead.
        is_drop: bool,
    },
}

impl Order {
    fn verb(self) -> Verb {
        match self {
            Order::Start => Verb::Start,
            Order::Resume => Verb::Resume,
            Order::Verify => Verb::Verify,
            Order::Cutover => Verb::Cutover,
            Order::Rollback => Verb::Rollback,
            Order::Stop => Verb::Stop,
            Order::Pause => Verb::Pause,
            Order::Finish { .. } => Verb::Finish,
        }
    }

    fn argument(self, why: &str) -> Value {
        match self {
            Order::Finish { is_drop } => json!({ "drop": is_drop }),
            _ => json!({ "why": why }),
        }
    }
}

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// In a final state.
    Ended(State),
    /// It waits for a person.
    Waits(Wait),
    /// Somebody paused it.
    Paused {
        /// Who.
        by: String,
        /// Why.
        why: String,
    },
    /// Interrupted: checkpointed and left; or the wait for another worker was.
    Interrupted,
}

/// Reads the table and makes the plan. Changes nothing; refusals and missing grants are in the plan.
pub async fn plan(connect: &ConnectOptions, wish: &Wish) -> Result<MovePlan> {
    let mut session = connect
        .connect(&ApplicationName::new("plan", wish.name.as_deref().unwrap_or("-")))
        .await?;
    crate::preflight::examine(&mut session, wish).await
}

/// Stores the migration and returns its name. Fails when the plan is not executable.
pub async fn store(connect: &ConnectOptions, wish: &Wish, plan: &MovePlan) -> Result<String> {
    plan.check_executable()?;
    let mut session = connect
        .connect(&ApplicationName::new("plan", wish.name.as_deref().unwrap_or("-")))
        .await?;
    schema::ensure(&mut session).await?;
    let by = who(&session).await?;
    let fallback_view = match &wish.fallback_view {
        None => None,
        Some(text) => Some(view_name(text, plan)?),
    };
    if let Some(view) = &fallback_view {
        crate::run::fallback::check_name(&*session, view).await?;
    }
    let stored = StoredMove {
        plan: plan.clone(),
        fallback_view,
    };
    let naming = match &wish.name {
        Some(name) => Naming::Exactly(Name::new(name.clone())?),
        None => Naming::Like(Name::resembling(plan.source.name.name.as_str())),
    };
    let new = NewMigration {
        naming,
        kind: "move".to_owned(),
        description: format!("move {} into {}", plan.source.name, plan.shape),
        plan: serde_json::to_value(&stored).map_err(|e| Fault::new(&UNREADABLE_PLAN, e.to_string()))?,
        operations: OPERATIONS.map(str::to_owned).to_vec(),
        created_by: by.clone(),
    };
    let tx = session.begin(Isolation::ReadCommitted).await?;
    let migration = store::create(&tx, &new).await?;
    for (key, value) in &wish.settings {
        store::set(&tx, migration.id, key, value, &by).await?;
    }
    tx.commit().await.doing(|| "storing the migration")?;
    Ok(migration.name.to_string())
}

fn view_name(text: &str, plan: &MovePlan) -> Result<QualifiedName> {
    let mut parts = corridor_pg::ident::parse_name(text)?;
    let name = parts
        .pop()
        .ok_or_else(|| Fault::new(&corridor_pg::fault::BAD_NAME, text.to_owned()))?;
    let schema = parts.pop().unwrap_or_else(|| plan.source.name.schema.clone());
    Ok(QualifiedName::new(schema, name))
}

async fn who(session: &Session) -> Result<String> {
    let row = session
        .query_one("select current_user::text", &[])
        .await
        .doing(|| "asking who we are")?;
    Ok(this_process(row.get::<_, &str>(0)))
}

/// Carries the order out: in this process when no worker is alive, else by the living one, whose result is waited for.
///
/// Errors: what ends the work; `MIG-009` when a second worker is to be started while one lives.
pub async fn carry_out(
    connect: &ConnectOptions,
    name: &str,
    order: Order,
    watcher: Arc<dyn Watcher>,
    interrupt: watch::Receiver<bool>,
) -> Result<Outcome> {
    let mut session = connect.connect(&ApplicationName::new("control", name)).await?;
    if !schema::exists(&*session).await? {
        return Err(Fault::new(
            &corridor_migration::fault::NO_SUCH_MIGRATION,
            name.to_owned(),
        ));
    }
    let migration = store::load(&*session, &Name::new(name)?).await?;
    let stored: StoredMove = serde_json::from_value(migration.plan.clone())
        .map_err(|e| Fault::new(&UNREADABLE_PLAN, format!("migration {name}")).caused_by(e))?;
    if stored.plan.version != PLAN_VERSION {
        let detail = format!("version {}, this is {PLAN_VERSION}", stored.plan.version);
        return Err(Fault::new(&ANOTHER_PLAN_VERSION, detail));
    }
    // What cannot be asked for is refused before anybody is disturbed.
    let by = who(&session).await?;
    corridor_migration::step::step(&migration.state, &Event::asked(order.verb(), by.clone()))?;

    let settings = store::read_settings(&*session, migration.id).await?;
    let ttl = Duration::from_millis(settings.lease_ttl_ms);
    if let Some(outcome) = hand_over(&mut session, migration.id, order, &by, &interrupt).await? {
        return Ok(outcome);
    }
    let lease = take(&mut session, migration.id, &by, ttl).await?;
    let heart = Arc::new(Heart::start_for(
        heart::connector(connect.clone(), "heart", name),
        lease.clone(),
    ));
    let deck = Arc::new(Deck::new(DeckParts {
        connect: connect.clone(),
        name: name.to_owned(),
        lease: lease.clone(),
        stored,
        watcher,
        interrupt,
        pulse: heart.pulse(),
        settings,
    }));
    let outcome = work(&deck, &heart, &mut session, order, &by).await;
    // Last: no transaction of this worker runs any more.
    if deck.is_lease_ours() {
        match release(&deck, &mut session).await {
            Ok(()) => {}
            Err(fault) => tracing::debug!(%fault, "the lease was not released; it runs out by itself"),
        }
    }
    outcome
}

async fn release(deck: &Deck, session: &mut Session) -> Result<()> {
    if session.is_closed() {
        *session = deck
            .connect
            .connect(&ApplicationName::new("control", &deck.name))
            .await?;
    }
    deck.lease.release(session).await?;
    Ok(())
}

async fn work(
    deck: &Arc<Deck>,
    heart: &Arc<Heart>,
    session: &mut Session,
    order: Order,
    by: &str,
) -> Result<Outcome> {
    let tx = session.begin(Isolation::ReadCommitted).await?;
    guard::grant(deck, &tx, order.verb(), &order.argument(""), by).await?;
    tx.commit()
        .await
        .doing(|| format!("recording `{}`", order.verb()))?;

    let (end, ended) = watch::channel(false);
    let listener = tokio::spawn(guard::listen(deck.clone(), heart.clone(), ended.clone()));
    let meter = tokio::spawn(guard::measure(deck.clone(), ended));
    let ending = course::run(deck, order == Order::Resume).await.map_err(|fault| {
        // The new table and its rows are there, whatever became of the rest.
        if deck.has_target() {
            fault.with_durable_change()
        } else {
            fault
        }
    });
    end.send_replace(true);
    deck.wind_down();
    for task in [listener, meter] {
        if let Err(error) = task.await {
            tracing::warn!(%error, "a task of the guard ended badly");
        }
    }
    Ok(match ending? {
        Ending::Left => {
            if deck.is_lease_ours() {
                Outcome::Interrupted
            } else {
                return Err(Fault::new(
                    &corridor_pg::fault::FENCED,
                    format!("migration {}", deck.name),
                ));
            }
        }
        Ending::In(state) => outcome_of(state),
    })
}

fn outcome_of(state: State) -> Outcome {
    match state {
        State::Waiting { for_what } => Outcome::Waits(for_what),
        State::Paused { by, why, .. } => Outcome::Paused { by, why },
        other => Outcome::Ended(other),
    }
}

/// Leaves the order with a worker that lives, and waits for what comes of it. `None`: nobody lives, do it yourself.
async fn hand_over(
    session: &mut Session,
    migration_id: i64,
    order: Order,
    by: &str,
    interrupt: &watch::Receiver<bool>,
) -> Result<Option<Outcome>> {
    let seen = Tenure::look(&**session, migration_id).await?;
    if !seen.is_alive {
        return Ok(None);
    }
    if matches!(order, Order::Start | Order::Resume) {
        return wait_for_silence(session, migration_id, &seen, interrupt).await;
    }
    let request = store::ask(&**session, migration_id, order.verb(), &order.argument(""), by).await?;
    loop {
        match store::outcome(&**session, request).await? {
            RequestOutcome::Answered { outcome } => {
                if outcome.get("granted").and_then(Value::as_bool) == Some(true) {
                    return follow(session, migration_id, order, interrupt).await;
                }
                let detail = outcome
                    .get("detail")
                    .and_then(Value::as_str)
                    .unwrap_or_default()
                    .to_owned();
                return Err(Fault::new(&corridor_migration::fault::VERB_REFUSED, detail));
            }
            RequestOutcome::Gone => return Ok(None),
            RequestOutcome::Open | RequestOutcome::Taken => {
                if *interrupt.borrow() {
                    store::withdraw(&**session, request).await?;
                    return Ok(Some(Outcome::Interrupted));
                }
                if !Tenure::look(&**session, migration_id).await?.is_alive
                    && store::withdraw(&**session, request).await?
                {
                    return Ok(None);
                }
            }
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// A worker that was killed looks alive until its last beat is old enough. Wait as long as no new beat comes.
async fn wait_for_silence(
    session: &mut Session,
    migration_id: i64,
    first: &Tenure,
    interrupt: &watch::Receiver<bool>,
) -> Result<Option<Outcome>> {
    let mut age_ms = first.heartbeat_age_ms;
    let begun = Instant::now();
    loop {
        let now = Tenure::look(&**session, migration_id).await?;
        if !now.is_alive {
            return Ok(None);
        }
        // A younger beat than before: it lives. `take` refuses, and names it.
        if now.heartbeat_age_ms < age_ms
            || begun.elapsed() > Duration::from_millis(now.ttl_ms.unsigned_abs() * 2)
        {
            return Ok(None);
        }
        age_ms = now.heartbeat_age_ms;
        if *interrupt.borrow() {
            return Ok(Some(Outcome::Interrupted));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Waits for what a granted order brings about. `None`: the worker died over it, take it up yourself.
async fn follow(
    session: &mut Session,
    migration_id: i64,
    order: Order,
    interrupt: &watch::Receiver<bool>,
) -> Result<Option<Outcome>> {
    loop {
        let state = store::read_state(&**session, migration_id).await?;
        if let State::Failed { detail, .. } = &state {
            return Err(Fault::new(&WORKER_FAILED, detail.clone()));
        }
        // A cut-over or swap back that was given up waits again; the reason is in the journal.
        let is_back = matches!(
            (&state, order),
            (
                State::Waiting { .. },
                Order::Cutover | Order::Verify | Order::Rollback
            ) | (State::Paused { .. }, _)
        );
        if is_back || state.is_final() {
            return Ok(Some(outcome_of(state)));
        }
        if *interrupt.borrow() {
            return Ok(Some(Outcome::Interrupted));
        }
        if !Tenure::look(&**session, migration_id).await?.is_alive {
            return Ok(None);
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
