//! Requests to a worker that is at work: a row that it takes, and an outcome that it leaves.
//!
//! A table and not `LISTEN`: it works through a transaction pooler, and a request outlives the worker that
//! took it and died. A worker looks several times a second.

use std::collections::BTreeMap;

use corridor_pg::{Fault, FaultContext, Result, Retry};
use serde::Serialize;
use serde_json::{Value, json as object};
use tokio_postgres::{GenericClient, Row, Transaction};

use super::{json, object_text, stored_text};
use crate::fault::{LEASE_HELD, TAKEOVER_BLOCKED, TOO_MANY_REQUESTS, UNREADABLE_ROW};
use crate::lease::Lease;
use crate::name::Name;
use crate::order::Order;
use crate::step::Verb;

/// Most requests of one migration that may be open.
pub const REQUESTS_OPEN_MAX: i64 = 100;
/// The newest answered requests of each migration that are kept.
pub const REQUESTS_KEPT_MAX: i64 = 1_000;

/// A request, as the worker takes it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Request {
    /// Its id in this database.
    pub id: i64,
    /// What is asked for.
    pub verb: Verb,
    /// With what, a JSON object.
    pub argument: Value,
    /// Who asks.
    pub asked_by: String,
}

impl Request {
    fn of(row: &Row) -> Result<Self> {
        let text: &str = row.get("verb");
        Ok(Request {
            id: row.get("id"),
            verb: Verb::ALL
                .into_iter()
                .find(|verb| verb.as_str() == text)
                .ok_or_else(|| Fault::new(&UNREADABLE_ROW, format!("verb {text:?}")))?,
            argument: json(row, "argument")?,
            asked_by: row.get("asked_by"),
        })
    }

    /// What it asks for, with what belongs to it.
    pub fn order(&self) -> Order {
        match self.verb {
            Verb::Start => Order::Start,
            Verb::Resume => Order::Resume,
            Verb::Pause => Order::Pause,
            Verb::Stop => Order::Stop,
            Verb::Verify => Order::Verify,
            Verb::Cutover => Order::Cutover,
            Verb::Rollback => Order::Rollback,
            Verb::Finish => Order::Finish {
                is_drop: self.argument.get("drop").and_then(Value::as_bool) == Some(true),
            },
        }
    }
}

/// A request that nobody alive can take, and what it is about.
#[derive(Debug, Clone, PartialEq)]
pub struct Unworked {
    /// The migration's name.
    pub name: Name,
    /// What kind of work it is.
    pub kind: String,
    /// What is asked for.
    pub request: Request,
    /// When; RFC 3339, UTC.
    pub asked_at: String,
}

/// What somebody asked for and no worker has taken yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Asked {
    /// What.
    pub verb: Verb,
    /// Who.
    pub by: String,
    /// When; RFC 3339, UTC.
    pub at: String,
}

impl Asked {
    /// For a person.
    pub fn words(&self) -> String {
        let at = crate::words::moment(&self.at);
        format!(
            "{}, asked for at {at} by {}, waits for a free worker",
            self.verb, self.by
        )
    }
}

/// What waits for a worker in each migration that has none.
pub async fn asked(client: &impl GenericClient) -> Result<BTreeMap<Name, Asked>> {
    let unworked = unworked_requests(client).await?;
    let asked = unworked.into_iter().map(|one| {
        let asked = Asked {
            verb: one.request.verb,
            by: one.request.asked_by,
            at: one.asked_at,
        };
        (one.name, asked)
    });
    Ok(asked.collect())
}

/// The oldest open request of each migration that has no living worker.
pub async fn unworked_requests(client: &impl GenericClient) -> Result<Vec<Unworked>> {
    let rows = client
        .query(include_str!("../../sql/store/unworked_requests.sql"), &[])
        .await
        .doing(|| "looking for requests that nobody can take")?;
    rows.iter()
        .map(|row| {
            Ok(Unworked {
                name: Name::new(row.get::<_, String>("name"))?,
                kind: row.get("kind"),
                request: Request::of(row)?,
                asked_at: row.get("asked_at"),
            })
        })
        .collect()
}

/// Keeps a request still until the transaction ends; false when it was answered or taken back meanwhile. Whoever grants it
/// answers it in the same transaction: then it is carried out once, whoever else looks at it.
///
/// Locks: the row, for update.
pub async fn hold_open(tx: &Transaction<'_>, request_id: i64) -> Result<bool> {
    let row = tx
        .query_opt(include_str!("../../sql/store/open_request.sql"), &[&request_id])
        .await
        .doing(|| "looking whether a request is open still")?;
    Ok(row.is_some())
}

/// True for a fault that answers a request: it was refused, and would be again. Anything else leaves it open.
pub fn is_refusal(fault: &Fault) -> bool {
    let code = fault.code();
    let is_somebody_else_at_work = [&corridor_pg::fault::FENCED, &LEASE_HELD, &TAKEOVER_BLOCKED]
        .iter()
        .any(|other| other.id == code.id);
    fault.sqlstate().is_none() && code.retry == Retry::Never && !is_somebody_else_at_work
}

/// What a request is answered with that was refused.
pub fn refusal(fault: &Fault) -> Value {
    object!({ "granted": false, "code": fault.code().id, "detail": fault.detail() })
}

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Outcome {
    /// No worker has taken it yet.
    Open,
    /// A worker has taken it.
    Taken,
    /// The worker has answered.
    Answered {
        /// What it said, a JSON object.
        outcome: Value,
    },
    /// There is no such request (any more).
    Gone,
}

/// Leaves a request for the worker; returns its id. `MIG-014` when too many are open.
pub async fn ask(
    client: &impl GenericClient,
    migration_id: i64,
    verb: Verb,
    argument: &Value,
    asked_by: &str,
) -> Result<i64> {
    let row = client
        .query_opt(
            include_str!("../../sql/store/ask.sql"),
            &[
                &migration_id,
                &verb.as_str(),
                &object_text(argument),
                &stored_text(asked_by),
                &REQUESTS_OPEN_MAX,
            ],
        )
        .await
        .doing(|| format!("asking the worker to {verb}"))?;
    match row {
        Some(row) => Ok(row.get("id")),
        None => Err(Fault::new(
            &TOO_MANY_REQUESTS,
            format!("{REQUESTS_OPEN_MAX} are open, {verb} was not added"),
        )),
    }
}

/// Takes everything that is open, oldest first, also what a worker before this one took and did not answer. Holds
/// the fence.
pub async fn take_requests(tx: &Transaction<'_>, lease: &Lease) -> Result<Vec<Request>> {
    lease.fence().hold(tx).await?;
    let rows = tx
        .query(
            include_str!("../../sql/store/take_requests.sql"),
            &[&lease.fence().migration_id],
        )
        .await
        .doing(|| "taking the requests")?;
    rows.iter().map(Request::of).collect()
}

/// Says what became of a request, in the transaction that did it. Holds the fence.
pub async fn answer(tx: &Transaction<'_>, lease: &Lease, request_id: i64, outcome: &Value) -> Result<()> {
    lease.fence().hold(tx).await?;
    let id = lease.fence().migration_id;
    tx.execute(
        include_str!("../../sql/store/answer.sql"),
        &[&request_id, &id, &object_text(outcome)],
    )
    .await
    .doing(|| "answering a request")?;
    tx.execute(
        include_str!("../../sql/store/trim_requests.sql"),
        &[&id, &REQUESTS_KEPT_MAX],
    )
    .await
    .doing(|| "removing old requests")?;
    Ok(())
}

/// What became of a request; ask again until it is answered.
pub async fn outcome(client: &impl GenericClient, request_id: i64) -> Result<Outcome> {
    let row = client
        .query_opt(include_str!("../../sql/store/outcome.sql"), &[&request_id])
        .await
        .doing(|| "reading the outcome of a request")?;
    let Some(row) = row else {
        return Ok(Outcome::Gone);
    };
    if row.get::<_, Option<&str>>("outcome").is_some() {
        return Ok(Outcome::Answered {
            outcome: json(&row, "outcome")?,
        });
    }
    Ok(if row.get("is_taken") {
        Outcome::Taken
    } else {
        Outcome::Open
    })
}

/// Takes a request back; false when a worker has taken it already.
pub async fn withdraw(client: &impl GenericClient, request_id: i64) -> Result<bool> {
    let removed = client
        .execute(include_str!("../../sql/store/withdraw.sql"), &[&request_id])
        .await
        .doing(|| "taking a request back")?;
    Ok(removed > 0)
}
