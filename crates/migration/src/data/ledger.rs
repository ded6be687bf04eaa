//! The ledger of a backfill: its frozen list, and how far each item is.

use corridor_pg::{FaultContext, Isolation, Result, Session};
use tokio_postgres::{GenericClient, Transaction};

use crate::lease::Lease;

/// Most values of a list.
const ITEMS_MAX: i64 = 1_000_000;

/// A list that is frozen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Frozen {
    pub(super) items: u64,
    pub(super) value_type: Option<String>,
}

/// The next item that is not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) position: i64,
    pub(super) value: Option<String>,
    pub(super) last_key: Option<Vec<String>>,
}

/// What is done so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Total {
    pub(super) rows: u64,
    pub(super) batches: u64,
    pub(super) items_done: u64,
}

/// The list as it was frozen; freezes it now when it was not yet. `for_each`: the query, or one item without a value.
pub(super) async fn freeze(
    session: &mut Session,
    lease: &Lease,
    operation: &str,
    for_each: Option<&str>,
) -> Result<Frozen> {
    let id = lease.fence().migration_id;
    let tx = session.begin(Isolation::RepeatableRead).await?;
    lease.fence().hold(&tx).await?;
    if let Some(frozen) = look(&tx, id, operation).await? {
        return Ok(frozen);
    }
    let doing = || format!("freezing the list of {operation}");
    tx.execute(include_str!("../../sql/data/freeze.sql"), &[&id, &operation])
        .await
        .doing(doing)?;
    match for_each {
        None => {
            tx.execute(include_str!("../../sql/data/one_item.sql"), &[&id, &operation])
                .await
                .doing(doing)?;
        }
        Some(query) => {
            let query = query.trim().trim_end_matches(';');
            tx.batch_execute("set local search_path to default")
                .await
                .doing(doing)?;
            let value_type: Option<String> = tx
                .query_opt(
                    &format!("select pg_catalog.pg_typeof(q.v)::text from ({query}\n) q (v) limit 1"),
                    &[],
                )
                .await
                .doing(doing)?
                .map(|row| row.get(0));
            let insert = format!(
                "insert into corridor.item (migration_id, operation, position, value) \
                 select {id}, $1::text, pg_catalog.row_number() over (), q.v::text \
                 from (select v from ({query}\n) q (v) limit {ITEMS_MAX} + 1) q where q.v is not null"
            );
            tx.execute(&insert, &[&operation]).await.doing(doing)?;
            tx.execute(
                include_str!("../../sql/data/frozen.sql"),
                &[&id, &operation, &value_type],
            )
            .await
            .doing(doing)?;
        }
    }
    let frozen = look(&tx, id, operation).await?.unwrap_or(Frozen {
        items: 0,
        value_type: None,
    });
    if frozen.items > ITEMS_MAX.unsigned_abs() {
        let detail = format!("the list of {operation} has more than {ITEMS_MAX} values");
        return Err(corridor_pg::Fault::new(&crate::fault::BAD_PLAN, detail));
    }
    corridor_pg::failpoint::step("freeze", tx.commit())
        .await
        .doing(doing)?;
    Ok(frozen)
}

async fn look(client: &impl GenericClient, id: i64, operation: &str) -> Result<Option<Frozen>> {
    let row = client
        .query_opt(include_str!("../../sql/data/frozen_list.sql"), &[&id, &operation])
        .await
        .doing(|| format!("reading the list of {operation}"))?;
    Ok(row.map(|row| Frozen {
        items: row.get::<_, i64>("items").unsigned_abs(),
        value_type: row.get("value_type"),
    }))
}

/// The next item that is not done; `None`: all are.
pub(super) async fn next(client: &impl GenericClient, id: i64, operation: &str) -> Result<Option<Item>> {
    let row = client
        .query_opt(include_str!("../../sql/data/next_item.sql"), &[&id, &operation])
        .await
        .doing(|| format!("looking for the next item of {operation}"))?;
    Ok(row.map(|row| Item {
        position: row.get("position"),
        value: row.get("value"),
        last_key: row.get("last_key"),
    }))
}

/// Writes a batch into the ledger, in the transaction of its rows. `last_key`: `None` when nothing is left of the item.
pub(super) async fn advance(
    tx: &Transaction<'_>,
    id: i64,
    operation: &str,
    position: i64,
    last_key: Option<&[String]>,
    rows: u64,
) -> Result<()> {
    tx.execute(
        include_str!("../../sql/data/advance.sql"),
        &[
            &id,
            &operation,
            &position,
            &last_key,
            &i64::try_from(rows).unwrap_or(i64::MAX),
        ],
    )
    .await
    .doing(|| format!("writing the ledger of {operation}"))?;
    Ok(())
}

/// What is done so far.
pub(super) async fn total(client: &impl GenericClient, id: i64, operation: &str) -> Result<Total> {
    let row = client
        .query_one(include_str!("../../sql/data/total.sql"), &[&id, &operation])
        .await
        .doing(|| format!("reading the ledger of {operation}"))?;
    Ok(Total {
        rows: row.get::<_, i64>("rows").unsigned_abs(),
        batches: row.get::<_, i64>("batches").unsigned_abs(),
        items_done: row.get::<_, i64>("items_done").unsigned_abs(),
    })
}
