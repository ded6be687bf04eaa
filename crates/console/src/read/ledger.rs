//! The ledger: what was copied or filled, piece by piece.

use corridor_pg::ident::{Ident, QualifiedName};
use corridor_pg::{FaultContext, Result, Session};
use serde_json::Value;

use super::json;
use super::pace::Point;

/// Pieces of one page.
pub(crate) const PAGE: i64 = 100;
/// Chunks that a chart is made of, the newest: a chunk has about 16 MB, so these are some 800 GB.
const CHUNKS_CHARTED_MAX: i64 = 50_000;
/// Points of that chart.
const POINTS: i64 = 300;

/// One chunk of a move's copy.
#[derive(Debug, Clone)]
pub(crate) struct Chunk {
    pub(crate) id: i64,
    pub(crate) lane: i32,
    pub(crate) rows: i64,
    pub(crate) duration_ms: i64,
    pub(crate) copied_at: String,
    /// From this key on, column by column; empty from the beginning.
    pub(crate) from: Vec<String>,
    /// Up to this key, exclusive; empty to the end.
    pub(crate) to: Vec<String>,
}

/// One item of a backfill.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    pub(crate) position: i64,
    pub(crate) value: Option<String>,
    pub(crate) last_key: Option<String>,
    pub(crate) rows: i64,
    pub(crate) batches: i64,
    pub(crate) is_done: bool,
}

fn chunk_table(id: i64) -> Result<QualifiedName> {
    Ok(QualifiedName::new(
        Ident::new("corridor")?,
        Ident::new(format!("chunk_{id}_fwd"))?,
    ))
}

/// True for the answer of a server that does not know the table: the mirror is not made yet, or gone again.
pub(crate) fn is_gone(fault: &corridor_pg::Fault) -> bool {
    fault.sqlstate() == Some("42P01")
}

/// The newest chunks, the newest first; `None` when the move has no ledger (any more).
pub(crate) async fn chunks(session: &mut Session, id: i64) -> Result<Option<Vec<Chunk>>> {
    let sql = format!(
        "select id, lane, rows, duration_ms, \
         to_char(copied_at at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"') as copied_at, \
         pg_catalog.to_jsonb(chunk)::text as whole from {} as chunk order by id desc limit {PAGE}",
        chunk_table(id)?
    );
    let rows = match session.query(&sql, &[]).await.doing(|| "reading the ledger") {
        Ok(rows) => rows,
        Err(fault) if is_gone(&fault) => return Ok(None),
        Err(fault) => return Err(fault),
    };
    let chunks = rows.iter().map(|row| {
        let whole = json(row.get("whole"));
        Chunk {
            id: row.get("id"),
            lane: row.get("lane"),
            rows: row.get("rows"),
            duration_ms: row.get("duration_ms"),
            copied_at: row.get("copied_at"),
            from: key(&whole, "from"),
            to: key(&whole, "to"),
        }
    });
    Ok(Some(chunks.collect()))
}

/// The members `from1`, `from2`… of a row.
fn key(whole: &Value, prefix: &str) -> Vec<String> {
    (1..)
        .map_while(|place| match whole.get(format!("{prefix}{place}"))? {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        })
        .collect()
}

/// Rows over time, from the newest chunks.
pub(crate) async fn pace(session: &mut Session, id: i64) -> Result<Vec<Point>> {
    let sql = format!(
        "with newest as (select rows, copied_at from {} order by id desc limit {CHUNKS_CHARTED_MAX}), \
         span as (select min(copied_at) as low, max(copied_at) as high from newest) \
         select extract(epoch from max(copied_at))::float8 as at_s, \
         sum(sum(rows)) over (order by max(copied_at))::int8 as rows \
         from newest, span \
         group by width_bucket(extract(epoch from copied_at - low)::float8, 0, \
         greatest(extract(epoch from high - low)::float8, 0.001), {POINTS}) order by 1",
        chunk_table(id)?
    );
    let rows = match session.query(&sql, &[]).await.doing(|| "reading the ledger") {
        Ok(rows) => rows,
        Err(fault) if is_gone(&fault) => return Ok(Vec::new()),
        Err(fault) => return Err(fault),
    };
    Ok(rows
        .iter()
        .map(|row| Point {
            at_s: row.get("at_s"),
            rows: row.get("rows"),
            pending: None,
            is_held: false,
        })
        .collect())
}

/// Items of a backfill up to a place in its list, the last first.
pub(crate) async fn items(session: &mut Session, id: i64, operation: &str, upto: i64) -> Result<Vec<Item>> {
    let rows = session
        .query(
            include_str!("../../sql/read/items.sql"),
            &[&id, &operation, &upto, &PAGE],
        )
        .await
        .doing(|| "reading the ledger")?;
    Ok(rows
        .iter()
        .map(|row| Item {
            position: row.get("position"),
            value: row.get("value"),
            last_key: row.get("last_key"),
            rows: row.get("rows"),
            batches: row.get("batches"),
            is_done: row.get("is_done"),
        })
        .collect())
}
