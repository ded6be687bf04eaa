//! Keys that two rows would have: what a unique index of the wanted table would not take.

use corridor_mirror::Column as Copied;
use corridor_pg::catalog::{Index, Table};
use corridor_pg::ident::join;
use corridor_pg::{Ident, Result, Session};

use crate::preflight::probe::within_limit;

/// Keys that are shown.
const SHOWN: u32 = 5;

/// A key of an index that more than one row would have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Duplicate {
    /// The index.
    pub index: Ident,
    /// The key, as `(a, b)`; none when it could not be found out within the time limit.
    pub key: Option<String>,
    /// How many rows.
    pub rows: i64,
}

/// The first keys that two rows would have in `index`.
pub(super) async fn find(
    session: &mut Session,
    source: &Table,
    columns: &[Copied],
    index: &Index,
) -> Result<Vec<Duplicate>> {
    let values = columns.iter().map(|column| match &column.value {
        Some(value) => format!("({}) as {}", value.stored_sql, column.name),
        None => format!("s.{}", column.name),
    });
    let key = || index.key().map(|column| format!("({})", column.definition));
    let mut conditions: Vec<String> = index.predicate.iter().map(|p| format!("({p})")).collect();
    if !index.is_nulls_not_distinct {
        conditions.extend(key().map(|part| format!("{part} is not null")));
    }
    let filter = match conditions.is_empty() {
        true => String::new(),
        false => format!("where {} ", conditions.join(" and ")),
    };
    let sql = format!(
        "select array[{texts}] as key, count(*) as rows from (select {values} from {source} s) m {filter}\
         group by {parts} having count(*) > 1 limit {SHOWN}",
        texts = join(key().map(|part| format!("{part}::text")), ", "),
        values = join(values, ", "),
        source = source.name,
        parts = join(key(), ", "),
    );
    let found = match within_limit(session, &sql, &[]).await {
        Ok(found) => found,
        // A row that does not fit at all: the trial shows it.
        Err(fault) if fault.sqlstate().is_some() => return Ok(Vec::new()),
        Err(fault) => return Err(fault),
    };
    let Some(rows) = found else {
        return Ok(vec![Duplicate {
            index: index.name.clone(),
            key: None,
            rows: 0,
        }]);
    };
    Ok(rows
        .iter()
        .map(|row| {
            let key: Vec<Option<String>> = row.get("key");
            let key: Vec<String> = key
                .into_iter()
                .map(|v| v.unwrap_or_else(|| "null".into()))
                .collect();
            Duplicate {
                index: index.name.clone(),
                key: Some(format!("({})", key.join(", "))),
                rows: row.get("rows"),
            }
        })
        .collect())
}
