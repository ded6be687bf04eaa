//! How far a migration was, over time.

use corridor_migration::status::Status;
use corridor_pg::{FaultContext, Result, Session};

use super::ledger;

/// Points of a chart.
pub(crate) const POINTS_MAX: i32 = 300;

/// How far it was at one time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Point {
    /// Seconds since 1970.
    pub(crate) at_s: f64,
    pub(crate) rows: i64,
    pub(crate) pending: Option<i64>,
    pub(crate) is_held: bool,
}

/// At most [`POINTS_MAX`] points and one, the oldest first: from the service's own notes, else, for a move, from its ledger.
pub(crate) async fn read(session: &mut Session, status: &Status) -> Result<Vec<Point>> {
    let rows = session
        .query(
            include_str!("../../sql/read/pace.sql"),
            &[&status.id, &POINTS_MAX],
        )
        .await
        .doing(|| "reading the pace")?;
    let points: Vec<Point> = rows
        .iter()
        .map(|row| Point {
            at_s: row.get("at_s"),
            rows: row.get("rows"),
            pending: row.get("pending"),
            is_held: row.get("is_held"),
        })
        .collect();
    if points.len() > 1 || status.kind == corridor_migration::data::KIND {
        return Ok(points);
    }
    ledger::pace(session, status.id).await
}
