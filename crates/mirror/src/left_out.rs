//! Keys that a verification left out, because a change of theirs was pending when their range was compared. They are
//! compared by themselves as soon as nothing of theirs is pending; the last few under the locks of the swap, when nothing
//! is. So every key is compared, however often it is written.

use corridor_pg::fence::Fence;
use corridor_pg::ident::join;
use corridor_pg::{FaultContext, Isolation, Result, Session};
use tokio_postgres::{GenericClient, Transaction};

use crate::Mirror;
use crate::lane::key_at;
use crate::statement::{COMPARE_SETTINGS, KeyText, LOOKUP_SETTINGS, Range, Side};

/// Keys that are compared at a time: they travel to the server and back as text.
pub const LEFT_OUT_MAX: usize = 1_000;

/// What came of comparing keys that were left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LeftOut {
    /// Keys compared.
    pub compared: u64,
    /// Those of them that differed; they are being repaired, and stay left out until that has happened.
    pub differing_keys: u64,
    /// Keys that are still left out.
    pub remaining: u64,
}

impl Mirror {
    /// Notes the keys of a range that are left out of verification `run`, in the transaction that compares the range.
    pub(crate) async fn note_left_out(&self, tx: &Transaction<'_>, run: i32, range: &Range) -> Result<()> {
        let spec = self.spec();
        let sql = format!(
            "insert into {left} (run, {own}) select distinct $1::integer, {keys} from {change} c where {in_range} and not is_truncate",
            left = spec.table("left"),
            own = spec.own_columns("k"),
            keys = spec.own_key("c", "k"),
            change = spec.table("change"),
            in_range = spec.own_in_range("c", "k", range),
        );
        tx.execute(&sql, &[&run])
            .await
            .doing(|| "noting keys that are left out")?;
        Ok(())
    }

    /// Compares up to [`LEFT_OUT_MAX`] keys that verification `run` left out and that nothing is pending for any more.
    ///
    /// Locks: `ACCESS SHARE` on both sides. Errors: `MIR-004` when a truncate waits.
    pub async fn compare_left_out(&self, session: &mut Session, fence: &Fence, run: i32) -> Result<LeftOut> {
        let _reads = self.readers.read().await;
        let tx = session.begin(Isolation::RepeatableRead).await?;
        self.lock_both(&tx).await?;
        self.lock_log(&tx).await?;
        tx.batch_execute(COMPARE_SETTINGS)
            .await
            .doing(|| "preparing to compare what was left out")?;
        fence.hold(&tx).await?; // the snapshot is taken here
        self.check_identity(&tx).await?;
        let is_truncated: bool = tx
            .query_one(
                &format!(
                    "select exists (select from {} where is_truncate)",
                    self.spec().table("change")
                ),
                &[],
            )
            .await
            .doing(|| "reading the change log")?
            .get(0);
        if is_truncated || !self.is_copied(&tx).await? {
            return Err(self.truncated());
        }
        let keys = self.ready(&tx, run).await?;
        let differing_keys = self.compare_keys(&tx, run, &keys).await?;
        let remaining = self.count_left_out(&tx, run).await?;
        tx.commit()
            .await
            .doing(|| "recording what was compared of the left out")?;
        Ok(LeftOut {
            compared: keys.len() as u64,
            differing_keys,
            remaining,
        })
    }

    /// The same under the locks of a swap, after the last refresh: nothing is pending. True when all that was left out is
    /// now compared, and equal; false when something differs, or when it is too much to compare under a lock.
    pub async fn is_rest_equal(&self, tx: &Transaction<'_>, run: i32) -> Result<bool> {
        if self.count_left_out(tx, run).await? > LEFT_OUT_MAX as u64 {
            return Ok(false);
        }
        let keys = self.ready(tx, run).await?;
        if keys.is_empty() {
            return Ok(true);
        }
        let differing = self.compare_keys(tx, run, &keys).await?;
        tx.batch_execute(
            "reset enable_seqscan; reset enable_hashjoin; reset enable_mergejoin; reset enable_bitmapscan; reset plan_cache_mode",
        )
        .await
        .doing(|| "ending the last comparison")?;
        Ok(differing == 0)
    }

    /// Keys that verification `run` still leaves out, counted up to one more than are compared at a time.
    pub(crate) async fn count_left_out(&self, client: &impl GenericClient, run: i32) -> Result<u64> {
        let spec = self.spec();
        let sql = format!(
            "select count(*) from (select distinct {} from {} l where run = $1 and {} limit $2) x",
            spec.own_columns("k"),
            spec.table("left"),
            self.is_to_fit("l"),
        );
        let limit = LEFT_OUT_MAX as i64 + 1;
        let row = client.query_one(&sql, &[&run, &limit]).await;
        Ok(row
            .doing(|| "counting what is left out")?
            .get::<_, i64>(0)
            .unsigned_abs())
    }

    async fn ready(&self, tx: &Transaction<'_>, run: i32) -> Result<Vec<KeyText>> {
        let spec = self.spec();
        let same = |other: &str| {
            join(
                (1..=spec.key.len()).map(|i| format!("{other}.k{i} = l.k{i}")),
                " and ",
            )
        };
        let sql = format!(
            "select distinct {} from {} l where run = $1 and not exists (select from {} c where {}) and {} limit $2",
            spec.own_text("k"),
            spec.table("left"),
            spec.table("change"),
            same("c"),
            self.is_to_fit("l"),
        );
        // Neither table has statistics, and with scans made dear every plan costs the same: each key would be compared with
        // each pending change.
        let doing = || "reading what was left out";
        tx.batch_execute("set local enable_hashjoin = on; set local enable_nestloop = off")
            .await
            .doing(doing)?;
        let rows = tx
            .query(&sql, &[&run, &(LEFT_OUT_MAX as i64)])
            .await
            .doing(doing)?;
        tx.batch_execute("set local enable_nestloop = on")
            .await
            .doing(doing)?;
        Ok(rows
            .iter()
            .filter_map(|row| key_at(row, 0, spec.key.len()))
            .collect())
    }

    /// What does not fit into the target is explained in another way.
    fn is_to_fit(&self, alias: &str) -> String {
        let spec = self.spec();
        if !spec.is_noting_unfit {
            return "true".to_owned();
        }
        let same = (1..=spec.key.len()).map(|i| format!("u.k{i} = {alias}.k{i}"));
        format!(
            "not exists (select from {} u where {})",
            spec.table("unfit"),
            join(same, " and ")
        )
    }

    /// Compares these keys, forgets those that are equal, and has the others repaired. The number of the others.
    async fn compare_keys(&self, tx: &Transaction<'_>, run: i32, keys: &[KeyText]) -> Result<u64> {
        if keys.is_empty() {
            return Ok(0);
        }
        tx.batch_execute(LOOKUP_SETTINGS)
            .await
            .doing(|| "preparing to compare what was left out")?;
        let spec = self.spec();
        let own = spec.own_columns("k");
        let values = join(keys.iter().map(|k| format!("({})", spec.key_literal(k))), ", ");
        let rows = |side: Side, alias: &str| {
            format!(
                "select {}, {} as digest from wanted k join {} {alias} on {}",
                spec.key_as_own(side, alias),
                spec.digest_on(side),
                spec.relation(side),
                spec.key_equals_own(side, alias, "k", "k")
            )
        };
        let equal = |a: &str, b: &str| {
            join(
                (1..=spec.key.len()).map(|i| format!("{a}.k{i} = {b}.k{i}")),
                " and ",
            )
        };
        let merged = join(
            (1..=spec.key.len()).map(|i| format!("coalesce(s.k{i}, t.k{i})")),
            ", ",
        );
        let sql = format!(
            "/* corridor */ with wanted ({own}) as materialized (values {values}), \
             source as materialized ({source}), target as materialized ({target}), \
             found as (insert into {difference} (run, kind, {own}) \
             select $1, case when t.k1 is null then 'missing' when s.k1 is null then 'extra' else 'differing' end, {merged} \
             from source s full join target t on {same} where s.digest is distinct from t.digest returning {own}), \
             repair as (insert into {log} ({own}) select distinct {own} from found returning 1) \
             select {own_text} from wanted w where exists (select from found f where {is_found})",
            source = rows(Side::Source, "s"),
            target = rows(Side::Target, "t"),
            difference = spec.table("difference"),
            same = equal("s", "t"),
            log = spec.slot(0),
            // As they were asked for: a numeric key may be equal and be written otherwise.
            own_text = spec.own_text("k"),
            is_found = equal("f", "w"),
        );
        let rows = tx
            .query(&sql, &[&run])
            .await
            .doing(|| "comparing what was left out")?;
        let found: Vec<KeyText> = rows
            .iter()
            .filter_map(|row| key_at(row, 0, spec.key.len()))
            .collect();
        let equal_keys = keys.iter().filter(|key| !found.contains(key));
        let values = join(equal_keys.map(|k| format!("({})", spec.key_literal(k))), ", ");
        if !values.is_empty() {
            // A statement of its own: what is left out may be much, and has no index.
            let sql = format!(
                "set local enable_hashjoin = on; set local enable_nestloop = off; \
                 delete from {left} l using (values {values}) as k ({own}) where l.run = {run} and {is_key}; \
                 set local enable_nestloop = on",
                left = spec.table("left"),
                is_key = equal("l", "k"),
            );
            tx.batch_execute(&sql)
                .await
                .doing(|| "forgetting what was left out and is equal")?;
        }
        Ok(rows.len() as u64)
    }
}
