//! What somebody asks for: left as a row where a worker finds it, written to the audit, and answered with what came of it so
//! far. Pages and programs come through here alike.

use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::{Duration, Instant};

use corridor_migration::data::{self, readiness, shelf};
use corridor_migration::setting::{Kind, definition, normalise};
use corridor_migration::{Event, Name, State, Verb, schema, step, store};
use corridor_pg::{ApplicationName, Fault, FaultContext, Isolation, Result, Session};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::OwnedSemaphorePermit;

use crate::Console;
use crate::access::{Role, Viewer};
use crate::fault::{BAD_REQUEST, NO_ANSWER, NOT_ALLOWED, NOT_HERE};
use crate::home::within;
use crate::host::Cluster;

/// How long an answer is waited for. A worker that lives looks three times a second; a service takes up what nobody works
/// within some seconds, which the page then shows.
const ANSWER_WAIT: Duration = Duration::from_millis(1_500);
/// Between two looks for it.
const ANSWER_INTERVAL: Duration = Duration::from_millis(100);
/// Longest reason, in characters.
const WHY_CHARS_MAX: usize = 2_000;

/// Longest detail of an entry of the audit.
const DETAIL_BYTES_MAX: usize = 8_000;

/// What is asked for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Wish {
    /// A verb of every migration's life.
    Ask {
        verb: Verb,
        /// With start, of a person's own.
        parameters: BTreeMap<String, String>,
        /// With finish, of a move.
        is_drop: bool,
    },
    /// It need not be done here.
    Skip,
    /// Whether an operation was done whose end is not known.
    Settle { operation: String, is_done: bool },
    /// A setting; `None` gives the default back.
    Set { key: String, value: Option<String> },
}

impl Wish {
    /// As the audit names it.
    fn action(&self) -> &'static str {
        match self {
            Wish::Ask { verb, .. } => verb.as_str(),
            Wish::Skip => "skip",
            Wish::Settle { .. } => "settle",
            Wish::Set { value: Some(_), .. } => "set",
            Wish::Set { value: None, .. } => "unset",
        }
    }

    fn detail(&self, why: &str) -> Value {
        match self {
            Wish::Ask {
                verb: Verb::Start,
                parameters,
                ..
            } => json!({ "parameters": parameters, "why": why }),
            Wish::Ask {
                verb: Verb::Finish,
                is_drop,
                ..
            } => json!({ "drop": is_drop, "why": why }),
            Wish::Ask { .. } | Wish::Skip => json!({ "why": why }),
            Wish::Settle { operation, is_done } => {
                json!({ "operation": operation, "done": is_done, "why": why })
            }
            Wish::Set { key, value } => json!({ "key": key, "value": value, "why": why }),
        }
    }
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub(crate) enum Came {
    /// It is done, or a worker has begun with it.
    Granted,
    /// It is left for a worker, and none has taken it yet.
    Left {
        /// The row of `corridor.request`.
        request: i64,
    },
}

/// A session of one's own, and its turn: there are a few at a time, whoever asks.
pub(crate) struct Visit {
    session: Session,
    _turn: OwnedSemaphorePermit,
}

impl Deref for Visit {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.session
    }
}

impl DerefMut for Visit {
    fn deref_mut(&mut self) -> &mut Session {
        &mut self.session
    }
}

/// A session of one's own, when it is our turn.
pub(crate) async fn visit(console: &Console, cluster: &Cluster, migration: &str) -> Result<Visit> {
    within(async {
        let turn = Arc::clone(&console.visits).acquire_owned().await;
        let turn = turn.map_err(|_| Fault::new(&NO_ANSWER, "the service leaves"))?;
        let role = ApplicationName::new("console", migration);
        let session = cluster.connect.connect(&role).await?;
        Ok(Visit { session, _turn: turn })
    })
    .await
}

/// The same in a database that has migrations.
pub(crate) async fn session(console: &Console, cluster: &Cluster, name: &Name) -> Result<Visit> {
    let session = visit(console, cluster, name.as_str()).await?;
    match within(schema::exists(&**session)).await? {
        true => Ok(session),
        false => Err(Fault::new(
            &corridor_migration::fault::NO_SUCH_MIGRATION,
            name.to_string(),
        )),
    }
}

/// Asks for it, in `viewer`'s name. What cannot be is refused before anything is written.
pub(crate) async fn ask(
    console: &Console,
    viewer: &Viewer,
    (cluster_name, name): (&str, &str),
    wish: Wish,
    why: &str,
) -> Result<Came> {
    if why.chars().count() > WHY_CHARS_MAX {
        return Err(Fault::new(
            &BAD_REQUEST,
            format!("a reason has at most {WHY_CHARS_MAX} characters"),
        ));
    }
    refuse_query(viewer, &wish)?;
    let (why, name) = (why.trim(), Name::new(name)?);
    let cluster = console.cluster(cluster_name)?;
    let object = format!("migration {}/{name}", cluster.name);
    let (action, detail) = (wish.action(), bounded(wish.detail(why)));
    // Before it is done: whoever acts is known also when the answer is lost.
    let home = console.home.session(&*console.host).await?;
    within(store::audit(
        &**home,
        &viewer.signature(),
        action,
        &object,
        &detail,
    ))
    .await?;
    let came = Box::pin(carry(console, &cluster, (&name, wish), viewer, why)).await;
    // Whoever looks next shall see it.
    console.reader.forget(&cluster.name);
    if let Err(fault) = &came {
        let words = json!({ "action": action, "code": fault.code().id, "detail": fault.detail() });
        within(store::audit(
            &**home,
            &viewer.signature(),
            "refused",
            &object,
            &words,
        ))
        .await?;
    }
    came
}

/// A setting that is a query runs with everything that the worker's role may do: as with a file of one's own, only an admin
/// may say what is run.
fn refuse_query(viewer: &Viewer, wish: &Wish) -> Result<()> {
    let Wish::Set { key, .. } = wish else {
        return Ok(());
    };
    let is_query = definition(key).is_ok_and(|definition| matches!(definition.kind, Kind::Query));
    if is_query && viewer.role < Role::Admin {
        let detail = format!(
            "{} is {}; {key} is a query, and needs {}",
            viewer.name,
            viewer.role,
            Role::Admin
        );
        return Err(Fault::new(&NOT_ALLOWED, detail));
    }
    Ok(())
}

/// What is too long to be kept a hundred thousand times is told by its size.
fn bounded(detail: Value) -> Value {
    let bytes = detail.to_string().len();
    match bytes <= DETAIL_BYTES_MAX {
        true => detail,
        false => json!({ "left_out_bytes": bytes }),
    }
}

async fn carry(
    console: &Console,
    cluster: &Cluster,
    (name, wish): (&Name, Wish),
    viewer: &Viewer,
    why: &str,
) -> Result<Came> {
    let by = viewer.actor();
    match wish {
        Wish::Ask {
            verb,
            parameters,
            is_drop,
        } => leave(console, cluster, (name, verb, &parameters, is_drop), &by, why).await,
        Wish::Skip => {
            if why.is_empty() {
                return Err(Fault::new(
                    &BAD_REQUEST,
                    "skipping needs a reason: whoever comes later wants to know",
                ));
            }
            data::with_short_lease(&cluster.connect, name, async |session, lease, _| {
                shelf::skip(session, lease, &by, why).await
            })
            .await?;
            Ok(Came::Granted)
        }
        Wish::Settle { operation, is_done } => {
            data::with_short_lease(&cluster.connect, name, async |session, lease, _| {
                shelf::settle(session, lease, &operation, is_done, (&by, why)).await
            })
            .await?;
            Ok(Came::Granted)
        }
        Wish::Set { key, value } => {
            let mut session = session(console, cluster, name).await?;
            let id = store::load(&**session, name).await?.id;
            let tx = session.begin(Isolation::ReadCommitted).await?;
            match value {
                Some(value) => drop(store::set(&tx, id, &key, &value, (&by, why)).await?),
                None => store::unset(&tx, id, &key, (&by, why)).await?,
            }
            tx.commit().await.doing(|| format!("setting {key}"))?;
            Ok(Came::Granted)
        }
    }
}

/// Leaves an order for the worker that lives, or for a service that takes up what nobody works.
async fn leave(
    console: &Console,
    cluster: &Cluster,
    (name, verb, parameters, is_drop): (&Name, Verb, &BTreeMap<String, String>, bool),
    by: &str,
    why: &str,
) -> Result<Came> {
    let mut session = session(console, cluster, name).await?;
    let mut migration = store::load(&**session, name).await?;
    let is_data = migration.kind == data::KIND;
    if is_data && matches!(verb, Verb::Cutover | Verb::Verify) {
        let detail = format!("`{verb}`: {name} is a migration of your own");
        return Err(Fault::new(&NOT_HERE, detail));
    }
    if !is_data && !parameters.is_empty() {
        return Err(Fault::new(&BAD_REQUEST, "a move has no parameters"));
    }
    if is_data && verb == Verb::Start {
        check_start(&mut session, name, parameters).await?;
    }
    // One that was taken back or stopped may be begun anew, as on the command line.
    let is_anew =
        is_data && verb == Verb::Start && matches!(migration.state, State::RolledBack | State::Stopped);
    if is_anew {
        let (_, plan) = shelf::read(&**session, name).await?;
        shelf::add(&mut session, &[plan.definition], by).await?;
        migration = store::load(&**session, name).await?;
    }
    step(&migration.state, &Event::asked(verb, by))?;
    let mut argument = json!({ "why": why });
    if is_data && verb == Verb::Start {
        argument["parameters"] = json!(parameters);
    }
    if verb == Verb::Finish {
        argument["drop"] = json!(is_drop);
    }
    let request = store::ask(&**session, migration.id, verb, &argument, by).await?;
    answer(&session, request).await
}

/// What cannot be bound, or has something in its way, is refused now, and not by a service later on.
async fn check_start(
    session: &mut Session,
    name: &Name,
    parameters: &BTreeMap<String, String>,
) -> Result<()> {
    let (_, plan) = shelf::read(&**session, name).await?;
    let bound = shelf::bind(&plan, parameters)?;
    let standings = shelf::standings(&**session).await?;
    // The version of the application is the worker's to know.
    let obstacles = readiness::obstacles(session, bound.worked(), &standings, None).await?;
    let required = readiness::is_required(session, bound.worked()).await?;
    match obstacles.into_iter().next() {
        Some(first) if required != readiness::Answer::No => Err(first),
        _ => Ok(()),
    }
}

async fn answer(session: &Session, request: i64) -> Result<Came> {
    let begun = Instant::now();
    loop {
        match store::outcome(&**session, request).await? {
            store::Outcome::Answered { outcome } => {
                if outcome.get("granted").and_then(Value::as_bool) == Some(true) {
                    return Ok(Came::Granted);
                }
                let detail = outcome.get("detail").and_then(Value::as_str).unwrap_or_default();
                return Err(Fault::new(
                    &corridor_migration::fault::VERB_REFUSED,
                    detail.to_owned(),
                ));
            }
            // Taken back by somebody else, or its migration has gone: nobody will answer.
            store::Outcome::Gone => return Err(Fault::new(&NOT_HERE, "the order was taken back")),
            store::Outcome::Open | store::Outcome::Taken if begun.elapsed() < ANSWER_WAIT => {
                tokio::time::sleep(ANSWER_INTERVAL).await;
            }
            store::Outcome::Open | store::Outcome::Taken => return Ok(Came::Left { request }),
        }
    }
}

/// Writes a deed on another cluster into the audit of home before it is done. The deed writes it into the audit of its own database,
/// in its transaction: when home is away nothing is done, and when home is lost over it the cluster knows.
pub(crate) async fn foretell(
    console: &Console,
    viewer: &Viewer,
    cluster: &Cluster,
    (action, object, detail): (&str, &str, &Value),
) -> Result<()> {
    let clusters = console.host.clusters();
    if clusters.first().is_some_and(|home| home.name == cluster.name) {
        // The deed's own entry stands there.
        return Ok(());
    }
    let home = console.home.session(&*console.host).await?;
    within(store::audit(&**home, &viewer.signature(), action, object, detail)).await
}

/// What was foretold was refused.
pub(crate) async fn retract(console: &Console, viewer: &Viewer, object: &str, action: &str, fault: &Fault) {
    let words = json!({ "action": action, "code": fault.code().id, "detail": fault.detail() });
    let said = async {
        let home = console.home.session(&*console.host).await?;
        within(store::audit(
            &**home,
            &viewer.signature(),
            "refused",
            object,
            &words,
        ))
        .await
    };
    if let Err(fault) = said.await {
        tracing::warn!(%fault, "a refusal is not in the audit");
    }
}

/// A default of all migrations of a cluster.
pub(crate) async fn set_default(
    console: &Console,
    viewer: &Viewer,
    cluster_name: &str,
    key: &str,
    value: Option<&str>,
) -> Result<()> {
    let cluster = console.cluster(cluster_name)?;
    let object = format!("setting {}/{key}", cluster.name);
    let action = match value {
        Some(_) => "default_set",
        None => "default_unset",
    };
    // What makes no sense is refused before anybody reads of it.
    match value {
        Some(value) => drop(normalise(key, value)?),
        None => drop(definition(key)?),
    }
    let detail = json!({ "value": value });
    foretell(console, viewer, &cluster, (action, &object, &detail)).await?;
    let done = keep_default(console, viewer, &cluster, (key, value)).await;
    if let Err(fault) = &done {
        retract(console, viewer, &object, action, fault).await;
    }
    done
}

async fn keep_default(
    console: &Console,
    viewer: &Viewer,
    cluster: &Cluster,
    (key, value): (&str, Option<&str>),
) -> Result<()> {
    let mut session = visit(console, cluster, "-").await?;
    schema::ensure(&mut session).await?;
    let by = viewer.actor();
    let tx = session.begin(Isolation::ReadCommitted).await?;
    match value {
        Some(value) => drop(store::set_default(&tx, key, value, (&by, "")).await?),
        None => store::unset_default(&tx, key, (&by, "")).await?,
    }
    tx.commit().await.doing(|| format!("setting {key} for all"))
}
