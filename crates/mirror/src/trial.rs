//! Trying the copy before there is anything to copy to: rows of the source are written to a temporary table and taken away
//! again, as many as a time limit allows, to find those that do not fit.

use std::time::{Duration, Instant};

use corridor_pg::{Fault, FaultContext, Ident, QualifiedName, Result};
use tokio_postgres::Transaction;

use crate::lane::key_at;
use crate::spec::MirrorSpec;
use crate::statement::{KeyText, RANGE_SETTINGS, Range, Side};
use crate::unfit::{Conflicts, UnfitRow, is_unfit};

/// Rows that are written at a time: few at first, because an expression may take long; what a batch has found is lost when
/// the time is over amid it.
const BATCH_ROWS: (u32, u32) = (200, 12_800);
/// Rows that do not fit after which the search ends.
const UNFIT_MAX: usize = 10;

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tried {
    /// Rows that were tried, in the order of the key.
    pub rows: u64,
    /// Every row was tried.
    pub is_whole: bool,
    /// The first that do not fit.
    pub unfit: Vec<UnfitRow>,
}

/// Tries rows of the source for `limit` at most, in the caller's transaction, which must be rolled back afterwards. The
/// target of `spec` is an empty temporary table that this transaction has made.
///
/// Locks: `ACCESS SHARE` on the source.
pub async fn try_rows(tx: &Transaction<'_>, spec: &MirrorSpec, limit: Duration) -> Result<Tried> {
    let begun = Instant::now();
    let doing = || format!("trying the rows of {}", spec.source);
    let noted = QualifiedName::new(
        Ident::derived("pg_temp", ""),
        Ident::derived("corridor_unfit", ""),
    );
    let keys = (spec.key.iter().enumerate()).map(|(i, k)| format!(", k{} {}", i + 1, k.type_sql));
    let setup = format!(
        "{RANGE_SETTINGS}; create temporary table corridor_unfit (sqlstate text, message text{})",
        corridor_pg::ident::join(keys, "")
    );
    tx.batch_execute(&setup).await.doing(doing)?;
    let mut tried = Tried::default();
    let mut from: Option<KeyText> = None;
    let mut batch_rows = BATCH_ROWS.0;
    loop {
        let left = limit.saturating_sub(begun.elapsed());
        if left.is_zero() || tried.unfit.len() >= UNFIT_MAX {
            return Ok(tried);
        }
        // The limit of the last statement, too; what it found until then is lost, and that is all.
        let timeout = format!("set local statement_timeout = {}", left.as_millis().max(1));
        tx.batch_execute(&timeout).await.doing(doing)?;
        match batch(tx, spec, from.as_ref(), batch_rows, &noted, &mut tried).await {
            Ok(Some(next)) => {
                from = Some(next);
                batch_rows = (batch_rows * 2).min(BATCH_ROWS.1);
            }
            Ok(None) => {
                tried.is_whole = true;
                return Ok(tried);
            }
            Err(fault) if fault.code().id == corridor_pg::fault::CANCELLED.id => return Ok(tried),
            Err(fault) => return Err(fault.doing(doing())),
        }
    }
}

/// One batch; the key at which the next one begins.
async fn batch(
    tx: &Transaction<'_>,
    spec: &MirrorSpec,
    from: Option<&KeyText>,
    batch_rows: u32,
    noted: &QualifiedName,
    tried: &mut Tried,
) -> Result<Option<KeyText>> {
    let rest = Range {
        from: from.cloned(),
        to: None,
    };
    let end = format!(
        "/* corridor */ select {} from (select {} from {} s where {} order by {} offset {batch_rows} limit 1) as found",
        spec.key_as_text("found"),
        spec.key_of("s"),
        spec.source,
        spec.in_range("s", &rest),
        spec.key_of("s")
    );
    let next = tx
        .query_opt(&end, &[])
        .await?
        .and_then(|row| key_at(&row, 0, spec.key.len()));
    let range = Range {
        to: next.clone(),
        ..rest
    };
    let insert = format!(
        "/* corridor */ insert into {} ({}) overriding system value select {} from {} s where {}",
        spec.target,
        spec.column_list(),
        spec.values(),
        spec.source,
        spec.in_range("s", &range)
    );
    tx.batch_execute("savepoint corridor_trial").await?;
    match tx.execute(&insert, &[]).await.map_err(Fault::from) {
        Ok(rows) => tried.rows += rows,
        Err(fault) if is_unfit(&fault, Conflicts::AreUnfit) => {
            tx.batch_execute("rollback to savepoint corridor_trial").await?;
            let keys = format!(
                "(select {} from {} s where {} order by {}) as k",
                spec.key_as_own(Side::Source, "s"),
                spec.source,
                spec.in_range("s", &range),
                spec.key_of("s")
            );
            let one_by_one = spec.insert_one_by_one(&keys, noted, Some(UNFIT_MAX));
            tx.batch_execute(&one_by_one).await?;
            let unfit = spec.noted_rows(tx, &noted.to_string(), UNFIT_MAX).await?;
            let fitting = format!("select count(*) from {}", spec.target);
            let fitting: i64 = tx.query_one(&fitting, &[]).await?.get(0);
            tried.rows += fitting.unsigned_abs() + unfit.len() as u64;
            tried.unfit.extend(unfit);
            tried.unfit.truncate(UNFIT_MAX);
        }
        Err(fault) => return Err(fault),
    }
    // The table is this transaction's own: emptying it gives the space back at once.
    let empty = format!(
        "rollback to savepoint corridor_trial; release savepoint corridor_trial; truncate {}",
        spec.target
    );
    tx.batch_execute(&empty).await?;
    Ok(next)
}
