//! A key of a table that is to change in place.

use super::super::case::{Case, Words, measured};
use super::super::state::{Table, key_entries};
use super::super::statement::{Kind, What};
use crate::finding::Finding;

rule! {
    "LNT-307" "key-in-place" Hazard Error
    "a sorting, partition, primary or sharding key cannot change in place"
    "Create a new table with the new key, copy partition by partition, compare, EXCHANGE TABLES."
    r#"**Symptom.** A syntax error at `MODIFY PARTITION BY`; or a table that was dropped and created with another key, without its rows; or, after a new
sharding key, rows of one key on two shards, and wrong results of queries that rely on it.

**Why.** Parts are written in the order of the key and in the directories of the partition key; no statement changes them. A new sharding key
moves no row: it only sends new ones elsewhere.

**Safe way.** A new table with the new key; writes into both (a second materialized view, with a consumer group of its own where Kafka feeds it);
copy partition by partition; compare counts and digests by partition; `EXCHANGE TABLES`; keep the old one until nobody misses it.

```sql
alter table hits modify partition by toYYYYMMDD(created_at);
```

Not found:

```sql
create table if not exists hits_new (id UInt64, at DateTime) engine = MergeTree partition by toYYYYMMDD(at) order by id;
exchange tables hits_new and hits;
```"#
}

pub(crate) fn check(case: &Case<'_, '_>, out: &mut Vec<Finding>) {
    match &case.statement().kind {
        Kind::Alter(alter) => {
            for action in &alter.actions {
                let What::ModifyKey(key) = &action.what else {
                    continue;
                };
                let mut finding = case.finding(
                    &RULE,
                    action.span.clone(),
                    words(format!("MODIFY {key} on {}", alter.table)),
                );
                finding.evidence.push(measured("modify", "a syntax error"));
                out.push(finding);
            }
        }
        Kind::Create(create) if !create.guard.is_present || case.table(&create.name).is_none() => {
            let key = case.state.key(&create.name);
            // What is there is replaced, or was dropped before.
            let former = case.state.former.get(&key).or_else(|| case.table(&create.name));
            let Some(former) = former.filter(|t| !t.is_empty()) else {
                return;
            };
            let text = |part: Option<super::super::script::Part>| part.map(|part| case.words(part));
            let sharding = create.engine.as_ref().filter(|e| e.name == "Distributed");
            let sharding = sharding
                .and_then(|e| e.arguments.get(3))
                .map(|part| case.words(*part));
            let new = Table {
                order_by: text(create.order_by),
                partition_by: text(create.partition_by),
                sharding_key: sharding,
                ..Table::default()
            };
            for (name, old, new) in [
                ("sorting key", &former.order_by, &new.order_by),
                ("partition key", &former.partition_by, &new.partition_by),
                ("sharding key", &former.sharding_key, &new.sharding_key),
            ] {
                let (Some(old), Some(new)) = (old, new) else {
                    continue;
                };
                if key_entries(old) != key_entries(new) {
                    let what = format!(
                        "{} is created again with another {name}: {new} instead of {old}",
                        create.name
                    );
                    out.push(case.finding(&RULE, create.name.span.clone(), words(what)));
                }
            }
        }
        _ => {}
    }
}

fn words(what: String) -> Words {
    Words {
        what,
        why: "Parts lie in the order of the key; no statement changes it in place, and a new sharding key moves no row.",
        safe_way:
            "A new table, writes into both, a copy by partitions that is compared, then EXCHANGE TABLES."
                .into(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::{fires, fires_with, silent, silent_with};
    use super::RULE;

    #[test]
    fn cases() {
        let table = "[[table]]\nname='t'\norder_by='a, b'\n[[table]]\nname='d'\nsharding_key='rand()'";
        fires(
            &RULE,
            &[
                "alter table t modify primary key a",
                "alter table t modify engine = MergeTree",
            ],
        );
        fires_with(
            &RULE,
            table,
            &[
                "drop table t; create table t (a Int8, b Int8) engine=MergeTree order by (b, a)",
                "create or replace table d (a Int8) engine=Distributed(c, default, t, cityHash64(a))",
            ],
        );
        silent_with(
            &RULE,
            table,
            &[
                "drop table t; create table t (a Int8, b Int8) engine=MergeTree order by (a, b)",
                "create table t2 (a Int8, b Int8) engine=MergeTree order by (b, a); exchange tables t and t2",
                "create table if not exists t (a Int8) engine=MergeTree order by b",
                "create or replace table d (a Int8) engine=Distributed(c, default, t, rand())",
            ],
        );
        silent(
            &RULE,
            &[
                "alter table t modify sample by a",
                "alter table t modify setting ttl_only_drop_parts = 1",
            ],
        );
    }
}
