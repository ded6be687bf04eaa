//! DROP, TRUNCATE, DROP PARTITION: rows go.

use super::super::case::{Case, Words, size_text};
use super::super::statement::{Kind, Name, Object, What};
use super::super::topology::Half;
use crate::finding::{Evidence, Finding, Severity};

rule! {
    "LNT-315" "data-loss" Hazard Warning
    "rows are thrown away, or the server refuses to throw so many away"
    "Rename first, drop later; look at the size, and at max_table_size_to_drop."
    r#"**Symptom.** Data is gone, on all replicas within seconds. Or: `Table or Partition … was not dropped`, with a size and a limit, in the midst of a
migration.

**Why.** DROP, TRUNCATE and DROP PARTITION ask nothing below `max_table_size_to_drop` and `max_partition_size_to_drop` (50 GB unless set otherwise,
measured on ClickHouse 26.9), and refuse above. There is no dry run. UNDROP TABLE works for minutes, and not after SYNC or TRUNCATE.

**Safe way.** `RENAME TABLE x TO x_dropped_20261130`, wait until nobody misses it, then drop. `DETACH PARTITION` keeps the parts on the disk. Above the limit:
`SETTINGS max_table_size_to_drop = …` in that one statement, with the size that was looked up, not 0.

```sql
drop table if exists hits;
```

Not found:

```sql
rename table hits to hits_dropped_20261130;
drop view if exists hits_by_day;
```"#
}

const DEFAULT_LIMIT_BYTES: u64 = 50_000_000_000;

pub(crate) fn check(case: &Case<'_, '_>, out: &mut Vec<Finding>) {
    match &case.statement().kind {
        Kind::Drop(drop) if !drop.is_temporary && matches!(drop.object, Object::Table | Object::Database) => {
            for name in &drop.names {
                note(
                    case,
                    name,
                    name.span.clone(),
                    &format!("DROP {}", drop.object.word().to_uppercase()),
                    drop.is_whole_database,
                    out,
                );
            }
        }
        Kind::Truncate(drop) if !drop.is_temporary => {
            for name in &drop.names {
                note(
                    case,
                    name,
                    name.span.clone(),
                    "TRUNCATE",
                    drop.is_whole_database,
                    out,
                );
            }
        }
        Kind::Alter(alter) => {
            for action in alter
                .actions
                .iter()
                .filter(|a| matches!(&a.what, What::Partition(verb) if verb == "DROP"))
            {
                note(
                    case,
                    &alter.table,
                    action.span.clone(),
                    "DROP PARTITION",
                    false,
                    out,
                );
            }
        }
        _ => {}
    }
}

/// True where no rows are lost with it.
fn holds_none(case: &Case<'_, '_>, name: &Name) -> bool {
    let (database, object) = case.state.key(name);
    if let Some(table) = case.table(name) {
        let engine = table.engine.as_deref();
        let is_window = matches!(
            engine,
            Some("Distributed" | "Kafka" | "RabbitMQ" | "NATS" | "Null" | "Merge" | "Buffer")
        );
        let writes_elsewhere = table.is_materialized_view && table.target.is_some();
        if table.is_empty() || is_window || table.is_view || table.is_dictionary || writes_elsewhere {
            return true;
        }
        if engine.is_some() {
            return false;
        }
    }
    let is_stream = object.starts_with("kafka_") || object.ends_with("_kafka") || object.ends_with("_queue");
    is_stream
        || object.ends_with("_mv")
        || matches!(case.topology.half(&database, &object), Some(Half::Distributed(_)))
}

fn note(
    case: &Case<'_, '_>,
    name: &Name,
    span: std::ops::Range<usize>,
    verb: &str,
    is_database: bool,
    out: &mut Vec<Finding>,
) {
    if !is_database && holds_none(case, name) {
        return;
    }
    let size = case
        .table(name)
        .and_then(|t| t.size_bytes)
        .filter(|_| !is_database);
    let own = case
        .setting("max_table_size_to_drop")
        .and_then(|v| v.parse::<u64>().ok());
    let limit = own
        .or(case.topology.max_table_size_to_drop_bytes)
        .unwrap_or(DEFAULT_LIMIT_BYTES);
    let is_partition = verb == "DROP PARTITION";
    let is_refused = limit > 0 && !is_partition && size.is_some_and(|size| size > limit);
    let mut what = format!("{verb} throws the rows of {name} away");
    if is_refused {
        what = format!(
            "{verb} of {name} is refused: it is larger than max_table_size_to_drop, {}",
            size_text(limit)
        );
    } else if own == Some(0) {
        what.push_str(", however many: max_table_size_to_drop = 0 takes the guard away");
    }
    let mut finding = case.finding(&RULE, span, Words {
        what,
        why: "There is no way back after minutes, none at all after TRUNCATE or SYNC, and all replicas follow at once.",
        safe_way: if is_partition {
            "DETACH PARTITION keeps the parts on the disk until somebody drops them.".into()
        } else {
            "Rename it, wait until nobody misses it, then drop; above the limit with the size in that one statement.".into()
        },
    });
    if is_refused || own == Some(0) || is_database {
        finding.severity = Severity::Error;
    }
    match size {
        Some(size) => finding.evidence.push(Evidence {
            name: "size".into(),
            text: size_text(size),
            source: "the cluster description".into(),
        }),
        None => finding.unknown.push(format!("how large {name} is")),
    }
    out.push(finding);
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::{fires, fires_with, silent, silent_with};
    use super::RULE;

    #[test]
    fn cases() {
        fires(
            &RULE,
            &[
                "drop table t",
                "drop database d",
                "truncate table if exists t on cluster c",
                "truncate all tables from d",
                "alter table t drop partition 202601",
                "drop table t settings max_table_size_to_drop = 0",
                "create table t (a Int8) engine=MergeTree order by a; insert into t select 1; drop table t",
            ],
        );
        fires_with(
            &RULE,
            "[[table]]\nname='t'\nengine='MergeTree'\nsize_bytes=60000000000",
            &["drop table t"],
        );
        silent(
            &RULE,
            &[
                "drop view t",
                "drop dictionary t",
                "drop temporary table t",
                "alter table t detach partition 202601",
                "alter table t drop column a",
                "drop table hits_mv",
                "drop table kafka_hits",
                "drop table hits_distributed",
                "create table t (a Int8) engine=MergeTree order by a; drop table t",
            ],
        );
        silent_with(
            &RULE,
            "[[table]]\nname='t'\nengine='Distributed'",
            &["drop table t"],
        );
    }
}
