//! MODIFY ORDER BY with a column that was there before.

use super::super::case::{Case, Words, measured};
use super::super::state::{key_entries, names_of};
use super::super::statement::What;
use crate::finding::{Finding, Severity};

rule! {
    "LNT-308" "order-by-column" Hazard Error
    "MODIFY ORDER BY takes only columns that the same ALTER adds"
    "Add the column in the same ALTER, without a default, at the end of the key."
    r#"**Symptom.** `Existing column … is used in the expression that was added to the sorting key`.

**Why.** Parts are not sorted anew. Only a column that no part holds yet, and that is the same in every old row, keeps them in order: one that the
same ALTER adds, without a default expression, at the end. The primary key must stay a prefix.

**Safe way.** `ADD COLUMN … , MODIFY ORDER BY (old key, new column)` in one ALTER. For anything else: a new table (`LNT-307`).

```sql
alter table hits modify order by (team_id, created_at, plan);
```

Not found:

```sql
alter table hits add column if not exists region String, modify order by (team_id, created_at, region);
```"#
}

pub(crate) fn check(case: &Case<'_, '_>, out: &mut Vec<Finding>) {
    let Some(alter) = case.alter() else { return };
    let with_default: Vec<(&str, bool)> = alter
        .actions
        .iter()
        .filter_map(|action| match &action.what {
            What::AddColumn { column, .. } => Some((column.name.as_str(), column.default.is_some())),
            _ => None,
        })
        .collect();
    for action in &alter.actions {
        let What::ModifyOrderBy(part) = &action.what else {
            continue;
        };
        let new = key_entries(&case.words(*part));
        let old = case
            .table(&alter.table)
            .and_then(|t| t.order_by.as_deref())
            .map(key_entries);
        let primary = case
            .table(&alter.table)
            .and_then(|t| t.primary_key.as_deref())
            .map(key_entries);
        let is_added = |entry: &String| {
            names_of(entry).iter().any(|name| {
                with_default
                    .iter()
                    .any(|(added, default)| added == name && !default)
            })
        };
        let mut severity = Severity::Error;
        let mut unknown = None;
        let problem = if let Some((column, _)) = with_default
            .iter()
            .find(|(name, default)| *default && new.iter().any(|e| names_of(e).iter().any(|n| n == name)))
        {
            Some(format!(
                "{column} is added with a default, and may not enter the sorting key"
            ))
        } else if let Some(old) = old {
            if primary.is_some_and(|primary| !new.starts_with(&primary)) {
                Some("the primary key is no prefix of the new sorting key".to_owned())
            } else {
                let entry = new.iter().find(|entry| !(old.contains(entry) || is_added(entry)));
                entry.map(|entry| {
                    format!(
                        "{entry} enters the sorting key of {}, and this ALTER does not add it",
                        alter.table
                    )
                })
            }
        } else if with_default.is_empty() {
            severity = Severity::Warning;
            unknown = Some(format!("the sorting key of {} now", alter.table));
            Some(format!(
                "MODIFY ORDER BY on {} adds no column; the server takes it only where it shortens the key",
                alter.table
            ))
        } else if !new.iter().any(is_added) {
            Some("none of the columns that are added stands in the new sorting key".to_owned())
        } else {
            None
        };
        let Some(what) = problem else { continue };
        let mut finding = case.finding(&RULE, action.span.clone(), Words {
            what,
            why: "Parts are not sorted anew, so only a column that no part holds yet may enter the key.",
            safe_way: "ADD COLUMN without a default and MODIFY ORDER BY in one ALTER, the new column last; else a new table.".into(),
        });
        finding.severity = severity;
        finding.unknown.extend(unknown);
        finding.evidence.push(measured(
            "modify order by",
            "refused for columns that were there before",
        ));
        out.push(finding);
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::{fires, fires_with, silent, silent_with};
    use super::RULE;

    #[test]
    fn cases() {
        let table = "[[table]]\nname='t'\norder_by='a, b'\nprimary_key='a'";
        fires(
            &RULE,
            &[
                "alter table t add column c Int8 default 1, modify order by (a, c)",
                "alter table t modify order by a",
            ],
        );
        fires_with(
            &RULE,
            table,
            &[
                "alter table t modify order by (a, b, c)",
                "alter table t modify order by (b, a)",
            ],
        );
        silent_with(
            &RULE,
            table,
            &[
                "alter table t modify order by a",
                "alter table t add column c Int8, modify order by (a, b, c)",
            ],
        );
        silent(
            &RULE,
            &[
                "alter table t add column c Int8, modify order by (a, c)",
                "alter table t add column c Int8",
            ],
        );
    }
}
