//! Statements that write all rows anew.

use super::super::case::{Case, Words, insertion, measured};
use super::super::statement::{Kind, Name, What};
use crate::finding::Finding;

rule! {
    "LNT-310" "materialize" Hazard Warning
    "the statement writes the whole table anew"
    "Materialize one partition after the other; change a TTL with materialize_ttl_after_modify = 0."
    r#"**Symptom.** After a small change of the schema all disks are busy for a day, and need up to twice the room.

**Why.** MATERIALIZE COLUMN, INDEX, PROJECTION and TTL are mutations over all parts. A new TTL materializes itself, because
`materialize_ttl_after_modify` is 1 unless it is turned off (measured on ClickHouse 26.9). OPTIMIZE … FINAL merges each partition into one part.

**Safe way.** `IN PARTITION`, one at a time, newest first, with free disk of the largest partition. A TTL with
`SETTINGS materialize_ttl_after_modify = 0`: merges apply it by and by. The edit is offered.

```sql
alter table hits modify ttl created_at + interval 1 year;
```

Not found:

```sql
alter table hits modify ttl created_at + interval 1 year settings materialize_ttl_after_modify = 0;
alter table hits materialize column plan in partition 202601;
```"#
}

pub(crate) fn check(case: &Case<'_, '_>, out: &mut Vec<Finding>) {
    match &case.statement().kind {
        Kind::Alter(alter) => {
            let is_ttl_lazy = case.setting("materialize_ttl_after_modify") == Some("0");
            for action in &alter.actions {
                let (what, is_ttl) = match &action.what {
                    What::Materialize {
                        piece,
                        name,
                        in_partition: false,
                    } => (
                        format!("MATERIALIZE {} {name}", piece.word().to_uppercase()),
                        false,
                    ),
                    What::ModifyTtl if !is_ttl_lazy => ("MODIFY TTL".to_owned(), true),
                    What::ModifyColumn { column } if column.ttl.is_some() && !is_ttl_lazy => {
                        (format!("a new TTL of column {}", column.name), true)
                    }
                    _ => continue,
                };
                let mut found = note(case, &alter.table, action.span.clone(), what.trim_end(), out);
                if let Some(finding) = found.as_mut().filter(|_| is_ttl) {
                    finding.evidence.push(measured(
                        "modify ttl",
                        "a mutation MATERIALIZE TTL over all parts",
                    ));
                    if case.statement().settings.is_empty() {
                        let end = case.statement().span.end;
                        finding.fix = insertion(
                            "leave it to merges",
                            end,
                            " settings materialize_ttl_after_modify = 0",
                        );
                    }
                }
            }
        }
        Kind::Optimize(optimize) if optimize.is_final && !optimize.in_partition => {
            note(
                case,
                &optimize.table,
                case.statement().span.clone(),
                "OPTIMIZE … FINAL",
                out,
            );
        }
        _ => {}
    }
}

fn note<'o>(
    case: &Case<'_, '_>,
    table: &Name,
    span: std::ops::Range<usize>,
    what: &str,
    out: &'o mut Vec<Finding>,
) -> Option<&'o mut Finding> {
    if case.is_light(table) {
        return None;
    }
    out.push(case.heavy(&RULE, span, table, Words {
        what: format!("{what} writes all parts of {table} anew"),
        why: "Old and new parts lie beside each other until it is done: disk of up to twice the size, and all merges behind it.",
        safe_way: "One partition at a time; a TTL with materialize_ttl_after_modify = 0.".into(),
    }));
    out.last_mut()
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::{fires, fires_with, mended, silent, silent_with};
    use super::RULE;

    #[test]
    fn cases() {
        fires(
            &RULE,
            &[
                "alter table t materialize index i",
                "alter table t materialize ttl",
                "alter table t modify column a String ttl d + interval 1 day",
                "optimize table t final",
            ],
        );
        silent(
            &RULE,
            &[
                "alter table t materialize projection p in partition 202601",
                "set materialize_ttl_after_modify = 0; alter table t modify ttl d + interval 1 day",
                "alter table t remove ttl",
                "optimize table t partition 202601 final",
                "optimize table t",
                "create table t (a Int8) engine=MergeTree order by a; alter table t materialize column a",
            ],
        );
        fires_with(
            &RULE,
            "[[table]]\nname='t'\nsize_bytes=900000000000",
            &["optimize table t final"],
        );
        silent_with(
            &RULE,
            "[[table]]\nname='t'\nsize_bytes=900000",
            &["optimize table t final"],
        );
        silent(
            &RULE,
            &[&mended(&RULE, "alter table t modify ttl d + interval 1 day")],
        );
    }
}
