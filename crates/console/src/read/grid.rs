//! The key space as it fills up: lanes of a copy, items of a backfill.

use corridor_pg::{FaultContext, Result, Session};

/// Cells of a grid.
pub(crate) const CELLS_MAX: i64 = 400;
/// Backfills of one migration that are looked at.
const BACKFILLS_MAX: i64 = 50;

/// A backfill, and where it is.
#[derive(Debug, Clone)]
pub(crate) struct Backfill {
    pub(crate) operation: String,
    /// Values in its list; 1 without a list.
    pub(crate) items: i64,
    /// The place of the item that is at work.
    pub(crate) position: Option<i64>,
    pub(crate) value: Option<String>,
    pub(crate) last_key: Option<String>,
    pub(crate) rows: Option<i64>,
    /// Its list, in at most [`CELLS_MAX`] parts.
    pub(crate) cells: Vec<Cell>,
}

/// A part of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cell {
    Empty,
    Begun,
    Done,
}

/// The backfills of a migration that have begun, in the plan's order.
pub(crate) async fn backfills(session: &mut Session, id: i64) -> Result<Vec<Backfill>> {
    let rows = session
        .query(
            include_str!("../../sql/read/backfills.sql"),
            &[&id, &BACKFILLS_MAX],
        )
        .await
        .doing(|| "reading the backfills")?;
    let mut all = Vec::new();
    for row in rows {
        let (operation, items): (String, i64) = (row.get("operation"), row.get("items"));
        let parts = i32::try_from(items.min(CELLS_MAX)).unwrap_or(0);
        let cells = session
            .query(
                include_str!("../../sql/read/item_parts.sql"),
                &[&id, &operation, &items, &parts],
            )
            .await
            .doing(|| "reading how a list fills up")?
            .iter()
            .map(|row| match (row.get("is_done"), row.get("is_begun")) {
                (true, _) => Cell::Done,
                (false, true) => Cell::Begun,
                (false, false) => Cell::Empty,
            })
            .collect();
        all.push(Backfill {
            operation,
            items,
            position: row.get("position"),
            value: row.get("value"),
            last_key: row.get("last_key"),
            rows: row.get("rows"),
            cells,
        });
    }
    Ok(all)
}
