//! A replicated table that is dropped and created under the same path.

use super::super::case::{Case, Words, insertion};
use super::super::statement::Kind;
use crate::finding::Finding;

rule! {
    "LNT-303" "recreate-without-sync" Hazard Error
    "a replicated table is created while its path is still held"
    "Write DROP TABLE … SYNC, or let the path contain {uuid}."
    r#"**Symptom.** CREATE TABLE fails with `REPLICA_ALREADY_EXISTS`, right after a DROP TABLE of the same name went through. Minutes
later it works.

**Why.** In an Atomic database DROP only takes the name away. Data, and the replica's entry in Keeper, go after
`database_atomic_delay_before_drop_table_sec` (480 s). A path that is written out is held for as long.

**Safe way.** `DROP TABLE … SYNC`, which waits for it; or a path with `{uuid}`, as the default path has, which is another one for each
table. The edit is offered.

```sql
drop table if exists hits;
create table if not exists hits (id UInt64)
engine = ReplicatedMergeTree('/clickhouse/tables/{shard}/hits', '{replica}') order by id;
```

Not found:

```sql
drop table if exists hits sync;
create table if not exists hits (id UInt64)
engine = ReplicatedMergeTree('/clickhouse/tables/{shard}/hits', '{replica}') order by id;
```"#
}

pub(crate) fn check(case: &Case<'_, '_>, out: &mut Vec<Finding>) {
    let Kind::Drop(drop) = &case.statement().kind else {
        return;
    };
    if drop.is_sync
        || drop.is_whole_database
        || case.is_on("database_atomic_wait_for_drop_and_detach_synchronously")
    {
        return;
    }
    for name in &drop.names {
        let again = case.behind().iter().find_map(|statement| match &statement.kind {
            Kind::Create(create) if case.is_same(&create.name, name) => create.engine.as_ref(),
            _ => None,
        });
        let Some(engine) = again.filter(|e| e.name.starts_with("Replicated")) else {
            continue;
        };
        let Some(path) = engine.arguments.first().map(|part| case.words(*part)) else {
            continue;
        };
        if path.contains("{uuid}") || !path.starts_with('\'') {
            continue;
        }
        let mut finding = case.finding(&RULE, case.statement().span.clone(), Words {
            what: format!("{name} is dropped without SYNC, and created again under {path}"),
            why: "DROP takes only the name away; the replica's entry in Keeper stays for minutes, and CREATE finds it there.",
            safe_way: "Write SYNC behind the DROP, or let the path contain {uuid}.".into(),
        });
        finding.fix = insertion("add SYNC", drop.sync_at, " sync");
        out.push(finding);
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::{fires, mended, silent};
    use super::RULE;

    const AGAIN: &str =
        "create table t (a Int8) engine=ReplicatedMergeTree('/x/{shard}/t','{replica}') order by a";

    #[test]
    fn cases() {
        let again = |drop: &str| format!("{drop}; {AGAIN}");
        fires(
            &RULE,
            &[
                &again("drop table t"),
                &again("drop table if exists default.t on cluster c settings max_table_size_to_drop=0"),
            ],
        );
        silent(
            &RULE,
            &[
                &again("drop table t sync"),
                &again("drop table t no delay"),
                &again("drop table other"),
                &again("set database_atomic_wait_for_drop_and_detach_synchronously = 1; drop table t"),
                "drop table t; create table t (a Int8) engine=ReplicatedMergeTree order by a",
                "drop table t; create table t (a Int8) engine=ReplicatedMergeTree('/x/{uuid}/{shard}','{replica}') order by a",
                "drop table t; create table t (a Int8) engine=MergeTree order by a",
            ],
        );
        let text = again("drop table t on cluster c settings max_table_size_to_drop=0");
        assert!(mended(&RULE, &text).starts_with("drop table t on cluster c sync settings"));
    }
}
