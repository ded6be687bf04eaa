//! MODIFY COLUMN that writes the column of every part anew, or that the server refuses.

use super::super::case::{Case, Words, measured};
use super::super::column_type::{Change, change};
use super::super::state::{names_of, type_text};
use super::super::statement::What;
use crate::finding::{Finding, Severity};

rule! {
    "LNT-306" "column-rewrite" Hazard Warning
    "the new type of a column needs every part written anew"
    "Add a column with the new type, fill it partition by partition, switch reads, drop the old one."
    r#"**Symptom.** MODIFY COLUMN does not come back; `system.mutations` shows a command that runs for hours, and merges wait behind it.

**Why.** A type that stores other bytes needs a mutation: the column of every part is read and written. Measured on ClickHouse 26.9: a longer
Enum of the same width, another time zone, a Decimal of the same width and scale, and UInt8 to Bool are metadata. Nullable or LowCardinality toggled,
another family, another width, another scale, an Enum that loses a value are mutations. Nullable to not nullable without a DEFAULT, and nearly all
types of a key column, are refused.

**Safe way.** A new column with the new type (`DEFAULT` an expression over the old one serves reads at once), `MATERIALIZE COLUMN … IN PARTITION` one
after the other, then switch and drop. A table that is new in the file, and small ones, are not spoken of.

```toml
[[table]]
name = "hits"
columns = { plan = "String" }
```

```sql
alter table hits modify column plan LowCardinality(String);
```

Not found:

```sql
alter table hits modify column plan String codec(ZSTD(3));
```"#
}

pub(crate) fn check(case: &Case<'_, '_>, out: &mut Vec<Finding>) {
    let Some(alter) = case.alter() else { return };
    if case.is_light(&alter.table) {
        return;
    }
    let table = case.table(&alter.table);
    for action in &alter.actions {
        let What::ModifyColumn { column } = &action.what else {
            continue;
        };
        if column.data_type.is_none() || column.is_attribute_only {
            continue;
        }
        let new = type_text(case.script, column);
        let has_attribute =
            column.codec.is_some() || column.ttl.is_some() || column.default.is_some() || column.has_comment;
        let Some(old) = table.and_then(|t| t.columns.get(&column.name)) else {
            if !has_attribute {
                let mut finding = case.heavy(&RULE, action.span.clone(), &alter.table, Words {
                    what: format!("{} becomes {new}; unless that is the same storage, every part is written anew", column.name),
                    why: "A type that stores other bytes is a mutation of the whole table.",
                    safe_way: "Compare with the type now. For another storage: a new column, filled by partitions.".into(),
                });
                finding.severity = Severity::Notice;
                finding.unknown.push(format!("the type of {} now", column.name));
                out.push(finding);
            }
            continue;
        };
        let is_key = table
            .and_then(|t| t.order_by.as_deref())
            .is_some_and(|key| names_of(key).contains(&column.name));
        let (what, severity, fact) = match change(old, &new, column.default.is_some()) {
            Change::Metadata => continue,
            Change::Rewrite(_) if is_key => (
                format!(
                    "{} is in the sorting key, and its type cannot become {new}",
                    column.name
                ),
                Severity::Error,
                "refused",
            ),
            Change::Refused(reason) => (
                format!("{} cannot go from {old} to {new}: {reason}", column.name),
                Severity::Error,
                "refused",
            ),
            Change::Rewrite(reason) => (
                format!(
                    "{} goes from {old} to {new}, which writes it anew in every part: {reason}",
                    column.name
                ),
                RULE.severity,
                "a mutation of the column in every part",
            ),
        };
        let mut finding = case.heavy(&RULE, action.span.clone(), &alter.table, Words {
            what,
            why: "A type that stores other bytes is a mutation of the whole table; merges of the parts wait for it.",
            safe_way: "A new column with the new type, MATERIALIZE COLUMN partition by partition, then switch reads and drop.".into(),
        });
        finding.severity = finding.severity.max(severity);
        finding.evidence.push(measured("modify column", fact));
        out.push(finding);
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::{fires, fires_with, silent, silent_with};
    use super::RULE;

    #[test]
    fn cases() {
        let table = "[[table]]\nname='t'\norder_by='id, u'\n[table.columns]\nid='UInt64'\nu='UInt32'\na='String'\nn='Nullable(String)'\ne=\"Enum8('a'=1)\"\n";
        fires_with(
            &RULE,
            table,
            &[
                "alter table t modify column a Nullable(String)",
                "alter table t modify column a String null",
                "alter table t modify column n String",
                "alter table t modify column n String default ''",
                "alter table t modify column u UInt64",
                "alter table t modify column e Enum16('a'=1) comment 'wider'",
            ],
        );
        silent_with(
            &RULE,
            table,
            &[
                "alter table t modify column e Enum8('a'=1, 'b'=2)",
                "alter table t modify column a String default 'x'",
                "alter table t modify column a remove ttl",
                "alter table t modify column a codec(ZSTD)",
                "alter table t comment column a 'x'",
            ],
        );
        fires(&RULE, &["alter table t modify column a UInt64"]);
        silent(
            &RULE,
            &["create table t (a String) engine=MergeTree order by a; alter table t modify column a UInt64"],
        );
        silent_with(
            &RULE,
            "[[table]]\nname='t'\nsize_bytes=1000\ncolumns={a='String'}",
            &["alter table t modify column a UInt64"],
        );
    }
}
