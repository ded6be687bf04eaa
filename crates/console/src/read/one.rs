//! One migration: its status, and what its tables say.

use corridor_migration::data::KIND;
use corridor_migration::status::{self, Status};
use corridor_migration::store::Entry;
use corridor_migration::{Name, StateName, Verb, schema};
use corridor_move::MovePlan;
use corridor_move::run::StoredMove;
use corridor_move::run::gauge::{self, Gauge};
use corridor_pg::{Fault, FaultContext, Result, Session};
use serde::Deserialize;
use serde_json::Value;

use super::grid::Backfill;
use super::pace::Point;
use super::{grid, journal, json, pace};

/// Tries of operations that are shown.
const ATTEMPTS_MAX: i64 = 20;

/// One migration.
#[derive(Debug)]
pub(crate) struct One {
    pub(crate) status: Status,
    /// The plan of a move.
    pub(crate) move_plan: Option<MovePlan>,
    pub(crate) gauge: Option<Gauge>,
    pub(crate) backfills: Vec<Backfill>,
    /// The newest first.
    pub(crate) attempts: Vec<Attempt>,
    /// The oldest first.
    pub(crate) transitions: Vec<Entry>,
    /// The oldest first.
    pub(crate) pace: Vec<Point>,
}

/// One try of an operation.
#[derive(Debug, Clone)]
pub(crate) struct Attempt {
    pub(crate) operation: String,
    pub(crate) number: i32,
    pub(crate) is_rollback: bool,
    pub(crate) backend_pid: Option<i32>,
    pub(crate) worker: String,
    pub(crate) tag: String,
    pub(crate) query_id: Option<i64>,
    pub(crate) began_at: String,
    pub(crate) ended_at: Option<String>,
    pub(crate) outcome: Option<String>,
    pub(crate) detail: Value,
}

impl One {
    /// True for a person's own migration.
    pub(crate) fn is_data(&self) -> bool {
        self.status.kind == KIND
    }

    /// The operations whose end nobody knows: a person must say what became of them.
    pub(crate) fn unsettled(&self) -> Vec<&Attempt> {
        let code = self.status.state_detail.get("code").and_then(Value::as_str);
        let is_unknown = self.status.state == StateName::Failed
            && code == Some(corridor_migration::data::fault::OUTCOME_UNKNOWN.id);
        let mut seen = Vec::new();
        let mut unsettled = Vec::new();
        for attempt in self.attempts.iter().filter(|_| is_unknown) {
            if !seen.contains(&attempt.operation.as_str()) {
                seen.push(&attempt.operation);
                if attempt.outcome.is_none() {
                    unsettled.push(attempt);
                }
            }
        }
        unsettled
    }
}

/// Reads everything that the page of one migration shows.
pub(crate) async fn read(session: &mut Session, name: &str) -> Result<One> {
    let name = Name::new(name)?;
    if !schema::exists(&**session).await? {
        return Err(Fault::new(
            &corridor_migration::fault::NO_SUCH_MIGRATION,
            name.to_string(),
        ));
    }
    let mut status = status::read(session, &name).await?;
    let gauge = gauge::gauge(session, &status).await?;
    let move_plan = match status.kind == KIND {
        true => None,
        false => StoredMove::deserialize(&status.plan)
            .ok()
            .map(|stored| stored.plan),
    };
    if move_plan.as_ref().is_some_and(|plan| plan.is_one_way) && status.allowed.contains(&Verb::Finish) {
        corridor_move::run::verdict::take_way_back(&mut status);
    }
    let backfills = match status.kind == KIND {
        true => grid::backfills(session, status.id).await?,
        false => Vec::new(),
    };
    Ok(One {
        gauge,
        move_plan,
        backfills,
        attempts: attempts(session, status.id).await?,
        transitions: journal::transitions(session, status.id).await?,
        pace: pace::read(session, &status).await?,
        status,
    })
}

async fn attempts(session: &mut Session, id: i64) -> Result<Vec<Attempt>> {
    let rows = session
        .query(include_str!("../../sql/read/attempts.sql"), &[&id, &ATTEMPTS_MAX])
        .await
        .doing(|| "reading the tries")?;
    Ok(rows
        .iter()
        .map(|row| Attempt {
            operation: row.get("operation"),
            number: row.get("number"),
            is_rollback: row.get("is_rollback"),
            backend_pid: row.get("backend_pid"),
            worker: row.get("worker"),
            tag: row.get("tag"),
            query_id: row.get("query_id"),
            began_at: row.get("began_at"),
            ended_at: row.get("ended_at"),
            outcome: row.get("outcome"),
            detail: json(row.get("detail")),
        })
        .collect())
}
