//! Requests to a worker that is at work: a row that it takes, and an outcome that it leaves.
//!
//! A table and not `LISTEN`: it works through a transaction pooler, and a request outlives the worker that
//! took it and died. A worker looks several times a second.

use corridor_pg::{Fault, FaultContext, Result, Retry};
use serde::Serialize;
use serde_json::{Value, json};
use tokio_postgres::{GenericClient, Transaction};

use super::{json as column, object_text, stored_text};
use crate::fault::{TOO_MANY_REQUESTS, UNREADABLE_ROW};
use crate::lease::Lease;
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
    rows.iter()
        .map(|row| {
            let text: &str = row.get("verb");
            Ok(Request {
                id: row.get("id"),
                verb: Verb::ALL
                    .into_iter()
                    .find(|verb| verb.as_str() == text)
                    .ok_or_else(|| Fault::new(&UNREADABLE_ROW, format!("verb {text:?}")))?,
                argument: column(row, "argument")?,
                asked_by: row.get("asked_by"),
            })
        })
        .collect()
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

/// Whether a fault of a request is an answer to whoever asked. Anything else ends the transaction, and the request stays.
pub fn is_refusal(fault: &Fault) -> bool {
    fault.sqlstate().is_none() && fault.code().retry == Retry::Never
}

/// The outcome of a request that is refused; a fault that is no answer is passed on.
pub fn refusal(fault: Fault) -> Result<Value> {
    match is_refusal(&fault) {
        true => Ok(json!({ "granted": false, "code": fault.code().id, "detail": fault.detail() })),
        false => Err(fault),
    }
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
            outcome: column(&row, "outcome")?,
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
