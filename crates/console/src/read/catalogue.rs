//! Every migration of a cluster, as a list shows it.

use std::collections::BTreeSet;
use std::time::Duration;

use corridor_migration::data::readiness::Answer;
use corridor_migration::data::{KIND, PLAN_VERSION, census};
use corridor_migration::state::State;
use corridor_migration::store::{self, Asked, state_of};
use corridor_migration::{Name, schema};
use corridor_pg::{FaultContext, Result, Session};
use serde_json::Value;

use super::json;

/// Migrations of one cluster that lists know. What has not ended comes first, so that nothing at work is ever left out.
pub(crate) const ROWS_MAX: i64 = 2_000;

/// One migration.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) id: i64,
    pub(crate) name: Name,
    pub(crate) kind: String,
    pub(crate) description: String,
    pub(crate) state: State,
    pub(crate) current_operation: Option<String>,
    pub(crate) created_at: String,
    pub(crate) started_at: Option<String>,
    pub(crate) finished_at: Option<String>,
    pub(crate) is_worker_alive: bool,
    /// The range of versions that can run it.
    pub(crate) versions: Option<String>,
    /// It was taken back or stopped, and is asked for again.
    pub(crate) may_begin_anew: bool,
    /// It was not started, and `required_when` says that it is not needed here.
    pub(crate) is_unneeded: bool,
    /// What somebody asked for and no worker has taken yet.
    pub(crate) asked: Option<Asked>,
    /// Its plan was stored by a version of Corridor that this one does not understand.
    pub(crate) is_unreadable: bool,
    /// What its worker last said about rows.
    pub(crate) rows: Value,
    /// Why it holds.
    pub(crate) throttle: Value,
    pub(crate) operations: i64,
    pub(crate) operations_done: i64,
    /// The place of the current operation, from 1.
    pub(crate) position: Option<i32>,
    pub(crate) error: Option<String>,
    /// What the current operation has last written down of itself.
    pub(crate) noted: Value,
    /// Rows so far, by the newest entry of its pace.
    pub(crate) pace_rows: Option<i64>,
    /// Changes that wait in the log.
    pub(crate) pending: Option<i64>,
    pub(crate) query_id: Option<i64>,
    pub(crate) backend_pid: Option<i32>,
    /// What stands as a comment before the statement that runs.
    pub(crate) tag: Option<String>,
    /// `skipped` or `not_required`, for one that ended without having run.
    pub(crate) ended_by: Option<String>,
    pub(crate) why: Option<String>,
}

/// How long it is known which migrations are not needed. Their queries are a person's own, and may be dear.
pub(crate) const NEEDS_FRESH: Duration = Duration::from_secs(10);
/// How long all of these queries together may take; what is not answered by then counts as needed.
const NEEDS_MAX: Duration = Duration::from_secs(2);

/// Those that were not started and are not needed here, by what `required_when` says.
pub(crate) async fn unneeded(session: &mut Session) -> Result<BTreeSet<Name>> {
    if !schema::exists(&**session).await? {
        return Ok(BTreeSet::new());
    }
    let answers = census::answers(session, NEEDS_MAX).await?;
    let unneeded = answers.into_iter().filter(|(_, answer)| *answer == Answer::No);
    Ok(unneeded.map(|(name, _)| name).collect())
}

/// Reads it; empty where there is no schema yet.
pub(crate) async fn read(session: &mut Session) -> Result<Vec<Row>> {
    if !schema::exists(&**session).await? {
        return Ok(Vec::new());
    }
    let version = PLAN_VERSION.to_string();
    let rows = session
        .query(
            include_str!("../../sql/read/catalogue.sql"),
            &[&ROWS_MAX, &KIND, &version],
        )
        .await
        .doing(|| "listing the migrations")?;
    let mut asked = store::asked(&**session).await?;
    rows.iter()
        .map(|row| {
            let name = Name::new(row.get::<_, String>("name"))?;
            Ok(Row {
                id: row.get("id"),
                asked: asked.remove(&name),
                name,
                kind: row.get("kind"),
                description: row.get("description"),
                state: state_of(row)?,
                current_operation: row.get("current_operation"),
                created_at: row.get("created_at"),
                started_at: row.get("started_at"),
                finished_at: row.get("finished_at"),
                is_worker_alive: row.get("is_worker_alive"),
                versions: row.get("versions"),
                may_begin_anew: row.get("may_begin_anew"),
                is_unneeded: false,
                is_unreadable: row.get("is_unreadable"),
                rows: json(row.get("rows")),
                throttle: json(row.get("throttle")),
                operations: row.get("operations"),
                operations_done: row.get("operations_done"),
                position: row.get("position"),
                error: row.get("error"),
                noted: json(row.get("noted")),
                pace_rows: row.get("pace_rows"),
                pending: row.get("pending"),
                query_id: row.get("query_id"),
                backend_pid: row.get("backend_pid"),
                tag: row.get("tag"),
                ended_by: row.get("ended_by"),
                why: row.get("why"),
            })
        })
        .collect()
}
