//! ALTER UPDATE and DELETE over all partitions, and statements that wait for it.

use super::super::case::{Case, Words};
use super::super::statement::{Kind, What};
use crate::finding::Finding;

rule! {
    "LNT-309" "unbounded-mutation" Hazard Warning
    "a mutation goes over all partitions, or the deploy waits for it"
    "Name the partition, one after the other; do not wait for it inside of a deploy."
    r#"**Symptom.** A deploy hangs on one statement for hours; merges stop, parts pile up, the disk fills.

**Why.** ALTER UPDATE and DELETE write every part anew that holds a row that the condition may touch; other parts are cloned. Without `IN PARTITION`
that may be all of them at once. `mutations_sync` and `alter_sync = 2` make the session wait, the latter also for replicas that are away.

**Safe way.** One partition at a time, with a look at `system.mutations` in between (`KILL MUTATION` stops one). `DELETE FROM` marks rows and leaves
the work to merges. What must wait, waits outside of the deploy.

```sql
alter table hits delete where team_id = 2;
```

Not found:

```sql
alter table hits delete in partition 202601 where team_id = 2;
```"#
}

pub(crate) fn check(case: &Case<'_, '_>, out: &mut Vec<Finding>) {
    const WAITS: [(&str, &[&str]); 4] = [
        ("mutations_sync", &["1", "2"]),
        ("alter_sync", &["2"]),
        ("replication_alter_partitions_sync", &["2"]),
        ("lightweight_deletes_sync", &["2"]),
    ];
    let (table, is_heavy) = match &case.statement().kind {
        Kind::Alter(alter) => {
            let mut is_heavy = false;
            for action in &alter.actions {
                let (What::Update(mutation) | What::Delete(mutation)) = &action.what else {
                    is_heavy |= matches!(action.what, What::Materialize { .. } | What::ModifyTtl);
                    continue;
                };
                is_heavy = true;
                if mutation.in_partition || case.is_light(&alter.table) {
                    continue;
                }
                out.push(case.heavy(&RULE, action.span.clone(), &alter.table, Words {
                    what: format!("a mutation of {} without IN PARTITION", alter.table),
                    why: "It writes every part anew that its condition may touch, all partitions at once.",
                    safe_way: "One partition at a time, with IN PARTITION, and a look at system.mutations in between.".into(),
                }));
            }
            (&alter.table, is_heavy)
        }
        Kind::LightDelete(mutation) | Kind::LightUpdate(mutation) => (&mutation.table, true),
        _ => return,
    };
    if case.is_light(table) {
        return;
    }
    for (name, values) in WAITS {
        let Some(value) = case.setting(name).filter(|value| values.contains(value)) else {
            continue;
        };
        // Waiting for all replicas stands in the way of any ALTER; waiting for a mutation only of one.
        if is_heavy || name == "alter_sync" {
            out.push(case.finding(&RULE, case.statement().span.clone(), Words {
                what: format!("the session waits for it: {name} = {value}"),
                why: "A deploy that waits for work on all rows hangs for as long; one that waits for all replicas hangs on one that is away.",
                safe_way: "Leave the setting out, and wait outside of the deploy, on system.mutations.".into(),
            }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::{fires, silent};
    use super::RULE;

    #[test]
    fn cases() {
        fires(
            &RULE,
            &[
                "alter table t update a = 1, delete = 2 where b = 3",
                "alter table t delete in partition 1 where a = 1 settings mutations_sync = 2",
                "set mutations_sync = 2; delete from t where a = 1",
                "alter table t add column a Int8 settings alter_sync = 2",
            ],
        );
        silent(
            &RULE,
            &[
                "alter table t update a = 1 in partition 202601 where 1",
                "delete from t where a = 1",
                "set mutations_sync = 2; alter table t add column a Int8",
                "alter table t drop column a settings alter_sync = 1",
                "create table t (a Int8) engine=MergeTree order by a; alter table t delete where a = 1",
            ],
        );
    }
}
