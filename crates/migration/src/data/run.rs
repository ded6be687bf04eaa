//! The door of the runner: one order, carried out here or by the worker that lives.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use corridor_pg::{ApplicationName, ConnectOptions, Fault, FaultContext, Isolation, Result, Session};
use semver::Version;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio_postgres::Transaction;

use super::course::{Ending, Worker};
use super::deck::Deck;
use super::fault::{NOT_FOR_THIS_KIND, NOT_PLANNED};
use super::readiness::{Answer, foreseen, is_nothing_due, is_required, obstacles};
use super::vigil::{Roster, Vigil};
use super::{DataPlan, Listener, Mover, News, guard, shelf};
use crate::definition::fault::PARAMETER_UNFIT;
use crate::errand::{self, Errand, Waiter};
use crate::fault::NO_SUCH_MIGRATION;
use crate::heart::{self, Heart};
use crate::lease::{Lease, take, this_process};
use crate::name::Name;
use crate::order::{Order, Outcome};
use crate::state::State;
use crate::step::Event;
use crate::store::{self, Migration, Request, Verification};
use crate::throttle::Leave;
use crate::{schema, step};

/// How long giving the lease back may take; it runs out by itself anyway.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(5);

/// The task that begins, in the roster.
const DOOR: &str = "door";

/// An order, and what belongs to it.
pub struct Call<'a> {
    /// The database.
    pub connect: &'a ConnectOptions,
    /// The migration's name.
    pub name: &'a Name,
    /// What is to be done.
    pub order: Order,
    /// Whose order it is, when it was left as a request: who asked and why stands in the journal then, and the request is
    /// answered in the transaction that grants it. `None`: this process gives it.
    pub asked: Option<&'a Request>,
    /// Why, in the words of whoever gives it; may be empty. A request has its own.
    pub why: &'a str,
    /// For a start: the parameters. Those of a request are its own.
    pub parameters: &'a BTreeMap<String, String>,
    /// For a start: the application's version, when it is known.
    pub app_version: Option<&'a Version>,
    /// Whoever can move tables.
    pub mover: Option<&'a dyn Mover>,
    /// Who hears what is done.
    pub listener: Arc<dyn Listener>,
    /// Asks the worker to leave.
    pub interrupt: watch::Receiver<bool>,
}

impl Call<'_> {
    fn by<'b>(&'b self, us: &'b str) -> &'b str {
        self.asked.map_or(us, |request| &request.asked_by)
    }

    fn argument(&self) -> Value {
        self.asked.map_or_else(
            || self.order.argument(self.why),
            |request| request.argument.clone(),
        )
    }

    fn parameters(&self) -> Result<BTreeMap<String, String>> {
        let asked = self
            .asked
            .and_then(|request| request.argument.get("parameters").cloned());
        match asked {
            None => Ok(self.parameters.clone()),
            Some(given) => serde_json::from_value(given.clone()).map_err(|_| {
                let detail = format!("parameters {given}: an object of texts is needed");
                Fault::new(&PARAMETER_UNFIT, detail)
            }),
        }
    }

    /// False when the request was answered by somebody else, or taken back.
    async fn is_open(&self, tx: &Transaction<'_>) -> Result<bool> {
        match self.asked {
            Some(request) => store::hold_open(tx, request.id).await,
            None => Ok(true),
        }
    }

    /// In the transaction that grants it.
    async fn answer(&self, tx: &Transaction<'_>, lease: &Lease) -> Result<()> {
        match self.asked {
            Some(request) => store::answer(tx, lease, request.id, &json!({ "granted": true })).await,
            None => Ok(()),
        }
    }
}

/// Carries the order out: in this process when no worker is alive, else by the living one, whose result is waited for.
///
/// Errors: what ends the work; `MIG-009` when a second worker is to be started while one lives.
pub async fn carry_out(call: &Call<'_>) -> Result<Outcome> {
    let outcome = carry(call).await;
    if let (Err(fault), Some(request)) = (&outcome, call.asked)
        && store::is_refusal(fault)
    {
        errand::turn_down(call.connect, call.name, request, fault).await?;
    }
    outcome
}

async fn carry(call: &Call<'_>) -> Result<Outcome> {
    let name = call.name.as_str();
    let mut session = call
        .connect
        .connect(&ApplicationName::new("control", name))
        .await?;
    if !schema::exists(&*session).await? {
        return Err(Fault::new(&NO_SUCH_MIGRATION, name.to_owned()));
    }
    call.connect
        .refuse_shared(&session, &ApplicationName::new("probe", name))
        .await?;
    schema::ensure(&mut session).await?;
    let (migration, plan) = shelf::read(&*session, call.name).await?;
    let by = who(&session).await?;
    refuse_early(call, &migration.state, &by)?;
    let settings = store::read_settings(&*session, migration.id).await?;
    let waiter = Waiting(&*call.listener);
    let errand = Errand {
        connect: call.connect,
        name,
        migration_id: migration.id,
        order: call.order,
        why: call.why,
        interrupt: &call.interrupt,
        waiter: &waiter,
    };
    let ttl = Duration::from_millis(settings.lease_ttl_ms);
    let roster = Arc::new(Roster::default());
    let _vigil = Vigil::begin(call.connect, name, &roster);
    let lease = loop {
        // A request lies with whoever lives already.
        if call.asked.is_none()
            && let Some(outcome) = errand.hand_over(&mut session, &by).await?
        {
            return Ok(outcome);
        }
        roster.lend(DOOR, &session);
        match take(&mut session, migration.id, &by, ttl).await {
            // Somebody took it up between our two looks, a service most likely: leave the order with them.
            Err(held) if call.asked.is_none() && errand.can_be_left(&held) => roster.rest(DOOR),
            taken => break taken?,
        }
    };
    let heart = Heart::start_for(
        heart::connector(call.connect.clone(), "heart", name),
        lease.clone(),
    );
    let outcome = with_lease(
        call,
        &mut session,
        (&heart, &roster),
        &lease,
        (migration, plan),
        &by,
    )
    .await;
    heart.stop().await;
    if let Err(fault) = release(call, &mut session, &lease).await {
        tracing::debug!(%fault, "the lease was not released; it runs out by itself");
    }
    outcome
}

/// What cannot be asked for is refused before anybody is disturbed.
fn refuse_early(call: &Call<'_>, state: &State, by: &str) -> Result<()> {
    if matches!(call.order, Order::Cutover | Order::Verify) {
        let detail = format!("`{}` of {}", call.order.verb(), call.name);
        return Err(Fault::new(&NOT_FOR_THIS_KIND, detail));
    }
    step::step(state, &Event::asked(call.order.verb(), by))?;
    Ok(())
}

async fn who(session: &Session) -> Result<String> {
    let row = session
        .query_one("select current_user::text", &[])
        .await
        .doing(|| "asking who we are")?;
    Ok(this_process(row.get::<_, &str>(0)))
}

async fn release(call: &Call<'_>, session: &mut Session, lease: &Lease) -> Result<()> {
    if session.is_closed() {
        *session = call
            .connect
            .connect(&ApplicationName::new("control", call.name.as_str()))
            .await?;
    }
    match tokio::time::timeout(RELEASE_TIMEOUT, lease.release(session)).await {
        Ok(released) => released.map(drop),
        Err(_) => Err(Fault::new(
            &corridor_pg::fault::CONNECTION_LOST,
            "releasing the lease: no answer",
        )),
    }
}

/// What a start came to.
enum Start {
    Begun(Box<DataPlan>),
    Over(State),
    /// Somebody else has answered the request.
    NotOurs,
}

async fn with_lease(
    call: &Call<'_>,
    session: &mut Session,
    (heart, roster): (&Heart, &Arc<Roster>),
    lease: &Lease,
    (migration, plan): (Migration, DataPlan),
    by: &str,
) -> Result<Outcome> {
    let plan = match call.order {
        Order::Start => match start(call, session, lease, &migration, &plan, by).await? {
            Start::Begun(plan) => *plan,
            Start::Over(state) => return Ok(Outcome::of(state)),
            Start::NotOurs => return Ok(Outcome::Interrupted),
        },
        _ => plan,
    };
    let settings = store::read_settings(&**session, migration.id).await?;
    let deck = Arc::new(Deck {
        connect: call.connect.clone(),
        name: call.name.to_string(),
        lease: lease.clone(),
        plan,
        listener: Arc::clone(&call.listener),
        interrupt: call.interrupt.clone(),
        pulse: heart.pulse(),
        vitals: heart.vitals(),
        settings: watch::Sender::new(settings),
        leave: watch::Sender::new(Leave::Go),
        turn: watch::Sender::new(false),
        illness: watch::Sender::new(None),
        roster: Arc::clone(roster),
    });
    if call.order != Order::Start {
        let tx = session.begin(Isolation::ReadCommitted).await?;
        if !call.is_open(&tx).await? {
            return Ok(Outcome::Interrupted);
        }
        guard::grant(&deck, &tx, call.order.verb(), &call.argument(), call.by(by)).await?;
        call.answer(&tx, lease).await?;
        corridor_pg::failpoint::step("order", tx.commit())
            .await
            .doing(|| format!("recording `{}`", call.order.verb()))?;
    }
    roster.rest(DOOR);
    let (end, ended) = watch::channel(false);
    let tasks = [
        tokio::spawn(guard::listen(deck.clone(), ended.clone())),
        tokio::spawn(guard::measure(deck.clone(), ended.clone())),
        tokio::spawn(guard::watch_health(deck.clone(), ended)),
    ];
    let ending = Worker::new(&deck, call.mover).run().await;
    end.send_replace(true);
    for task in tasks {
        // It may hang on a connection that does not answer; dropping it closes that.
        let abort = task.abort_handle();
        if tokio::time::timeout(Duration::from_secs(5), task).await.is_err() {
            abort.abort();
        }
    }
    Ok(match ending? {
        Ending::In(state) => Outcome::of(state),
        Ending::Left if *call.interrupt.borrow() => Outcome::Interrupted,
        Ending::Left => {
            return Err(Fault::new(
                &corridor_pg::fault::FENCED,
                format!("migration {}", call.name),
            ));
        }
    })
}

/// Asks what is to be asked, and freezes the plan in the transaction that starts it.
async fn start(
    call: &Call<'_>,
    session: &mut Session,
    lease: &Lease,
    migration: &Migration,
    plan: &DataPlan,
    by: &str,
) -> Result<Start> {
    let bound = shelf::bind(plan, &call.parameters()?)?;
    let definition = bound.worked().clone();
    let standings = shelf::standings(&**session).await?;
    let required = is_required(session, &definition).await?;
    if required == Answer::No && is_nothing_due(session, &definition.depends_on, &standings).await? {
        let tx = session.begin(Isolation::ReadCommitted).await?;
        lease.fence().hold(&tx).await?;
        if !call.is_open(&tx).await? {
            return Ok(Start::NotOurs);
        }
        store::apply(&tx, lease, &Event::NotRequired).await?;
        call.answer(&tx, lease).await?;
        corridor_pg::failpoint::step("event", tx.commit())
            .await
            .doing(|| "writing the state")?;
        return Ok(Start::Over(State::Finished));
    }
    if let Answer::Unknown { why } = &required {
        call.listener.on(&News::Step {
            what: format!("whether it is needed here is unknown ({why}), so it is done"),
        });
    }
    let obstacles = obstacles(session, &definition, &standings, call.app_version).await?;
    if let Some(first) = obstacles.into_iter().next() {
        return Err(first);
    }
    let foreseen = foreseen(session, call.mover, call.name.as_str(), &definition).await?;
    if let Some(first) = foreseen.into_iter().find(|one| one.is_certain) {
        return Err(first.fault);
    }
    let tx = session.begin(Isolation::ReadCommitted).await?;
    lease.fence().hold(&tx).await?;
    if !call.is_open(&tx).await? {
        return Ok(Start::NotOurs);
    }
    if store::read_state(&tx, migration.id).await? != State::Planned {
        return Err(Fault::new(&NOT_PLANNED, call.name.to_string()));
    }
    // Read again under the fence: the file may have been added anew since.
    shelf::refuse_changed(&tx, migration).await?;
    shelf::freeze(&tx, migration, &bound).await?;
    let event = Event::Asked {
        verb: crate::Verb::Start,
        by: call.by(by).to_owned(),
        why: guard::why(&call.argument()).to_owned(),
    };
    store::apply(&tx, lease, &event).await?;
    call.answer(&tx, lease).await?;
    corridor_pg::failpoint::step("order", tx.commit())
        .await
        .doing(|| "starting the migration")?;
    Ok(Start::Begun(Box::new(bound)))
}

/// Whoever waits for a worker.
struct Waiting<'a>(&'a dyn Listener);

impl Waiter for Waiting<'_> {
    fn retrying(&self, fault: &str, pause: Duration) {
        self.0.on(&News::Retrying {
            fault: fault.to_owned(),
            pause_ms: u64::try_from(pause.as_millis()).unwrap_or(u64::MAX),
        });
    }

    fn verdict(&self, _verification: &Verification) -> Result<bool> {
        Ok(true)
    }

    fn failure(&self, code: &str, detail: &str) -> Fault {
        let known = super::fault::CODES.iter().find(|known| known.id == code);
        match known {
            Some(code) => Fault::new(code, detail.to_owned()),
            None => Fault::new(&super::fault::WORKER_FAILED, format!("{code}: {detail}")),
        }
    }
}

/// Takes the lease for one short piece of work, and gives it back.
///
/// Errors: `MIG-009` while a worker is alive.
pub async fn with_short_lease<T>(
    connect: &ConnectOptions,
    name: &Name,
    work: impl AsyncFnOnce(&mut Session, &Lease, &str) -> Result<T>,
) -> Result<T> {
    let mut session = connect
        .connect(&ApplicationName::new("control", name.as_str()))
        .await?;
    if !schema::exists(&*session).await? {
        return Err(Fault::new(&NO_SUCH_MIGRATION, name.to_string()));
    }
    schema::ensure(&mut session).await?;
    let (migration, _) = shelf::read(&*session, name).await?;
    let by = who(&session).await?;
    let settings = store::read_settings(&*session, migration.id).await?;
    let ttl = Duration::from_millis(settings.lease_ttl_ms);
    let lease = take(&mut session, migration.id, &by, ttl).await?;
    let done = work(&mut session, &lease, &by).await;
    lease.release(&session).await?;
    done
}
