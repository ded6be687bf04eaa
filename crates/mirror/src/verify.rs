//! Proof: comparing source and target range by range, each at one snapshot.
//!
//! Keys with pending changes are left out: they are explained, and a round will refresh them. They are noted, and compared
//! by themselves afterwards ([`crate::left_out`]). Rows that are noted not to fit are left out too. Whatever else differs is a
//! fault: it is listed by key, written into the change log (so the next round refreshes it like any other change), and
//! its range is compared again once that has happened.

use std::fmt::Write as _;
use std::time::Instant;

use corridor_pg::fence::Fence;
use corridor_pg::{Fault, FaultContext, Isolation, Result, Session};
use tokio_postgres::{GenericClient, Transaction};

use crate::Mirror;
use crate::fault::UNEXPLAINED_DIFFERENCE;
use crate::lane::{Lane, key_at};
pub use crate::report::Report;
use crate::sizer::Sizer;
use crate::statement::{COMPARE_SETTINGS, Range, Side};

/// Differing keys that are listed (and repaired) at a time. A range with more is compared, repaired and compared again.
const DIFFERENCES_MAX: i64 = 50_000;
/// A range that still differs after so many repairs is not going to be repaired.
pub const REPAIRS_MAX: i32 = 5;

/// The comparison of one range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Checked {
    /// Rows compared, on the source's side.
    pub rows: u64,
    /// Keys left out because a change of theirs was pending, or because their row is known not to fit.
    pub pending_keys: u64,
    /// Keys that differed without explanation; they are being repaired, and the range will be compared again.
    pub differing_keys: u64,
    /// Nothing was compared: a repair of this range waits for a round.
    pub is_waiting: bool,
    /// The lane is compared to its end, without differences.
    pub is_lane_done: bool,
    /// Duration, commit included.
    pub elapsed_ms: u64,
}

struct Sums {
    rows: i64,
    digest: i64,
}

/// Where the verification of a lane goes on.
struct Cursor {
    seq: i32,
    rest: Range,
    /// The last comparison of this very range found differences.
    repeated: Option<Range>,
    repairs: i32,
    is_done: bool,
}

impl Mirror {
    /// Compares the next range of `lane` in verification `run`. The lanes must be copied.
    ///
    /// Locks: `ACCESS SHARE` on both sides. Errors: `MIR-003` when a repaired range keeps differing, `MIR-004` when a
    /// truncate waits.
    pub async fn verify_next(
        &self,
        session: &mut Session,
        fence: &Fence,
        run: i32,
        lane: &Lane,
        sizer: &mut Sizer,
    ) -> Result<Checked> {
        let started = Instant::now();
        let cursor = self.cursor(session, run, lane).await?;
        if cursor.is_done {
            return Ok(Checked {
                is_lane_done: true,
                ..Checked::default()
            });
        }
        if cursor.repairs >= REPAIRS_MAX {
            return Err(self.unexplained(session, run).await);
        }
        let (range, is_last) = match &cursor.repeated {
            Some(range) => {
                if self.has_pending_repair(session, run).await? {
                    return Ok(Checked {
                        is_waiting: true,
                        ..Checked::default()
                    });
                }
                (range.clone(), range.to == lane.range.to)
            }
            None => {
                let end = self.chunk_end(session, &cursor.rest, sizer.next_rows(0)).await?;
                let is_last = end.is_none();
                (
                    Range {
                        from: cursor.rest.from.clone(),
                        to: end.or(cursor.rest.to.clone()),
                    },
                    is_last,
                )
            }
        };
        let _reads = self.readers.read().await;
        let tx = session.begin(Isolation::RepeatableRead).await?;
        self.lock_both(&tx).await?;
        self.lock_log(&tx).await?;
        tx.batch_execute(COMPARE_SETTINGS)
            .await
            .doing(|| "preparing to verify")?;
        fence.hold(&tx).await?; // the snapshot is taken here
        self.check_identity(&tx).await?;
        if !self.is_copied(&tx).await? {
            return Err(self.truncated()); // replayed since the lanes were looked at
        }
        let pending = self.pending_in(&tx, &range).await?;
        if pending > 0 {
            self.note_left_out(&tx, run, &range).await?;
            // The log has no statistics, and reading it without an index costs so much here that every plan costs the
            // same: each row of the range would be compared with each pending change.
            tx.batch_execute("set local enable_nestloop = off")
                .await
                .doing(|| "preparing to verify beside pending changes")?;
        }
        let source = self.sums(&tx, Side::Source, &range, pending > 0).await?;
        let target = self.sums(&tx, Side::Target, &range, pending > 0).await?;
        let is_equal = source.rows == target.rows && source.digest == target.digest;
        let differing = if is_equal {
            0
        } else {
            self.list_differences(&tx, run, &range, pending > 0).await?
        };
        let elapsed_ms = started.elapsed().as_millis() as u64;
        let spec = self.spec();
        let sql = format!(
            "insert into {} (run, lane, seq, source_rows, target_rows, source_digest, target_digest, pending_keys, \
             differing_keys, is_last, duration_ms, {}, {}) values ({run}, {}, {}, {}, {}, {}, {}, {pending}, {differing}, \
             {is_last}, {elapsed_ms}, {}, {})",
            spec.table("check"),
            spec.own_columns("from"),
            spec.own_columns("to"),
            lane.lane,
            cursor.seq + 1,
            source.rows,
            target.rows,
            source.digest,
            target.digest,
            spec.key_or_nulls(range.from.as_ref()),
            spec.key_or_nulls(range.to.as_ref()),
        );
        tx.execute(&sql, &[])
            .await
            .doing(|| "recording a verified range")?;
        corridor_pg::failpoint::step("verified", tx.commit())
            .await
            .doing(|| "recording a verified range")?;
        let elapsed_ms = started.elapsed().as_millis() as u64;
        sizer.observe(source.rows.unsigned_abs(), elapsed_ms);
        Ok(Checked {
            rows: source.rows.unsigned_abs(),
            pending_keys: pending.unsigned_abs(),
            differing_keys: differing,
            is_waiting: false,
            is_lane_done: is_last && is_equal,
            elapsed_ms,
        })
    }

    /// The number of the newest run, 0 when there is none.
    pub async fn last_run(&self, client: &impl GenericClient) -> Result<i32> {
        let sql = format!("select coalesce(max(run), 0) from {}", self.spec().table("check"));
        Ok(client
            .query_one(&sql, &[])
            .await
            .doing(|| "reading the verification")?
            .get(0))
    }

    async fn cursor(&self, session: &Session, run: i32, lane: &Lane) -> Result<Cursor> {
        let spec = self.spec();
        let width = spec.key.len();
        let sql = format!(
            "select seq, differing_keys, is_last, {}, {} from {} where run = $1 and lane = $2 order by seq desc limit {}",
            spec.own_text("from"),
            spec.own_text("to"),
            spec.table("check"),
            REPAIRS_MAX
        );
        let rows = session
            .query(&sql, &[&run, &lane.lane])
            .await
            .doing(|| "reading the verification")?;
        let Some(last) = rows.first() else {
            return Ok(Cursor {
                seq: 0,
                rest: lane.range.clone(),
                repeated: None,
                repairs: 0,
                is_done: false,
            });
        };
        let range = Range {
            from: key_at(last, 3, width),
            to: key_at(last, 3 + width, width),
        };
        let differs = |row: &tokio_postgres::Row| row.get::<_, i64>(1) > 0;
        let repairs = rows.iter().take_while(|row| differs(row)).count() as i32;
        Ok(Cursor {
            seq: last.get(0),
            rest: Range {
                from: range.to.clone(),
                to: lane.range.to.clone(),
            },
            repeated: differs(last).then_some(range),
            repairs,
            is_done: last.get::<_, bool>(2) && !differs(last),
        })
    }

    async fn has_pending_repair(&self, session: &Session, run: i32) -> Result<bool> {
        let spec = self.spec();
        let same = (1..=spec.key.len()).map(|i| format!("d.k{i} = c.k{i}"));
        let sql = format!(
            "select exists (select from {} d join {} c on {} where d.run = $1)",
            spec.table("difference"),
            spec.table("change"),
            corridor_pg::ident::join(same, " and ")
        );
        Ok(session
            .query_one(&sql, &[&run])
            .await
            .doing(|| "asking for pending repairs")?
            .get(0))
    }

    async fn pending_in(&self, tx: &Transaction<'_>, range: &Range) -> Result<i64> {
        let spec = self.spec();
        let sql = format!(
            "select count(distinct ({})) filter (where not is_truncate), coalesce(bool_or(is_truncate), false) from {} c where {} or is_truncate",
            spec.own_key("c", "k"),
            spec.table("change"),
            spec.own_in_range("c", "k", range)
        );
        let row = tx
            .query_one(&sql, &[])
            .await
            .doing(|| "reading pending changes")?;
        if row.get(1) {
            return Err(self.truncated());
        }
        let mut pending: i64 = row.get(0);
        if spec.is_noting_unfit {
            let sql = format!(
                "select count(*) from {} u where {}",
                spec.table("unfit"),
                spec.own_in_range("u", "k", range)
            );
            pending += tx
                .query_one(&sql, &[])
                .await
                .doing(|| "reading what does not fit")?
                .get::<_, i64>(0);
        }
        Ok(pending)
    }

    async fn sums(&self, tx: &Transaction<'_>, side: Side, range: &Range, has_pending: bool) -> Result<Sums> {
        let sql = format!(
            "/* corridor */ select count(*), coalesce(bit_xor({}), 0) {}",
            self.spec().digest_on(side),
            self.compared(side, range, has_pending)
        );
        let row = tx
            .query_one(&sql, &[])
            .await
            .doing(|| format!("comparing a range of {}", self.spec().relation(side)))?;
        Ok(Sums {
            rows: row.get(0),
            digest: row.get(1),
        })
    }

    /// `from … where …`: the rows of a range, without those whose difference is explained.
    fn compared(&self, side: Side, range: &Range, has_pending: bool) -> String {
        let spec = self.spec();
        let alias = match side {
            Side::Source => "s",
            Side::Target => "t",
        };
        let mut sql = format!(
            "from {} {alias} where {}",
            spec.relation(side),
            spec.is_in_range(side, alias, range)
        );
        if has_pending {
            let _ = write!(
                sql,
                " and not exists (select from {} c where {})",
                spec.table("change"),
                spec.key_equals_own(side, alias, "c", "k")
            );
        }
        if has_pending && spec.is_noting_unfit {
            let _ = write!(
                sql,
                " and not exists (select from {} u where {})",
                spec.table("unfit"),
                spec.key_equals_own(side, alias, "u", "k")
            );
        }
        sql
    }

    async fn list_differences(
        &self,
        tx: &Transaction<'_>,
        run: i32,
        range: &Range,
        has_pending: bool,
    ) -> Result<u64> {
        let spec = self.spec();
        let rows = |side: Side, alias: &str| {
            format!(
                "(select {}, {} as digest {})",
                spec.key_as_own(side, alias),
                spec.digest_on(side),
                self.compared(side, range, has_pending)
            )
        };
        let same = (1..=spec.key.len()).map(|i| format!("s.k{i} = t.k{i}"));
        let merged = (1..=spec.key.len()).map(|i| format!("coalesce(s.k{i}, t.k{i})"));
        let own = spec.own_columns("k");
        let sql = format!(
            "/* corridor */ with found as (insert into {difference} (run, kind, {own}) \
             select $1, case when t.k1 is null then 'missing' when s.k1 is null then 'extra' else 'differing' end, {merged} \
             from {source} s full join {target} t on {same} where s.digest is distinct from t.digest limit $2 returning {own}) \
             insert into {log} ({own}) select distinct {own} from found",
            difference = spec.table("difference"),
            log = spec.slot(0),
            merged = corridor_pg::ident::join(merged, ", "),
            same = corridor_pg::ident::join(same, " and "),
            source = rows(Side::Source, "s"),
            target = rows(Side::Target, "t"),
        );
        tx.batch_execute("set local enable_hashjoin = on")
            .await
            .doing(|| "listing differing keys")?;
        tx.execute(&sql, &[&run, &DIFFERENCES_MAX])
            .await
            .doing(|| "listing differing keys")
    }

    /// `MIR-003` with the first keys that differ.
    pub async fn unexplained(&self, session: &Session, run: i32) -> Fault {
        let keys = match self.differences(&**session, run, 5).await {
            Ok(found) => found
                .iter()
                .map(|d| format!("({})", d.key.join(", ")))
                .collect::<Vec<_>>()
                .join(", "),
            Err(fault) => fault.to_string(),
        };
        Fault::new(
            &UNEXPLAINED_DIFFERENCE,
            format!("{} and {}: {keys}", self.spec().source, self.spec().target),
        )
    }
}
