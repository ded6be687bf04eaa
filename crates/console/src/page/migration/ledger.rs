//! The ledger: a move's newest chunks, a backfill's newest items.

use std::sync::Arc;

use corridor_migration::words::number::{grouped, millis};

use crate::Console;
use crate::host::Cluster;
use crate::page::moment::Moment;
use crate::read::ledger::{Chunk, Item, PAGE};
use crate::read::one::One;
use crate::read::{self, Trouble};

/// The ledger.
pub(crate) enum Ledger {
    /// Why there is none.
    Nothing(&'static str),
    Chunks(Vec<ChunkLine>),
    Items {
        operations: Vec<(String, String, bool)>,
        lines: Vec<ItemLine>,
        older: Option<String>,
    },
}

pub(crate) struct ChunkLine {
    pub(crate) id: i64,
    pub(crate) lane: i32,
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) rows: String,
    pub(crate) took: String,
    pub(crate) at: Moment,
}

pub(crate) struct ItemLine {
    pub(crate) position: String,
    pub(crate) value: String,
    pub(crate) last_key: String,
    pub(crate) rows: String,
    pub(crate) batches: String,
    pub(crate) is_done: bool,
}

/// Reads it.
pub(super) async fn of(
    console: &Arc<Console>,
    cluster: &Cluster,
    one: &One,
    operation: &str,
    upto: Option<i64>,
) -> Result<Ledger, Trouble> {
    let id = one.status.id;
    if !one.is_data() {
        let chunks = console
            .reader
            .ask(cluster, "chunks", id.to_string(), move |session| {
                Box::pin(read::ledger::chunks(session, id))
            })
            .await?;
        return Ok(match &*chunks {
            Some(chunks) if !chunks.is_empty() => Ledger::Chunks(chunks.iter().map(chunk).collect()),
            Some(_) => Ledger::Nothing("No chunk was copied yet."),
            None if one.status.state.is_final() => {
                Ledger::Nothing("The ledger was dropped with the mirror's tables when the move ended.")
            }
            None => Ledger::Nothing("The ledger is made when the move begins."),
        });
    }
    let found = one
        .backfills
        .iter()
        .find(|backfill| backfill.operation == operation);
    let Some(backfill) = found.or_else(|| one.backfills.last()) else {
        return Ok(Ledger::Nothing(
            "No backfill has begun: only backfills have a ledger.",
        ));
    };
    // Where it is at work, with a few that come after it; what comes later is not begun.
    let newest = backfill.position.map_or(backfill.items, |position| position + 5);
    let upto = upto.unwrap_or(newest);
    let wanted = backfill.operation.clone();
    let items = console
        .reader
        .ask(
            cluster,
            "items",
            format!("{id} {wanted} {upto}"),
            move |session| {
                let wanted = wanted.clone();
                Box::pin(async move { read::ledger::items(session, id, &wanted, upto).await })
            },
        )
        .await?;
    let address = format!(
        "/clusters/{}/migrations/{}?tab=ledger",
        cluster.name, one.status.name
    );
    let operations = one.backfills.iter().map(|one| {
        let href = format!("{address}&operation={}", crate::page::encoded(&one.operation));
        (one.operation.clone(), href, one.operation == backfill.operation)
    });
    let oldest = items.last().map_or(0, |item| item.position);
    Ok(Ledger::Items {
        operations: operations.collect(),
        older: (items.len() as i64 >= PAGE && oldest > 1).then(|| {
            format!(
                "{address}&operation={}&before={}",
                crate::page::encoded(&backfill.operation),
                oldest - 1
            )
        }),
        lines: items.iter().map(item).collect(),
    })
}

fn chunk(chunk: &Chunk) -> ChunkLine {
    let key = |key: &[String], none: &str| match key {
        [] => none.to_owned(),
        key => key.join(", "),
    };
    ChunkLine {
        id: chunk.id,
        lane: chunk.lane,
        from: key(&chunk.from, "the beginning"),
        to: key(&chunk.to, "the end"),
        rows: count(chunk.rows),
        took: millis(chunk.duration_ms as f64),
        at: Moment::new(&chunk.copied_at),
    }
}

fn item(item: &Item) -> ItemLine {
    ItemLine {
        position: count(item.position),
        value: item.value.clone().unwrap_or_default(),
        last_key: item.last_key.clone().unwrap_or_default(),
        rows: count(item.rows),
        batches: count(item.batches),
        is_done: item.is_done,
    }
}

fn count(number: i64) -> String {
    grouped(number.max(0).unsigned_abs())
}
