//! The door of the runner: plan, store, carry out.

use std::sync::Arc;
use std::time::Duration;

use corridor_migration::errand::{self, Errand};
use corridor_migration::lease::{take, this_process};
use corridor_migration::store::{self, Naming, NewMigration, Request};
use corridor_migration::{Event, Heart, Name, Order, Outcome, State, Verb, heart, schema};
use corridor_pg::fault::CONNECTION_LOST;
use corridor_pg::{ApplicationName, ConnectOptions, Fault, FaultContext, Isolation, Result, Session};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::plan::{MovePlan, PLAN_VERSION};
use crate::run::course::{self, Ending};
use crate::run::deck::{Deck, DeckParts};
use crate::run::fault::{ANOTHER_PLAN_VERSION, UNREADABLE_PLAN};
use crate::run::report::{Waiting, Watcher};
use crate::run::{OPERATIONS, guard, vigil};
use crate::shape::Shape;

/// How long giving the lease back may take; it runs out by itself anyway.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(5);

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
    /// `--accept partition-settings`
    pub accept_partition_settings: bool,
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
    refuse_shared(connect, &session, wish.name.as_deref().unwrap_or("-")).await?;
    schema::ensure(&mut session).await?;
    let by = who(&session).await?;
    let stored = StoredMove { plan: plan.clone() };
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
        store::set(&tx, migration.id, key, value, (&by, "")).await?;
    }
    corridor_pg::failpoint::step("stored", tx.commit())
        .await
        .doing(|| "storing the migration")?;
    Ok(migration.name.to_string())
}

/// No worker behind a pooler in transaction mode: `PG-023`.
async fn refuse_shared(connect: &ConnectOptions, session: &Session, name: &str) -> Result<()> {
    connect
        .refuse_shared(session, &ApplicationName::new("probe", name))
        .await
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
    carry_out_because(connect, name, (order, ""), watcher, interrupt).await
}

/// As [`carry_out`], with the reason of whoever gives the order: it stands in the journal.
///
/// Errors: as of [`carry_out`].
pub async fn carry_out_because(
    connect: &ConnectOptions,
    name: &str,
    (order, why): (Order, &str),
    watcher: Arc<dyn Watcher>,
    interrupt: watch::Receiver<bool>,
) -> Result<Outcome> {
    let call = Call {
        order,
        why,
        asked: None,
    };
    carry(connect, name, &call, watcher, interrupt).await
}

/// As [`carry_out`], for an order that was left as a request and that nobody alive can take: who asked and why stands in the
/// journal, and the request is answered in the transaction that grants it, or with the refusal.
///
/// Errors: as of [`carry_out`].
pub async fn carry_out_asked(
    connect: &ConnectOptions,
    name: &Name,
    request: &Request,
    watcher: Arc<dyn Watcher>,
    interrupt: watch::Receiver<bool>,
) -> Result<Outcome> {
    let call = Call {
        order: request.order(),
        why: "",
        asked: Some(request),
    };
    let outcome = carry(connect, name.as_str(), &call, watcher, interrupt).await;
    if let Err(fault) = &outcome
        && store::is_refusal(fault)
    {
        errand::turn_down(connect, name, request, fault).await?;
    }
    outcome
}

/// An order, and whose.
struct Call<'a> {
    order: Order,
    /// A request has its own.
    why: &'a str,
    asked: Option<&'a Request>,
}

async fn carry(
    connect: &ConnectOptions,
    name: &str,
    call: &Call<'_>,
    watcher: Arc<dyn Watcher>,
    interrupt: watch::Receiver<bool>,
) -> Result<Outcome> {
    let order = call.order;
    let mut session = connect.connect(&ApplicationName::new("control", name)).await?;
    if !schema::exists(&*session).await? {
        return Err(Fault::new(
            &corridor_migration::fault::NO_SUCH_MIGRATION,
            name.to_owned(),
        ));
    }
    refuse_shared(connect, &session, name).await?;
    // A newer Corridor takes up what an older one stored: its tables first.
    schema::ensure(&mut session).await?;
    let migration = store::load(&*session, &Name::new(name)?).await?;
    let stored = read_plan(name, &migration.plan)?;
    // What cannot be asked for is refused before anybody is disturbed.
    let by = who(&session).await?;
    corridor_migration::step::step(&migration.state, &Event::asked(order.verb(), by.clone()))?;

    let settings = store::read_settings(&*session, migration.id).await?;
    let ttl = Duration::from_millis(settings.lease_ttl_ms);
    let errand = Errand {
        connect,
        name,
        migration_id: migration.id,
        order,
        why: call.why,
        interrupt: &interrupt,
        waiter: &Waiting(&*watcher),
    };
    let lease = loop {
        // A request lies with whoever lives already.
        if call.asked.is_none()
            && let Some(outcome) = errand.hand_over(&mut session, &by).await?
        {
            return Ok(outcome);
        }
        match take(&mut session, migration.id, &by, ttl).await {
            // Somebody took it up between our two looks, a service most likely: leave the order with them.
            Err(held) if call.asked.is_none() && errand.can_be_left(&held) => {}
            taken => break taken?,
        }
    };
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
    let outcome = work(&deck, &heart, &mut session, call, &by).await;
    // Last: no transaction of this worker runs any more.
    if deck.is_lease_ours() {
        match release(&deck, &mut session).await {
            Ok(()) => {}
            Err(fault) => tracing::debug!(%fault, "the lease was not released; it runs out by itself"),
        }
    }
    outcome
}

/// The plan as it was stored. The version is looked at first: a plan of another one need not be readable at all.
fn read_plan(name: &str, stored: &Value) -> Result<StoredMove> {
    let version = stored.pointer("/plan/version").and_then(Value::as_u64);
    if let Some(version) = version.filter(|version| *version != u64::from(PLAN_VERSION)) {
        let detail = format!("version {version}, this is {PLAN_VERSION}");
        return Err(Fault::new(&ANOTHER_PLAN_VERSION, detail));
    }
    StoredMove::deserialize(stored)
        .map_err(|e| Fault::new(&UNREADABLE_PLAN, format!("migration {name}")).caused_by(e))
}

async fn release(deck: &Deck, session: &mut Session) -> Result<()> {
    if session.is_closed() {
        *session = deck
            .connect
            .connect(&ApplicationName::new("control", &deck.name))
            .await?;
    }
    match tokio::time::timeout(RELEASE_TIMEOUT, deck.lease.release(session)).await {
        Ok(released) => released.map(drop),
        Err(_) => Err(Fault::new(
            &CONNECTION_LOST,
            format!(
                "releasing the lease: no answer within {} s",
                RELEASE_TIMEOUT.as_secs()
            ),
        )),
    }
}

async fn work(
    deck: &Arc<Deck>,
    heart: &Arc<Heart>,
    session: &mut Session,
    call: &Call<'_>,
    by: &str,
) -> Result<Outcome> {
    let order = call.order;
    let tx = session.begin(Isolation::ReadCommitted).await?;
    match call.asked {
        Some(request) => {
            deck.fence.hold(&tx).await?;
            if !store::hold_open(&tx, request.id).await? {
                return Ok(Outcome::Interrupted);
            }
            let verdicts = guard::verdicts(&tx, deck).await?;
            guard::grant(deck, &tx, request.verb, &request.argument, &request.asked_by).await?;
            let outcome = json!({ "granted": true, "verifications": verdicts });
            store::answer(&tx, &deck.lease, request.id, &outcome).await?;
        }
        None => {
            let verb = match store::read_state(&tx, deck.fence.migration_id).await? {
                // Granted by a worker that died over it: what is left is to go on.
                State::Running if order == Order::Verify => Verb::Resume,
                _ => order.verb(),
            };
            guard::grant(deck, &tx, verb, &order.argument(call.why), by).await?;
        }
    }
    corridor_pg::failpoint::step("order", tx.commit())
        .await
        .doing(|| format!("recording `{}`", order.verb()))?;

    let (end, ended) = watch::channel(false);
    let listener = tokio::spawn(guard::listen(deck.clone(), heart.clone(), ended.clone()));
    let meter = tokio::spawn(guard::measure(deck.clone(), ended));
    let (leave, left) = watch::channel(false);
    let vigil = tokio::spawn(vigil::keep(deck.clone(), left));
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
    // Last: the others may hang on a connection that only the vigil finds out about.
    leave.send_replace(true);
    if let Err(error) = vigil.await {
        tracing::warn!(%error, "the vigil ended badly");
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
        Ending::In(state) => Outcome::of(state),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_of_another_version_is_told_from_one_that_cannot_be_read() {
        let code = |plan: Value| read_plan("m", &json!({ "plan": plan })).unwrap_err().code().id;
        // A plan of version 1 held other fields than this one's.
        assert_eq!(code(json!({ "version": 1, "tag": "t" })), "MOV-106");
        assert_eq!(code(json!({ "version": PLAN_VERSION, "tag": "t" })), "MOV-109");
        assert_eq!(code(json!("nothing")), "MOV-109");
    }
}
