//! Rounds: refreshing the keys that the change log names.

use std::collections::HashSet;
use std::time::Instant;

use corridor_pg::fence::Fence;
use corridor_pg::ident::join;
use corridor_pg::{Fault, FaultContext, Isolation, Result, Session};
use tokio::sync::{MutexGuard, RwLockWriteGuard};
use tokio_postgres::Transaction;

use crate::Mirror;
use crate::fault::{TOO_MANY_PENDING, TRUNCATED};
use crate::judgement::{Fate, fate};
use crate::statement::{LOOKUP_SETTINGS, Side};
use crate::unfit::Conflicts;

/// What one round did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Round {
    /// Changes that the round looked at.
    pub seen: u64,
    /// Changes whose keys it refreshed, and forgot.
    pub refreshed: u64,
    /// Changes that it forgot because a later chunk is certain to see them.
    pub forgotten: u64,
    /// Changes that it left because a chunk is in flight.
    pub left: u64,
    /// Rows deleted from the target.
    pub rows_deleted: u64,
    /// Rows written to the target.
    pub rows_written: u64,
    /// The log held nothing more in this round's snapshot.
    pub is_drained: bool,
    /// Where a reading of the log goes on that is longer than one round; 0: from its beginning.
    pub next_id: i64,
    /// A truncate waits: see [`Mirror::replay_truncate`]. Nothing else was done.
    pub is_truncated: bool,
    /// Duration, commit included.
    pub elapsed_ms: u64,
}

/// Changes that a snapshot sees, sorted by what may be done with them.
#[derive(Debug, Default)]
struct Batch {
    copied_ids: Vec<i64>,
    other_ids: Vec<i64>,
    is_truncated: bool,
    is_whole: bool,
    /// The lowest and the highest id.
    span: (i64, i64),
    /// Where to go on; 0: the snapshot sees no higher id.
    next_id: i64,
}

impl Batch {
    fn len(&self) -> u64 {
        (self.copied_ids.len() + self.other_ids.len()) as u64
    }

    /// The condition that a change `c` is one of `ids`, for a statement in the batch's own snapshot: there, all of the
    /// batch is all that lies between its ends, which spares a probe of each slot for each id.
    fn are(&self, ids: &[i64]) -> String {
        match ids.len() as u64 == self.len() {
            true => format!("c.id between {} and {}", self.span.0, self.span.1),
            false => one_of(ids),
        }
    }

    /// What may be done with each change. `claimed`: those whose keys a later snapshot saw copied or claimed.
    fn fates(&self, claimed: &HashSet<i64>) -> Vec<(i64, Fate)> {
        let copied = self.copied_ids.iter().map(|id| (*id, fate(true, true)));
        let others = self
            .other_ids
            .iter()
            .map(|id| (*id, fate(false, claimed.contains(id))));
        copied.chain(others).collect()
    }
}

/// While it lives, no chunk and no round of its mirror begins.
#[derive(Debug)]
pub struct Still<'a> {
    _alone: RwLockWriteGuard<'a, ()>,
    _applier: MutexGuard<'a, ()>,
}

/// The condition that a change `c` is one of `ids`. Written out: a statement for each row by itself takes no parameters.
fn one_of(ids: &[i64]) -> String {
    format!("c.id = any ('{{{}}}'::bigint[])", join(ids, ","))
}

/// Rows written and deleted in the target.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Refreshed {
    deleted: u64,
    written: u64,
}

/// A unique or an exclusion constraint besides the key has refused a row: another row, whose change is not taken in
/// yet, stands in its way. Taking in every change of one snapshot resolves it, because the source satisfies the
/// constraint there.
pub(crate) fn is_conflict(fault: &Fault) -> bool {
    matches!(fault.sqlstate(), Some("23505" | "23P01"))
}

impl Round {
    /// Of a mirror that has ended.
    fn over() -> Round {
        Round {
            is_drained: true,
            ..Round::default()
        }
    }
}

impl Mirror {
    /// Refreshes the keys of up to `limit` changes. `observer` is a second connection: it answers what is claimed
    /// *after* the round's snapshot was taken.
    ///
    /// `first_id` only saves work: the log is read from there, in order. Whoever passes more than 0 must come back with
    /// 0, because ids are assigned before commit.
    ///
    /// Locks: `ROW EXCLUSIVE` on target and log, `ACCESS SHARE` on the source. Errors: `MIR-001`.
    pub async fn round(
        &self,
        writer: &mut Session,
        observer: &Session,
        fence: &Fence,
        limit: i64,
        first_id: i64,
    ) -> Result<Round> {
        let outcome = {
            let _shared = self.gate.read().await;
            let _applier = self.applier.lock().await;
            self.round_once(writer, observer, fence, limit, first_id).await
        };
        match outcome {
            Err(fault) if is_conflict(&fault) => self.round_alone(writer, fence).await,
            // A row that went may have been what stood in the way of another one.
            Ok(round) if round.refreshed > 0 && self.has_conflicts(&**observer).await? => {
                self.round_alone(writer, fence).await
            }
            other => other,
        }
    }

    /// Refreshes every change that one snapshot sees, with copiers and rounds held off. Ends with the target equal
    /// to the source as of that snapshot, as far as it is copied; so unique indexes hold, and can be built.
    pub async fn round_alone(&self, writer: &mut Session, fence: &Fence) -> Result<Round> {
        let _alone = self.gate.write().await;
        let _applier = self.applier.lock().await;
        self.round_of_all(writer, fence).await
    }

    /// Holds off copiers and rounds until the result is dropped: for the swap, which refreshes the rest itself.
    pub async fn hold_still(&self) -> Still<'_> {
        Still {
            _alone: self.gate.write().await,
            _applier: self.applier.lock().await,
        }
    }

    /// True while copiers and rounds are held off: who wants to begin one waits.
    pub fn is_held(&self) -> bool {
        self.gate.try_read().is_err()
    }

    /// A round with no limit, for the holder of `still`.
    pub async fn round_still(
        &self,
        _still: &Still<'_>,
        writer: &mut Session,
        fence: &Fence,
    ) -> Result<Round> {
        self.round_of_all(writer, fence).await
    }

    /// Does `work` while no copier and no round runs, after a round that left the target equal to the source as of
    /// one snapshot. For building indexes.
    pub async fn while_still<T>(
        &self,
        writer: &mut Session,
        fence: &Fence,
        work: impl AsyncFnOnce(&mut Session) -> Result<T>,
    ) -> Result<T> {
        let _alone = self.gate.write().await;
        let _applier = self.applier.lock().await;
        let round = self.round_of_all(writer, fence).await?;
        if round.is_truncated {
            return Err(self.truncated());
        }
        work(writer).await
    }

    async fn round_once(
        &self,
        writer: &mut Session,
        observer: &Session,
        fence: &Fence,
        limit: i64,
        first_id: i64,
    ) -> Result<Round> {
        if self.is_over() {
            return Ok(Round::over());
        }
        let started = Instant::now();
        let tx = self.begin_round(writer, fence).await?;
        let batch = self.read_batch(&tx, limit, first_id).await?;
        let mut round = Round {
            seen: batch.len(),
            is_drained: batch.is_whole,
            ..Round::default()
        };
        if batch.is_truncated {
            round.is_truncated = true;
            round.is_drained = false;
            return Ok(round);
        }
        let claimed = match batch.other_ids.is_empty() {
            true => HashSet::new(),
            false => self.claimed(observer, &batch.other_ids).await?,
        };
        let fates = batch.fates(&claimed);
        let with = |wanted: Fate| {
            fates
                .iter()
                .filter(move |(_, fate)| *fate == wanted)
                .map(|(id, _)| *id)
        };
        let to_refresh: Vec<i64> = with(Fate::Refresh).collect();
        let to_forget: Vec<i64> = with(Fate::Forget).collect();
        let mut refreshed = Refreshed::default();
        if !to_refresh.is_empty() {
            let wanted = batch.are(&to_refresh);
            refreshed = self.refresh_keys(&tx, &wanted, Conflicts::ComeBack).await?;
        }
        let done: Vec<i64> = to_refresh.iter().chain(&to_forget).copied().collect();
        if !done.is_empty() {
            self.forget(&tx, &batch.are(&done)).await?;
        }
        corridor_pg::failpoint::step("round", tx.commit())
            .await
            .doing(|| format!("committing a round on {}", self.spec().target))?;
        round.refreshed = to_refresh.len() as u64;
        round.forgotten = to_forget.len() as u64;
        round.left = round.seen - round.refreshed - round.forgotten;
        round.rows_deleted = refreshed.deleted;
        round.rows_written = refreshed.written;
        round.next_id = batch.next_id;
        round.elapsed_ms = started.elapsed().as_millis() as u64;
        Ok(round)
    }

    /// A round with no limit, while copiers and other rounds are held off.
    async fn round_of_all(&self, writer: &mut Session, fence: &Fence) -> Result<Round> {
        if self.is_over() {
            return Ok(Round::over());
        }
        let started = Instant::now();
        let tx = self.begin_round(writer, fence).await?;
        let mut round = self.refresh_all(&tx).await?;
        if round.is_truncated {
            return Ok(round);
        }
        corridor_pg::failpoint::step("round", tx.commit())
            .await
            .doing(|| format!("committing a round on {}", self.spec().target))?;
        round.elapsed_ms = started.elapsed().as_millis() as u64;
        Ok(round)
    }

    /// Refreshes, and forgets, every change that the snapshot of `tx` sees. `tx` must be repeatable read, so that all
    /// these statements mean the same changes, and copiers and rounds must be held off: then no chunk is in flight, and
    /// what is not copied now will be copied by a chunk that begins later.
    ///
    /// The changes stay on the server: one statement of the application may have written millions of them.
    pub(crate) async fn refresh_all(&self, tx: &Transaction<'_>) -> Result<Round> {
        self.retry_conflicts(tx).await?;
        let spec = self.spec();
        let change = spec.table("change");
        let sql = format!(
            "select count(*), count(*) filter (where {}), coalesce(bool_or(is_truncate), false), \
             count(*) filter (where {}) from {change} c",
            self.is_copied_change(),
            self.is_settled_change()
        );
        let row = tx.query_one(&sql, &[]).await.doing(|| "reading the change log")?;
        if row.get(2) {
            return Ok(Round {
                is_truncated: true,
                ..Round::default()
            });
        }
        let (seen, copied, settled) = (row.get::<_, i64>(0), row.get::<_, i64>(1), row.get::<_, i64>(3));
        let mut round = Round {
            seen: seen.unsigned_abs(),
            refreshed: copied.unsigned_abs(),
            forgotten: (settled - copied).unsigned_abs(),
            left: (seen - settled).unsigned_abs(),
            is_drained: settled == seen,
            ..Round::default()
        };
        if copied > 0 {
            let refreshed = self
                .refresh_keys(tx, &self.is_copied_change(), Conflicts::AreUnfit)
                .await?;
            round.rows_deleted = refreshed.deleted;
            round.rows_written = refreshed.written;
        }
        if settled > 0 {
            self.forget(tx, &self.is_settled_change()).await?;
        }
        Ok(round)
    }

    /// Begins the transaction of a round; its snapshot is taken.
    async fn begin_round<'a>(&self, writer: &'a mut Session, fence: &Fence) -> Result<Transaction<'a>> {
        let tx = writer.begin(Isolation::RepeatableRead).await?;
        self.lock_both(&tx).await?;
        self.lock_log(&tx).await?;
        tx.batch_execute(LOOKUP_SETTINGS)
            .await
            .doing(|| "preparing a round")?;
        fence.hold(&tx).await?; // the snapshot is taken here
        self.check_identity(&tx).await?;
        Ok(tx)
    }

    /// Refreshes the last changes inside the transaction of a swap, in which the source is locked against writers.
    ///
    /// Errors: `MIR-005` when more than `limit` are pending, `MIR-004` when a truncate waits.
    pub async fn refresh_rest(&self, tx: &Transaction<'_>, limit: i64) -> Result<u64> {
        tx.batch_execute(LOOKUP_SETTINGS)
            .await
            .doing(|| "preparing the last refresh")?;
        let batch = self.read_batch(tx, limit, 0).await?;
        // A truncate that waits, or one that was replayed and whose copy is not through.
        if batch.is_truncated || !self.is_copied(tx).await? {
            return Err(self.truncated());
        }
        if !batch.is_whole {
            return Err(Fault::new(
                &TOO_MANY_PENDING,
                format!("more than {limit} changes of {} are pending", self.spec().source),
            ));
        }
        if !batch.copied_ids.is_empty() {
            // By their ids: each statement here has a snapshot of its own, and between two a repair may come in.
            let wanted = one_of(&batch.copied_ids);
            self.refresh_keys(tx, &wanted, Conflicts::AreUnfit).await?;
            self.forget(tx, &wanted).await?;
        }
        tx.batch_execute(
            "reset enable_seqscan; reset enable_hashjoin; reset enable_mergejoin; reset enable_bitmapscan; reset plan_cache_mode",
        )
        .await
        .doing(|| "ending the last refresh")?;
        Ok(batch.copied_ids.len() as u64)
    }

    async fn read_batch(&self, tx: &Transaction<'_>, limit: i64, first_id: i64) -> Result<Batch> {
        let spec = self.spec();
        let change = spec.table("change");
        let is_truncated: bool = tx
            .query_one(
                &format!("select exists (select from {change} where is_truncate)"),
                &[],
            )
            .await
            .doing(|| "reading the change log")?
            .get(0);
        if is_truncated {
            return Ok(Batch {
                is_truncated,
                ..Batch::default()
            });
        }
        let sql = format!(
            "select c.id, {} from (select * from {change} where id >= $2 order by id limit $1) as c",
            self.is_copied_change()
        );
        let asked = limit.saturating_add(1);
        let rows = tx
            .query(&sql, &[&asked, &first_id])
            .await
            .doing(|| "reading the change log")?;
        let mut batch = Batch {
            is_whole: rows.len() as i64 <= limit && first_id == 0,
            ..Batch::default()
        };
        for row in rows.iter().take(usize::try_from(limit).unwrap_or(usize::MAX)) {
            let ids = if row.get(1) {
                &mut batch.copied_ids
            } else {
                &mut batch.other_ids
            };
            ids.push(row.get(0));
        }
        batch.span = match rows.len().min(usize::try_from(limit).unwrap_or(usize::MAX)) {
            0 => (0, 0),
            taken => (rows[0].get(0), rows[taken - 1].get(0)),
        };
        if rows.len() as i64 > limit {
            batch.next_id = batch.span.1.saturating_add(1);
        }
        Ok(batch)
    }

    /// The key of change `c` is copied, as the statement's snapshot sees the lanes.
    fn is_copied_change(&self) -> String {
        let spec = self.spec();
        let lane = spec.table("lane");
        // Once every lane is copied there is nothing to sort out.
        format!(
            "case when (select bool_and(is_done) from {lane}) then true \
             else exists (select from {lane} l where {}) end",
            spec.is_copied(&spec.own_key("c", "k"))
        )
    }

    /// The key of change `c` is copied, or no chunk has claimed it, as the statement's snapshot sees the lanes: a round of
    /// all changes forgets it.
    ///
    /// The chunks of this process are held off, and claims with them, so nothing can be claimed after this snapshot. But a
    /// chunk whose connection was lost may still commit; its claim is seen here, and its keys are left alone.
    fn is_settled_change(&self) -> String {
        let spec = self.spec();
        format!(
            "({} or not exists (select from {} l where {}))",
            self.is_copied_change(),
            spec.table("lane"),
            spec.is_claimed(&spec.own_key("c", "k"))
        )
    }

    /// Which of these changes lie in a range that is copied or claimed, in a snapshot that is taken now.
    ///
    /// A change that is gone from the log by then counts as claimed: nothing is certain about it.
    async fn claimed(&self, observer: &Session, ids: &[i64]) -> Result<HashSet<i64>> {
        let spec = self.spec();
        let sql = format!(
            "select c.id from {} c where c.id = any ($1) and not exists (select from {} l where {})",
            spec.table("change"),
            spec.table("lane"),
            spec.is_claimed(&spec.own_key("c", "k"))
        );
        let rows = observer
            .query(&sql, &[&ids])
            .await
            .doing(|| "asking which keys are claimed")?;
        let unclaimed: HashSet<i64> = rows.iter().map(|row| row.get(0)).collect();
        Ok(ids.iter().copied().filter(|id| !unclaimed.contains(id)).collect())
    }

    /// The refresh itself: whatever the target has for the keys of the changes `c` that are `wanted` goes, whatever the
    /// source has is written.
    async fn refresh_keys(
        &self,
        tx: &Transaction<'_>,
        wanted: &str,
        conflicts: Conflicts,
    ) -> Result<Refreshed> {
        let spec = self.spec();
        let keys = format!(
            "(select distinct {} from {} c where {wanted}) as k",
            spec.own_key("c", "k"),
            spec.table("change")
        );
        let doing = || format!("refreshing keys of {}", spec.target);
        let delete = format!(
            "/* corridor */ delete from {} t using {keys} where {}",
            spec.target,
            spec.key_equals_own(Side::Target, "t", "k", "k")
        );
        let insert = format!(
            "/* corridor */ insert into {} ({}) overriding system value select {} from {keys} join {} s on {}",
            spec.target,
            spec.column_list(),
            spec.values(),
            spec.source,
            spec.key_equals_own(Side::Source, "s", "k", "k")
        );
        let deleted = tx.execute(&delete, &[]).await.doing(doing)?;
        if spec.is_noting_unfit {
            let same = (1..=spec.key.len()).map(|i| format!("u.k{i} = k.k{i}"));
            let sql = format!(
                "delete from {} u using {keys} where {}",
                spec.table("unfit"),
                join(same, " and ")
            );
            tx.execute(&sql, &[]).await.doing(doing)?;
        }
        let written = self
            .insert_what_fits(tx, &insert, &keys, conflicts)
            .await
            .doing(doing)?;
        Ok(Refreshed { deleted, written })
    }

    /// Deletes the changes `c` that are `wanted`.
    async fn forget(&self, tx: &Transaction<'_>, wanted: &str) -> Result<()> {
        let sql = format!("delete from {} c where {wanted}", self.spec().table("change"));
        tx.batch_execute(&sql).await.doing(|| "forgetting changes")
    }

    pub(crate) fn truncated(&self) -> Fault {
        Fault::new(&TRUNCATED, format!("{} was truncated", self.spec().source))
    }
}
