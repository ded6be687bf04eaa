//! Copying: refreshing the next part of a lane by a plain insert.

use std::time::Instant;

use corridor_pg::fence::Fence;
use corridor_pg::{Fault, FaultContext, Isolation, Result, Session};
use tokio_postgres::Transaction;

use crate::Mirror;
use crate::fault::LEDGER_MISSING;
use crate::lane::{Lane, key_at};
use crate::refresh::is_conflict;
use crate::sizer::Sizer;
use crate::statement::{KeyText, RANGE_SETTINGS, Range, Side};
use crate::unfit::Conflicts;

/// What one chunk did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkOutcome {
    /// Rows that the chunk inserted.
    pub rows: u64,
    /// Duration of the transaction, its commit included.
    pub elapsed_ms: u64,
    /// Estimated stored bytes of the rows.
    pub bytes: u64,
    /// The lane is copied to its end.
    pub is_lane_done: bool,
}

/// Rows that are looked at to learn how wide the next ones are.
const WIDTH_SAMPLE_ROWS: u32 = 50;

impl Mirror {
    /// Copies the next chunk of `lane`, sized by `sizer`, which learns from it.
    ///
    /// Two transactions: the claim, and then the rows together with the ledger. Killed between or within them, the next
    /// call claims anew and copies the same range.
    ///
    /// Locks: `ACCESS SHARE` on the source, `ROW EXCLUSIVE` on the target. Errors: `MIR-001` when the target refuses a row,
    /// `MIR-004` when a conflict would need the pending changes, and a truncate is among them.
    pub async fn copy_chunk(
        &self,
        session: &mut Session,
        fence: &Fence,
        lane: i32,
        sizer: &mut Sizer,
    ) -> Result<ChunkOutcome> {
        let held_off = self.gate.read().await;
        let outcome = self.copy_chunk_once(session, fence, lane, sizer, false).await;
        drop(held_off);
        match outcome {
            // A unique or exclusion constraint besides the key exists already, and a stale row of the target is in the way.
            Err(fault) if is_conflict(&fault) => {
                let _alone = self.gate.write().await;
                let _applier = self.applier.lock().await;
                self.copy_chunk_once(session, fence, lane, sizer, true).await
            }
            other => other,
        }
    }

    async fn copy_chunk_once(
        &self,
        session: &mut Session,
        fence: &Fence,
        lane_number: i32,
        sizer: &mut Sizer,
        is_alone: bool,
    ) -> Result<ChunkOutcome> {
        let lane = self.lane(&**session, lane_number).await?;
        if lane.is_done {
            return Ok(ChunkOutcome {
                rows: 0,
                elapsed_ms: 0,
                bytes: 0,
                is_lane_done: true,
            });
        }
        let started = Instant::now();
        let rest = lane.rest();
        let row_bytes = self.row_bytes(session, &rest).await?;
        let wanted_rows = sizer.next_rows(row_bytes);
        let end = self.chunk_end(session, &rest, wanted_rows).await?;
        if !self.claim(session, fence, &lane, end.as_ref()).await? {
            // Somebody else's chunk came in between; the next call looks again.
            return Ok(ChunkOutcome {
                rows: 0,
                elapsed_ms: 0,
                bytes: 0,
                is_lane_done: false,
            });
        }
        let range = Range {
            from: rest.from.clone(),
            to: end.clone().or(rest.to.clone()),
        };

        // Alone: one snapshot for the pending changes and for the chunk, so that no two states of the source mix.
        let isolation = if is_alone {
            Isolation::RepeatableRead
        } else {
            Isolation::ReadCommitted
        };
        let tx = session.begin(isolation).await?;
        self.lock_both(&tx).await?;
        if is_alone {
            self.lock_log(&tx).await?;
        }
        tx.batch_execute(RANGE_SETTINGS)
            .await
            .doing(|| "preparing to copy")?;
        fence.hold(&tx).await?;
        self.check_identity(&tx).await?;
        if is_alone && self.refresh_all(&tx).await?.is_truncated {
            return Err(self.truncated());
        }
        let rows = self.insert_range(&tx, &range, is_alone).await?;
        self.record_chunk(&tx, &lane, &range, end.as_ref(), rows, started)
            .await?;
        corridor_pg::failpoint::step("chunk", tx.commit())
            .await
            .doing(|| format!("committing a chunk of {}", self.spec().target))?;
        let elapsed_ms = started.elapsed().as_millis() as u64;
        sizer.observe(rows, elapsed_ms);
        Ok(ChunkOutcome {
            rows,
            elapsed_ms,
            bytes: rows * row_bytes,
            is_lane_done: end.is_none(),
        })
    }

    async fn insert_range(&self, tx: &Transaction<'_>, range: &Range, is_alone: bool) -> Result<u64> {
        let spec = self.spec();
        let order = match self.is_source_partitioned {
            true => String::new(),
            false => format!(" order by {}", spec.key_of("s")),
        };
        let sql = format!(
            "/* corridor */ insert into {} ({}) overriding system value select {} from {} s where {}{order}",
            spec.target,
            spec.column_list(),
            spec.values(),
            spec.source,
            spec.in_range("s", range),
        );
        let keys = format!(
            "(select {} from {} s where {}) as k",
            spec.key_as_own(Side::Source, "s"),
            spec.source,
            spec.in_range("s", range)
        );
        let conflicts = if is_alone {
            Conflicts::AreUnfit
        } else {
            Conflicts::ComeBack
        };
        self.insert_what_fits(tx, &sql, &keys, conflicts)
            .await
            .doing(|| format!("copying rows of {}", spec.source))
    }

    async fn record_chunk(
        &self,
        tx: &Transaction<'_>,
        lane: &Lane,
        range: &Range,
        end: Option<&KeyText>,
        rows: u64,
        started: Instant,
    ) -> Result<()> {
        let spec = self.spec();
        let at = match end {
            Some(end) => format!("({}) = row({})", spec.own_columns("at"), spec.key_literal(end)),
            None => "is_done = true".to_owned(),
        };
        let moved = tx
            .execute(
                &format!(
                    "update {} set {at}, claim_kind = 'none', ({}) = row({}), rows = rows + {rows} \
                     where lane = {} and not is_done and claim_kind <> 'none'",
                    spec.table("lane"),
                    spec.own_columns("claim"),
                    spec.key_or_nulls(None),
                    lane.lane
                ),
                &[],
            )
            .await
            .doing(|| "writing the ledger")?;
        if moved != 1 {
            return Err(self.ledger_missing(lane.lane));
        }
        let sql = format!(
            "insert into {} (lane, rows, duration_ms, {}, {}) values ({}, {rows}, {}, {}, {})",
            spec.table("chunk"),
            spec.own_columns("from"),
            spec.own_columns("to"),
            lane.lane,
            started.elapsed().as_millis(),
            spec.key_or_nulls(range.from.as_ref()),
            spec.key_or_nulls(range.to.as_ref())
        );
        tx.execute(&sql, &[]).await.doing(|| "writing the ledger")?;
        Ok(())
    }

    /// Says to everybody, durably enough to be seen, how far the next chunk will reach. `None`: to the lane's end.
    ///
    /// False when the lane has moved on since it was looked at: a chunk of a lost connection may have committed meanwhile, and
    /// a claim on an old look would take the lane back to before it.
    ///
    /// Without waiting for the disk: if the server dies, the chunk that follows has died too.
    async fn claim(
        &self,
        session: &mut Session,
        fence: &Fence,
        lane: &Lane,
        end: Option<&KeyText>,
    ) -> Result<bool> {
        let spec = self.spec();
        let kind = if end.is_some() { "key" } else { "end" };
        let tx = session.begin(Isolation::ReadCommitted).await?;
        tx.batch_execute("set local synchronous_commit = off")
            .await
            .doing(|| "claiming a chunk")?;
        fence.hold(&tx).await?;
        let claimed = tx
            .execute(
                &format!(
                    "update {} set claim_kind = '{kind}', ({}) = row({}) \
                     where lane = {} and not is_done and row({}) is not distinct from row({})",
                    spec.table("lane"),
                    spec.own_columns("claim"),
                    spec.key_or_nulls(end),
                    lane.lane,
                    spec.own_columns("at"),
                    spec.key_or_nulls(lane.at.as_ref()),
                ),
                &[],
            )
            .await
            .doing(|| "claiming a chunk")?;
        corridor_pg::failpoint::step("claim", tx.commit())
            .await
            .doing(|| "claiming a chunk")?;
        Ok(claimed == 1)
    }

    /// The key at which a chunk of `rows` rows ends (exclusive); `None`: there are not more rows than that.
    pub(crate) async fn chunk_end(
        &self,
        session: &mut Session,
        rest: &Range,
        rows: u64,
    ) -> Result<Option<KeyText>> {
        let spec = self.spec();
        let tx = session.begin(Isolation::ReadCommitted).await?;
        tx.batch_execute(RANGE_SETTINGS)
            .await
            .doing(|| "finding the end of a chunk")?;
        // The text is made of the one key that is found, not of each that is passed by.
        let sql = format!(
            "/* corridor */ select {} from (select {} from {} s where {} order by {} offset {rows} limit 1) as found",
            spec.key_as_text("found"),
            spec.key_of("s"),
            spec.source,
            spec.in_range("s", rest),
            spec.key_of("s")
        );
        let row = tx
            .query_opt(&sql, &[])
            .await
            .doing(|| "finding the end of a chunk")?;
        tx.rollback().await.doing(|| "finding the end of a chunk")?;
        Ok(row.and_then(|row| key_at(&row, 0, spec.key.len())))
    }

    async fn row_bytes(&self, session: &mut Session, rest: &Range) -> Result<u64> {
        let spec = self.spec();
        let tx = session.begin(Isolation::ReadCommitted).await?;
        tx.batch_execute(RANGE_SETTINGS)
            .await
            .doing(|| "sampling row widths")?;
        let sql = format!(
            "/* corridor */ select coalesce(avg(bytes), 0)::bigint from (select {} as bytes from {} s where {} order by {} limit {WIDTH_SAMPLE_ROWS}) as sampled",
            spec.stored_bytes_of("s"),
            spec.source,
            spec.in_range("s", rest),
            spec.key_of("s")
        );
        let bytes: i64 = tx
            .query_one(&sql, &[])
            .await
            .doing(|| "sampling row widths")?
            .get(0);
        tx.rollback().await.doing(|| "sampling row widths")?;
        Ok(bytes.unsigned_abs())
    }

    fn ledger_missing(&self, lane: i32) -> Fault {
        Fault::new(
            &LEDGER_MISSING,
            format!(
                "lane {lane} of {} is not claimed by us",
                self.spec().table("lane")
            ),
        )
    }
}
