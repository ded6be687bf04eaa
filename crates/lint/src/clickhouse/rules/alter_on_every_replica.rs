//! An ALTER of a replicated table that goes to each of its replicas.

use super::super::case::{Case, Words};
use super::super::statement::{Kind, Name, What};
use super::super::topology::{Half, Runner};
use crate::finding::{Finding, Severity};

rule! {
    "LNT-305" "alter-on-every-replica" Hazard Warning
    "a replicated table is altered once on every replica"
    "Send it to one replica of each shard; the log carries it to the others."
    r#"**Symptom.** A mutation runs as many times as there are replicas; or the second replica's ALTER fails, because its metadata is not up to
date, or the column is already there.

**Why.** A replicated table writes an ALTER to its log in Keeper, and all replicas of the shard carry it out. A runner that goes to
every node writes it once for each replica.

**Safe way.** `runner = "once-per-shard"` for statements on replicated tables: one replica of each shard; or `ON CLUSTER`, which sees to that
by itself.

```toml
runner = "every-node"
[[table]]
name = "hits"
engine = "ReplicatedMergeTree"
```

```sql
alter table hits delete in partition 202601 where team_id = 2;
```

Not found:

```sql
create table if not exists hits_copy (id UInt64) engine = ReplicatedMergeTree order by id;
```"#
}

pub(crate) fn check(case: &Case<'_, '_>, out: &mut Vec<Finding>) {
    if case.topology.runner != Some(Runner::EveryNode) || case.statement().cluster.is_some() {
        return;
    }
    match &case.statement().kind {
        Kind::Alter(alter) => {
            for action in &alter.actions {
                let is_work = matches!(
                    action.what,
                    What::Update(_)
                        | What::Delete(_)
                        | What::Materialize { .. }
                        | What::Partition(_)
                        | What::Clear(_)
                );
                // Settings and comments of a replica are its own.
                let is_own = matches!(action.what, What::ModifySetting | What::ModifyOther);
                if !is_own {
                    note(case, &alter.table, action.span.clone(), is_work, out);
                }
            }
        }
        Kind::Optimize(optimize) => note(case, &optimize.table, case.statement().span.clone(), true, out),
        Kind::Truncate(drop) => {
            for name in &drop.names {
                note(case, name, case.statement().span.clone(), true, out);
            }
        }
        Kind::LightDelete(mutation) | Kind::LightUpdate(mutation) => {
            note(case, &mutation.table, case.statement().span.clone(), true, out);
        }
        _ => {}
    }
}

fn note(
    case: &Case<'_, '_>,
    name: &Name,
    span: std::ops::Range<usize>,
    is_work: bool,
    out: &mut Vec<Finding>,
) {
    let (database, table) = case.state.key(name);
    let by_name = || {
        let has_replicas = case
            .topology
            .clusters
            .iter()
            .any(|c| c.replicas.is_some_and(|n| n > 1));
        has_replicas && matches!(case.topology.half(&database, &table), Some(Half::Local(_)))
    };
    if !case
        .table(name)
        .and_then(|t| t.is_replicated())
        .unwrap_or_else(by_name)
    {
        return;
    }
    let mut finding = case.finding(&RULE, span, Words {
        what: format!("{name} is replicated, and this goes to every one of its replicas"),
        why: "The log of a replicated table carries an ALTER to all replicas; sent to each, it is carried out once for each.",
        safe_way: "Send it to one replica of each shard.".into(),
    });
    if is_work {
        finding.severity = Severity::Error;
    }
    out.push(finding);
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::{fires_with, silent_with};
    use super::RULE;

    #[test]
    fn cases() {
        let every = "runner='every-node'\n[[cluster]]\nname='c'\nreplicas=2\n";
        fires_with(
            &RULE,
            every,
            &[
                "alter table sharded_hits add column a Int8",
                "create table t (a Int8) engine=ReplicatedReplacingMergeTree order by a; optimize table t final",
            ],
        );
        silent_with(
            &RULE,
            every,
            &[
                "alter table hits add column a Int8",
                "create table t (a Int8) engine=MergeTree order by a; alter table t add column b Int8",
                "alter table sharded_hits on cluster c add column a Int8",
                "alter table sharded_hits modify setting max_parts_in_total=1",
            ],
        );
        silent_with(
            &RULE,
            "runner='once-per-shard'",
            &["alter table sharded_hits add column a Int8"],
        );
    }
}
