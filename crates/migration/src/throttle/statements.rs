//! Mean time of the application's own statements, from the differences of `pg_stat_statements`.
//!
//! Whose statements? Corridor often connects as the role that the application uses (the table's owner), so the role
//! does not tell. The text does: a statement whose text holds the word `corridor` is ours. Our static statements
//! name the schema `corridor`; whoever builds a dynamic one for a user's table puts `/* corridor */` in front, after
//! which the server keeps the comment with the text. Texts of other roles are hidden without `pg_monitor`; those
//! cannot be ours, and count.
//!
//! Statements that only steer a session (`begin`, `commit`, `set`…) tell nothing of latency, are shared by the
//! application and Corridor, and would hide the others by their number: they are left out.
//!
//! Only statements that clients sent are counted (`toplevel`), so the time of a trigger is not counted twice, and only
//! those of this database. A statement that is new since the last sample counts from zero; one whose counters went
//! down (a reset, or evicted and back) counts from zero too.

use std::collections::HashMap;

use corridor_pg::{FaultContext, Ident, Result, Session};

/// Calls and total time of each statement.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct StatementTotals {
    by_statement: HashMap<(u32, i64), Total>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Total {
    calls: i64,
    time_ms: f64,
}

impl StatementTotals {
    /// Mean time of the calls since `before`; 0 when there were none.
    pub(super) fn mean_ms_since(&self, before: &StatementTotals) -> f64 {
        let mut calls = 0;
        let mut time_ms = 0.0;
        for (statement, now) in &self.by_statement {
            let then = before.by_statement.get(statement).copied().unwrap_or_default();
            let then = if then.calls > now.calls {
                Total::default()
            } else {
                then
            };
            calls += now.calls - then.calls;
            time_ms += (now.time_ms - then.time_ms).max(0.0);
        }
        if calls == 0 { 0.0 } else { time_ms / calls as f64 }
    }
}

/// How statements begin that only steer a session. Not `prepare`: the server keeps what `execute` runs under it.
const STEERING: &str = "(begin|start|commit|end|rollback|abort|savepoint|release|deallocate|set|reset|show|discard|listen|unlisten|notify\
     |declare|close)";

/// Reads them. `schema` is where the extension lives.
pub(super) async fn totals(session: &Session, schema: &Ident) -> Result<StatementTotals> {
    // Built, not a file: the extension's schema is part of the statement.
    let sql = format!(
        "select userid, queryid, sum(calls)::int8 as calls, sum(total_exec_time)::float8 as time_ms \
         from {schema}.pg_stat_statements(true) \
         where dbid = (select oid from pg_database where datname = current_database()) \
           and toplevel and queryid is not null and query !~* '\\mcorridor\\M' \
           and query !~* '^\\s*(/\\*([^*]|\\*[^/])*\\*/\\s*)*{STEERING}\\M' \
         group by userid, queryid"
    );
    let rows = session
        .query_typed(&sql, &[])
        .await
        .doing(|| "reading pg_stat_statements")?;
    let by_statement = rows
        .iter()
        .map(|row| {
            let total = Total {
                calls: row.get("calls"),
                time_ms: row.get("time_ms"),
            };
            ((row.get("userid"), row.get("queryid")), total)
        })
        .collect();
    Ok(StatementTotals { by_statement })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(statements: &[(i64, i64, f64)]) -> StatementTotals {
        StatementTotals {
            by_statement: statements
                .iter()
                .map(|(id, calls, time_ms)| {
                    (
                        (10, *id),
                        Total {
                            calls: *calls,
                            time_ms: *time_ms,
                        },
                    )
                })
                .collect(),
        }
    }

    #[test]
    fn the_mean_is_of_the_calls_since() {
        let before = of(&[(1, 100, 1_000.0), (2, 5, 5.0)]);
        assert_eq!(of(&[(1, 110, 1_040.0), (2, 5, 5.0)]).mean_ms_since(&before), 4.0);
        assert_eq!(before.mean_ms_since(&before), 0.0);
        // New ones count from zero, evicted ones not at all, a reset one from zero.
        assert_eq!(of(&[(3, 2, 8.0)]).mean_ms_since(&before), 4.0);
        assert_eq!(of(&[(1, 2, 6.0)]).mean_ms_since(&before), 3.0);
    }
}
