//! Questions to the rows, each with a time limit.

use corridor_pg::catalog::{Column, Index, IndexColumn, Table};
use corridor_pg::fault::{CANCELLED, LOCK_TIMEOUT};
use corridor_pg::ident::join;
use corridor_pg::{Fault, Ident, Isolation, Result, Session};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::{Bound, Offending, Spread};
use crate::plan::{RangeType, range_type};
use crate::shape::{Every, PARTITIONS_MAX, Shape, TimeUnit};

/// How long one question may take. With an index it takes milliseconds; without one, this much of a scan.
const PROBE_MS_MAX: u32 = 30_000;
/// How many offending keys are shown.
const KEYS_SHOWN: u32 = 10;

/// Where partitions must begin and end, or which values there are.
pub(super) async fn spread(session: &mut Session, table: &Table, shape: &Shape) -> Result<Spread> {
    match shape {
        Shape::Same | Shape::Plain | Shape::Wanted(_) | Shape::Hash { .. } => Ok(Spread::Unasked),
        Shape::Range {
            column, every, ahead, ..
        } => match table.column(column) {
            Some(column) => range(session, table, column, *every, *ahead).await,
            None => Ok(Spread::Unasked),
        },
        Shape::List { column, .. } => list(session, table, column).await,
    }
}

/// The first rows whose partition column is null, or lies in no range.
pub(super) async fn offending(
    session: &mut Session,
    table: &Table,
    shape: &Shape,
    key: &[Ident],
) -> Result<Offending> {
    let mut offending = Offending::default();
    for name in shape.columns() {
        let Some(column) = table.column(name).filter(|c| !c.is_not_null) else {
            continue;
        };
        let condition = format!("{} is null", column.name);
        offending.null_keys = first_keys(session, table, key, &condition).await?;
        if !offending.null_keys.is_empty() {
            break;
        }
    }
    if let Shape::Range { column, .. } = shape
        && let Some(unfit) = table.column(column).and_then(unfit_condition)
    {
        offending.unfit_keys = first_keys(session, table, key, &unfit).await?;
    }
    Ok(offending)
}

/// Values of the type that lie between no two boundaries.
fn unfit_condition(column: &Column) -> Option<String> {
    let name = &column.name;
    let values = match range_type(column)? {
        RangeType::Integer { .. } => return None,
        RangeType::Numeric => "'Infinity', '-Infinity', 'NaN'",
        RangeType::Date | RangeType::Timestamp | RangeType::TimestampTz => "'infinity', '-infinity'",
    };
    Some(format!("{name} in ({values})"))
}

async fn range(
    session: &mut Session,
    table: &Table,
    column: &Column,
    every: Every,
    ahead: u32,
) -> Result<Spread> {
    let Some(kind) = range_type(column) else {
        return Ok(Spread::Unasked);
    };
    let name = &column.name;
    // `NaN` is above infinity.
    let condition = match kind {
        RangeType::Integer { .. } => String::new(),
        RangeType::Numeric => format!(" where {name} > '-Infinity' and {name} < 'Infinity'"),
        _ => format!(" where {name} > '-infinity' and {name} < 'infinity'"),
    };
    let sql = format!(
        "select min({name})::text as lowest, max({name})::text as highest from {}{condition}",
        table.name
    );
    let Some(rows) = within_limit(session, &sql, &[]).await? else {
        return Ok(Spread::Unknown {
            why: format!("the lowest and highest {name} of {}", table.name),
        });
    };
    let (lowest, highest): (Option<String>, Option<String>) = match rows.first() {
        Some(row) => (row.try_get("lowest")?, row.try_get("highest")?),
        None => (None, None),
    };
    let rows = boundaries(session, kind, every, ahead, &lowest, &highest).await?;
    let Some(rows) = rows else {
        return Ok(Spread::Unknown {
            why: format!("the boundaries for {name}"),
        });
    };
    let bound = |row: &Row| -> Result<Bound> {
        Ok(Bound {
            lower: row.try_get("lower")?,
            upper: row.try_get("upper")?,
            suffix: row.try_get("suffix")?,
        })
    };
    Ok(Spread::Range {
        bounds: rows.iter().map(bound).collect::<Result<_>>()?,
        lowest,
        highest,
    })
}

async fn boundaries(
    session: &mut Session,
    kind: RangeType,
    every: Every,
    ahead: u32,
    lowest: &Option<String>,
    highest: &Option<String>,
) -> Result<Option<Vec<Row>>> {
    match every {
        Every::Number(width) => {
            let limits = match kind {
                RangeType::Integer { min, max } => Some((min.to_string(), max.to_string())),
                _ => None,
            };
            let (min, max) = limits.unzip();
            let ahead = i64::from(ahead);
            let params: [&(dyn ToSql + Sync); 6] = [lowest, highest, &width, &ahead, &min, &max];
            within_limit(
                session,
                include_str!("../../sql/preflight/range_numbers.sql"),
                &params,
            )
            .await
        }
        Every::Time { count, unit } => {
            let unit = match unit {
                TimeUnit::Hour => "hour",
                TimeUnit::Day => "day",
                TimeUnit::Month => "month",
            };
            let kind = match kind {
                RangeType::Date => "date",
                RangeType::Timestamp => "timestamp",
                _ => "timestamptz",
            };
            let count = i32::try_from(count).unwrap_or(i32::MAX);
            let ahead = i32::try_from(ahead).unwrap_or(i32::MAX);
            let params: [&(dyn ToSql + Sync); 6] = [lowest, highest, &count, &unit, &ahead, &kind];
            within_limit(
                session,
                include_str!("../../sql/preflight/range_times.sql"),
                &params,
            )
            .await
        }
    }
}

async fn list(session: &mut Session, table: &Table, column: &Ident) -> Result<Spread> {
    let limit = PARTITIONS_MAX + 1;
    let from = &table.name;
    let is_leading = |index: &Index| {
        let first = index.key().next();
        index.is_valid
            && index.predicate.is_none()
            && index.method.as_str() == "btree"
            && first.is_some_and(|c| c.column.as_ref() == Some(column) && is_plain_order(c))
    };
    let sql = match table.indexes.iter().any(is_leading) {
        // From each value to the next one: as many steps as there are values, not rows.
        true => format!(
            "with recursive v as ( \
             (select {column} from {from} where {column} is not null order by {column} limit 1) \
             union all \
             select (select t.{column} from {from} t where t.{column} > v.{column} order by t.{column} limit 1) \
             from v where v.{column} is not null) \
             select {column}::text as value from v where {column} is not null limit {limit}"
        ),
        false => format!(
            "select {column}::text as value \
             from (select distinct {column} from {from} where {column} is not null limit {limit}) v order by v.{column}"
        ),
    };
    match within_limit(session, &sql, &[]).await? {
        Some(rows) => Ok(Spread::List {
            values: rows
                .iter()
                .map(|row| Ok(row.try_get("value")?))
                .collect::<Result<_>>()?,
        }),
        None => Ok(Spread::Unknown {
            why: format!("the distinct values of {column} in {from}"),
        }),
    }
}

/// The index orders as `order by` and `>` do in our session, which looks for operators in `pg_catalog` only.
fn is_plain_order(column: &IndexColumn) -> bool {
    let is_builtin = column
        .opclass
        .as_ref()
        .is_some_and(|o| o.schema.as_str() == "pg_catalog");
    is_builtin && column.is_default_opclass && column.is_column_collation
}

/// Keys of rows that meet a condition, as `(1, abc)`; none when it takes too long to find any.
async fn first_keys(
    session: &mut Session,
    table: &Table,
    key: &[Ident],
    condition: &str,
) -> Result<Vec<String>> {
    let columns = join(key.iter().map(|k| format!("{k}::text")), ", ");
    let sql = format!(
        "select array[{columns}] as key from {} where {condition} limit {KEYS_SHOWN}",
        table.name
    );
    let rows = within_limit(session, &sql, &[]).await?.unwrap_or_default();
    rows.iter()
        .map(|row| {
            let values: Vec<String> = row.try_get("key")?;
            Ok(format!("({})", values.join(", ")))
        })
        .collect()
}

/// Asks one question; nothing when the time limit ended it, or when the table's lock was not free.
pub(super) async fn within_limit(
    session: &mut Session,
    sql: &str,
    params: &[&(dyn ToSql + Sync)],
) -> Result<Option<Vec<Row>>> {
    let tx = session.begin(Isolation::ReadCommitted).await?;
    tx.batch_execute(&format!("set local statement_timeout = {PROBE_MS_MAX}"))
        .await?;
    match tx.query(sql, params).await.map_err(Fault::from) {
        Ok(rows) => Ok(Some(rows)),
        Err(fault) if [CANCELLED.id, LOCK_TIMEOUT.id].contains(&fault.code().id) => Ok(None),
        Err(fault) => Err(fault.doing(format!("running `{sql}`"))),
    }
}
