//! A column goes, and something uses it.

use super::super::case::{Case, Words, measured};
use super::super::state::{State, names_of};
use super::super::statement::{Name, Piece, What};
use crate::finding::{Finding, Severity};

rule! {
    "LNT-313" "column-in-use" Compatibility Warning
    "a column is dropped or renamed that something may use"
    "Look for views, dictionaries and Distributed tables over it; stop reading it in a release before."
    r#"**Symptom.** After a rename every insert into the table fails with an unknown expression, because a materialized view still selects the old name.
Or: the drop is refused, as the column is in a key.

**Why.** Measured on ClickHouse 26.9: a column of a sorting or partition key can be neither dropped nor renamed. A drop is refused while a materialized
view reads the column. A rename goes through, and then every insert into the table fails at the view. Dictionaries, views, Distributed tables and
releases of the application that still run are asked by nobody.

**Safe way.** Take the column out of what uses it first: `MODIFY QUERY` of the views, dictionaries, the Distributed table, the application. For a
rename: a new column, both filled, reads switched, the old one dropped.

```sql
alter table hits rename column if exists plan to tier;
```

Not found:

```sql
alter table hits add column if not exists tier String;
```"#
}

/// Views and dictionaries that use the column, as far as they are known.
fn users(state: &State, table: &Name, column: &str) -> Vec<String> {
    state
        .tables
        .iter()
        .filter(|(_, t)| t.is_view || t.is_materialized_view || t.is_dictionary)
        .filter(|(_, t)| t.uses.contains(&table.object) && (t.uses_all || t.uses.contains(column)))
        .map(|((_, name), _)| name.clone())
        .collect()
}

pub(crate) fn check(case: &Case<'_, '_>, out: &mut Vec<Finding>) {
    let Some(alter) = case.alter() else { return };
    let table = case.table(&alter.table);
    for action in &alter.actions {
        let (column, verb) = match &action.what {
            What::Drop {
                piece: Piece::Column,
                name,
                ..
            } => (name, "dropped"),
            What::RenameColumn { from, .. } => (from, "renamed"),
            _ => continue,
        };
        let keys = [
            ("sorting key", table.and_then(|t| t.order_by.as_deref())),
            ("primary key", table.and_then(|t| t.primary_key.as_deref())),
            ("partition key", table.and_then(|t| t.partition_by.as_deref())),
        ];
        let key = keys
            .iter()
            .find(|(_, key)| key.is_some_and(|key| names_of(key).contains(column)));
        let users = users(case.state, &alter.table, column);
        // What this file brought nobody uses yet, but what this file brought.
        let is_ours = table.is_some_and(|t| t.is_new || t.added.contains(column));
        let mut words = Words {
            what: format!("{column} of {} is {verb}; what reads it breaks", alter.table),
            why: "Views, dictionaries and Distributed tables name columns, and so does the release that runs now.",
            safe_way: "Take it out of what uses it, in a release before; for a rename, a new column beside the old one.".into(),
        };
        let mut severity = Severity::Warning;
        let mut evidence = None;
        if let Some((key, _)) = key {
            words.what = format!(
                "{column} is in the {key} of {}, and cannot be {verb}",
                alter.table
            );
            words.safe_way = "A new table with another key, a copy, EXCHANGE TABLES.".into();
            severity = Severity::Error;
            evidence = Some(measured("key columns", "can be neither dropped nor renamed"));
        } else if !users.is_empty() {
            words.what = format!(
                "{column} of {} is {verb}, and {} use it",
                alter.table,
                users.join(", ")
            );
            severity = Severity::Error;
            evidence = Some(match verb {
                "dropped" => measured("drop under a materialized view", "refused"),
                _ => measured(
                    "rename under a materialized view",
                    "accepted; then every insert fails",
                ),
            });
        } else if is_ours {
            continue;
        }
        let mut finding = case.finding(&RULE, action.span.clone(), words);
        finding.severity = severity;
        finding.evidence.extend(evidence);
        if severity == Severity::Warning {
            finding
                .unknown
                .push("which views and dictionaries read it (`as_select` of system.tables)".into());
            finding
                .unknown
                .push("whether a release that runs reads it (system.query_log)".into());
        }
        out.push(finding);
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::{fires, fires_with, silent};
    use super::RULE;

    #[test]
    fn cases() {
        fires(
            &RULE,
            &[
                "alter table t drop column a",
                "create table t (a Int8, b Int8) engine=MergeTree order by a; alter table t drop column a",
                "create table t (a Int8, b Int8) engine=MergeTree order by a; \
             create materialized view v to x as select b from t; alter table t rename column b to c",
            ],
        );
        fires_with(
            &RULE,
            "[[table]]\nname='v'\nengine='MaterializedView'\nquery='select * from default.t'",
            &["alter table t drop column a"],
        );
        silent(
            &RULE,
            &[
                "alter table t add column a Int8; alter table t drop column a",
                "create table t (a Int8, b Int8) engine=MergeTree order by a; alter table t drop column b",
                "alter table t drop index a",
                "alter table t modify column a String",
            ],
        );
    }
}
