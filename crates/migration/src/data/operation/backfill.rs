//! Many rows, in batches along a key: each batch in one transaction with its entry in the ledger.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use corridor_pg::fault::{CANCELLED, OUT_OF_RESOURCES};
use corridor_pg::ident::{join, parse_name};
use corridor_pg::{Fault, FaultContext, Ident, Isolation, Literal, Result, Retry, Session};
use serde_json::json;
use tokio_postgres::Transaction;

use super::Hands;
use super::key::Key;
use super::trace::Trace;
use crate::data::News;
use crate::data::deck::{Deck, Halt, Step};
use crate::data::fault::BATCH_FAILED;
use crate::data::ledger::{self, Frozen, Item, Total};
use crate::data::query_id;
use crate::definition::{Backfill, placeholder};

/// Rows of the first batch.
const ROWS_DEFAULT: u64 = 1_000;
/// Fewest and most rows of a batch.
const ROWS_RANGE: (u64, u64) = (1, 200_000);
/// A commit of so few rows takes its time whatever they are.
const ROWS_FEW: u64 = 100;
/// How long a batch waits for a row that the application holds, before it steps back.
const LOCK_TIMEOUT_MS: u32 = 2_000;
/// A batch that took this many times its target was too large by far.
const FAR_OVER: f64 = 2.0;
/// Between two reports.
const REPORT_INTERVAL: Duration = Duration::from_millis(500);
/// Tries of one batch in a row that met a lock or a deadlock.
const TRIES_MAX: u32 = 100;
/// Tries of one batch that was too much for the server, each with an eighth of the rows: enough to come down to a single one.
const SHRINKS_MAX: u32 = 8;
const SHRINK_BY: u64 = 8;
/// Pause before the first of them, doubled each time, and the longest.
const SHRINK_PAUSE_MS: (u64, u64) = (250, 15_000);

/// What the batches are made of.
struct Course<'a> {
    operation: &'a str,
    backfill: &'a Backfill,
    key: Key,
    frozen: Frozen,
}

/// What one batch came to.
struct Batch {
    rows: u64,
    /// How many were wanted.
    wanted: u64,
    last_key: Option<Vec<String>>,
    /// How long it took, as far as its size can have to do with it.
    took: Duration,
}

pub(super) async fn carry_out(hands: &mut Hands<'_>, backfill: &Backfill) -> Step<()> {
    let mut trace = Trace::default();
    let ended = all_batches(hands, backfill, &mut trace).await;
    match trace.number() {
        Some(number) if ended.is_err() => hands.settle(number, false, ended).await,
        _ => ended,
    }
}

/// What it would be refused for as the database is: a table that is not there, or that has no key.
pub(in crate::data) async fn look_ahead(session: &mut Session, backfill: &Backfill) -> Result<()> {
    Key::read(session, &backfill.table).await.map(drop)
}

pub(super) async fn take_back(hands: &mut Hands<'_>, backfill: &Backfill) -> Step<()> {
    super::sql::take_back(hands, backfill.rollback.as_deref(), None).await
}

async fn all_batches(hands: &mut Hands<'_>, backfill: &Backfill, trace: &mut Trace) -> Step<()> {
    let (deck, operation) = (hands.deck, hands.operation);
    let session = hands.session().await?;
    let key = Key::read(session, &backfill.table).await?;
    let frozen = ledger::freeze(session, &deck.lease, operation, backfill.for_each.as_deref()).await?;
    let mut meter = Meter::new(
        ledger::total(&**session, deck.id(), operation).await?,
        frozen.items,
    );
    let course = Course {
        operation,
        backfill,
        key,
        frozen,
    };
    let mut rows = backfill.rows.map_or(ROWS_DEFAULT, u64::from);
    loop {
        let session = hands.session().await?;
        let Some(mut item) = ledger::next(&**session, deck.id(), operation).await? else {
            break;
        };
        loop {
            deck.leave_to_go_on().await?;
            let batch = course.batch(hands, trace, &item, rows).await?;
            let is_over = batch.last_key.is_none();
            meter.add(batch.rows, is_over);
            if meter.is_due() {
                report(hands, &course, &mut meter, &item).await?;
            }
            if is_over {
                break;
            }
            item.last_key = batch.last_key;
            rows = next_rows(batch.wanted, batch.took, deck.settings.borrow().chunk_target_ms);
        }
    }
    let total = meter.total;
    hands
        .note(json!({ "rows": total.rows, "items": course.frozen.items, "items_done": total.items_done }))
        .await?;
    trace.end(hands).await?;
    hands.done().await
}

/// Memory, disk, or the time that a batch may take: fewer rows may go through.
fn is_too_much(fault: &Fault) -> bool {
    [OUT_OF_RESOURCES.id, CANCELLED.id].contains(&fault.code().id)
}

/// At most half as many again, and at once fewer when a batch took far too long.
fn next_rows(rows: u64, took: Duration, target_ms: u64) -> u64 {
    let ratio = target_ms as f64 / (took.as_secs_f64() * 1_000.0).max(0.1);
    let factor = if ratio < 1.0 / FAR_OVER {
        ratio
    } else {
        ratio.clamp(0.8, 1.5)
    };
    ((rows as f64 * factor) as u64).clamp(ROWS_RANGE.0, ROWS_RANGE.1)
}

impl Course<'_> {
    /// One batch, tried again when somebody holds its rows, and with fewer rows when it was too much for the server.
    async fn batch(
        &self,
        hands: &mut Hands<'_>,
        trace: &mut Trace,
        item: &Item,
        mut rows: u64,
    ) -> Step<Batch> {
        let (mut tries, mut shrinks) = (0, 0);
        loop {
            let deck = hands.deck;
            self.write_down(hands, trace, item).await?;
            let session = hands.session().await?;
            if !trace.is_of(session) {
                continue;
            }
            let canceller = session.cancel_token();
            let tried = deck
                .or_cancel(&canceller, self.try_batch(deck, session, trace.tag(), item, rows))
                .await;
            let fault = match tried {
                Err(Halt::Fault(fault)) if fault.code().retry == Retry::AfterPause => fault,
                other => return other,
            };
            let pause = if is_too_much(&fault) {
                shrinks += 1;
                if shrinks >= SHRINKS_MAX {
                    let detail = format!("{}, {rows} rows: {fault}", self.operation);
                    return Err(Fault::new(&BATCH_FAILED, detail).caused_by(fault).into());
                }
                rows = (rows / SHRINK_BY).max(ROWS_RANGE.0);
                Duration::from_millis((SHRINK_PAUSE_MS.0 << (shrinks - 1)).min(SHRINK_PAUSE_MS.1))
            } else {
                tries += 1;
                if tries >= TRIES_MAX {
                    return Err(Halt::Fault(fault));
                }
                Duration::from_millis(fastrand::u64(100..=1_000))
            };
            deck.retrying(fault.to_string(), pause);
            deck.pause(pause).await?;
        }
    }

    /// Says, committed, what the batches over this connection run.
    async fn write_down(&self, hands: &mut Hands<'_>, trace: &mut Trace, item: &Item) -> Step<()> {
        let session = hands.session().await?;
        if trace.is_of(session) {
            return Ok(());
        }
        if !trace.is_known() {
            // Any key makes a statement of the same kind.
            let key = self.any_key(session).await?;
            let mut query_ids = Vec::new();
            for after in [None, Some(&key)] {
                let after = after.and_then(|key| key.as_deref());
                if let Some(key) = &key {
                    let statement = self.statement("", item, after, key)?;
                    query_ids.extend(query_id::ahead(session, &statement).await);
                }
            }
            if item.last_key.is_some() {
                query_ids.reverse();
            }
            trace.learn(query_ids);
        }
        Ok(trace.begin(hands).await?)
    }

    async fn any_key(&self, session: &Session) -> Result<Option<Vec<String>>> {
        let sql = self.key.last_of_next(&self.alias(), None, None, 1);
        let row = session
            .query_opt(&sql, &[])
            .await
            .doing(|| format!("looking for the first key of {}", self.operation))?;
        Ok(row.map(|row| row.get(0)))
    }

    async fn try_batch(
        &self,
        deck: &Deck,
        session: &mut Session,
        tag: &str,
        item: &Item,
        rows: u64,
    ) -> Result<Batch> {
        let doing = || format!("a batch of {}", self.operation);
        let tx = session.begin(Isolation::ReadCommitted).await?;
        deck.lease.fence().hold(&tx).await?;
        tx.batch_execute(&format!(
            "set local lock_timeout = {LOCK_TIMEOUT_MS}; set local statement_timeout = '30min'"
        ))
        .await
        .doing(doing)?;
        let after = item.last_key.as_deref();
        let each = self.each(item);
        // Without the filter each value of a list would go along all rows of the table; with it an index can lead to its own.
        let is_led = self.backfill.for_each.is_some() || self.backfill.statement.is_some();
        let filter = match &self.backfill.filter {
            Some(filter) if is_led => Some(placeholder::fill(filter, each.as_deref(), None)),
            _ => None,
        };
        tx.batch_execute("set local search_path to default; set local row_security to default")
            .await
            .doing(doing)?;
        let begun = Instant::now();
        let last: Option<Vec<String>> = tx
            .query_opt(
                &self
                    .key
                    .last_of_next(&self.alias(), after, filter.as_deref(), rows),
                &[],
            )
            .await
            .doing(doing)?
            .map(|row| row.get(0));
        let mut done = 0;
        if let Some(last) = &last {
            done = self.change(&tx, tag, item, after, last).await?;
        }
        let statements = begun.elapsed();
        tx.batch_execute("set local search_path = pg_catalog, pg_temp")
            .await
            .doing(doing)?;
        ledger::advance(
            &tx,
            deck.id(),
            self.operation,
            item.position,
            last.as_deref(),
            done,
        )
        .await?;
        corridor_pg::failpoint::step("batch", tx.commit())
            .await
            .doing(doing)?;
        Ok(Batch {
            rows: done,
            wanted: rows,
            last_key: last,
            // Where each commit is slow (a disk, a replica), fewer rows would only mean more commits.
            took: if rows <= ROWS_FEW {
                statements
            } else {
                begun.elapsed()
            },
        })
    }

    async fn change(
        &self,
        tx: &Transaction<'_>,
        tag: &str,
        item: &Item,
        after: Option<&[String]>,
        last: &[String],
    ) -> Result<u64> {
        let sql = self.statement(&format!("/* {tag} */ "), item, after, last)?;
        let doing = || format!("a batch of {}", self.operation);
        tx.execute(&sql, &[]).await.doing(doing)
    }

    /// The item's value as a literal.
    fn each(&self, item: &Item) -> Option<String> {
        let value = item.value.as_ref()?;
        let value_type = self.frozen.value_type.as_deref().unwrap_or("text");
        Some(format!("({}::{value_type})", Literal(value)))
    }

    /// What the table is called in the statements.
    fn alias(&self) -> String {
        match &self.backfill.alias {
            Some(alias) => parse_name(alias).map_or_else(|_| alias.clone(), |parts| join(parts, ".")),
            None if self.backfill.statement.is_some() => self.key.table.name.to_string(),
            None => "t".to_owned(),
        }
    }

    /// One batch's statement, behind `comment`.
    fn statement(
        &self,
        comment: &str,
        item: &Item,
        after: Option<&[String]>,
        last: &[String],
    ) -> Result<String> {
        let backfill = self.backfill;
        let alias = self.alias();
        let range = self.key.range(&alias, after, last);
        let each = self.each(item);
        if let Some(statement) = &backfill.statement {
            let statement = statement.trim().trim_end_matches(';');
            return Ok(comment.to_owned() + &placeholder::fill(statement, each.as_deref(), Some(&range)));
        }
        let mut columns = Vec::new();
        for (column, expression) in &backfill.set {
            columns.push(format!("{} = ({expression})", Ident::new(column.as_str())?));
        }
        let filter = backfill
            .filter
            .as_ref()
            .map_or(String::new(), |filter| format!(" and ({filter})"));
        let sql = format!(
            "update {} t set {} where {range}{filter}",
            self.key.table,
            columns.join(", ")
        );
        Ok(comment.to_owned() + &placeholder::fill(&sql, each.as_deref(), None))
    }
}

/// How fast it goes.
struct Meter {
    total: Total,
    items: u64,
    /// When, and how many rows there were.
    seen: VecDeque<(Instant, u64)>,
    said: Instant,
}

impl Meter {
    fn new(total: Total, items: u64) -> Self {
        Meter {
            total,
            items,
            seen: VecDeque::from([(Instant::now(), total.rows)]),
            said: Instant::now(),
        }
    }

    fn add(&mut self, rows: u64, is_item_done: bool) {
        self.total.rows += rows;
        self.total.batches += u64::from(!is_item_done);
        self.total.items_done += u64::from(is_item_done);
    }

    fn is_due(&self) -> bool {
        self.said.elapsed() >= REPORT_INTERVAL
    }

    fn rows_per_s(&mut self) -> f64 {
        self.said = Instant::now();
        self.seen.push_back((Instant::now(), self.total.rows));
        if self.seen.len() > 10 {
            self.seen.pop_front();
        }
        let Some((since, rows)) = self.seen.front() else {
            return 0.0;
        };
        (self.total.rows - rows) as f64 / since.elapsed().as_secs_f64().max(0.001)
    }
}

async fn report(
    hands: &mut Hands<'_>,
    course: &Course<'_>,
    meter: &mut Meter,
    item: &Item,
) -> Result<(), Fault> {
    let rows_per_s = meter.rows_per_s();
    let at = item.last_key.as_ref().map(|key| key.join(", "));
    hands
        .note(json!({
            "rows": meter.total.rows,
            "rows_per_s": rows_per_s.round(),
            "items": meter.items,
            "items_done": meter.total.items_done,
            "each": item.value,
            "at": at,
        }))
        .await?;
    hands.deck.say(&News::Rows {
        operation: course.operation.to_owned(),
        rows: meter.total.rows,
        rows_per_s,
        items_done: meter.total.items_done,
        items: meter.items,
        at,
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_grow_by_half_at_most_and_shrink_at_once() {
        assert_eq!(next_rows(1_000, Duration::from_millis(10), 500), 1_500);
        assert_eq!(next_rows(1_000, Duration::from_millis(600), 500), 833);
        assert_eq!(next_rows(1_000, Duration::from_millis(5_000), 500), 100);
        assert_eq!(next_rows(1, Duration::from_secs(60), 500), 1);
        assert_eq!(next_rows(200_000, Duration::from_millis(1), 500), 200_000);
    }
}
