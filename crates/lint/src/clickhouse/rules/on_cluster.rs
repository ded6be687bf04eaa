//! ON CLUSTER where the runner goes to each node itself, or none where nobody else does.

use super::super::case::{Case, Words};
use super::super::statement::{Kind, Name, Statement};
use super::super::topology::Runner;
use crate::finding::{Finding, Severity};

rule! {
    "LNT-301" "on-cluster" Hazard Warning
    "ON CLUSTER does not fit the way in which the statements are sent"
    "Say ON CLUSTER in all statements, or in none when the runner sends them to each node itself."
    r#"**Symptom.** A table or a column is on some nodes and not on others; or a migration waits for minutes, ends with a
timeout of `distributed_ddl_task_timeout`, and goes on in the background.

**Why.** A statement without `ON CLUSTER` changes only the node that it was sent to. One with it is put into a queue that every
node works off by itself: sent to each of n nodes, it is queued n times. Without a description of the cluster, a file
that says it in some statements and not in others is found.

**Safe way.** One way for all. Where the runner sends statements to one node: `ON CLUSTER` everywhere, and afterwards a look at
`system.distributed_ddl_queue`. Where it goes to each node: nowhere, so that each failure is seen by the runner.

```toml
runner = "every-node"
```

```sql
create table if not exists hits on cluster main (id UInt64) engine = MergeTree order by id;
```

Not found:

```sql
create table if not exists hits (id UInt64) engine = MergeTree order by id;
```"#
}

const WHY: &str = "Without ON CLUSTER a statement changes one node; with it, it is queued for every node, once for each time it is sent.";

/// The table that a statement changes the schema of.
fn subject(statement: &Statement) -> Option<&Name> {
    match &statement.kind {
        Kind::Create(create) if !create.is_temporary => Some(&create.name),
        Kind::Alter(alter) => Some(&alter.table),
        Kind::Drop(drop) | Kind::Detach(drop) | Kind::Truncate(drop) if !drop.is_temporary => {
            drop.names.first()
        }
        Kind::Rename(pairs) | Kind::Exchange(pairs) => pairs.first().map(|pair| &pair.0),
        Kind::Attach(name) => Some(name),
        _ => None,
    }
}

pub(crate) fn check(case: &Case<'_, '_>, out: &mut Vec<Finding>) {
    let statement = case.statement();
    let Some(name) = subject(statement) else { return };
    let database = case.state.key(name).0;
    let carries_itself = case.topology.database(&database).is_some_and(|d| d.is_replicated);
    match (case.topology.runner, &statement.cluster) {
        (Some(Runner::EveryNode | Runner::OncePerShard), Some(cluster)) => {
            let mut finding = case.finding(
                &RULE,
                cluster.span.clone(),
                Words {
                    what: format!(
                        "ON CLUSTER {} in a statement that the runner sends to several nodes itself",
                        cluster.name
                    ),
                    why: WHY,
                    safe_way:
                        "Leave ON CLUSTER out; the runner reaches the nodes, and sees which of them failed."
                            .into(),
                },
            );
            finding.severity = Severity::Error;
            out.push(finding);
        }
        (Some(Runner::OneNode), None) if !carries_itself => {
            out.push(case.finding(&RULE, name.span.clone(), Words {
                what: format!("{name} is changed on one node only"),
                why: WHY,
                safe_way: "Add ON CLUSTER, or put the database on the engine Replicated, which carries statements to its replicas.".into(),
            }));
        }
        (None, None) if !carries_itself => {
            let Some(cluster) = case.first_cluster else { return };
            let mut finding = case.finding(
                &RULE,
                name.span.clone(),
                Words {
                    what: format!(
                        "{name} is changed without ON CLUSTER, while others of this file say ON CLUSTER {cluster}"),
                    why: WHY,
                    safe_way: "Say it in all statements, or in none when the runner goes to each node."
                        .into(),
                },
            );
            finding
                .unknown
                .push("who sends the statements to the nodes (`runner` in the cluster description)".into());
            out.push(finding);
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::{fires, fires_with, silent, silent_with};
    use super::RULE;

    #[test]
    fn cases() {
        fires(
            &RULE,
            &["create table if not exists a on cluster c (id Int8) engine=Memory; drop table if exists b"],
        );
        fires_with(
            &RULE,
            "runner='one-node'",
            &["alter table a add column b Int8", "exchange tables a and b"],
        );
        fires_with(
            &RULE,
            "runner='once-per-shard'",
            &["alter table a on cluster '{cluster}' drop column b"],
        );
        silent(
            &RULE,
            &[
                "alter table a add column b Int8",
                "create table a on cluster c (id Int8) engine=Memory; select 1",
            ],
        );
        silent_with(
            &RULE,
            "runner='one-node'",
            &[
                "alter table a on cluster c add column b Int8",
                "create temporary table a (b Int8)",
            ],
        );
        silent_with(
            &RULE,
            "runner='one-node'\n[[database]]\nname='default'\nis_replicated=true",
            &["drop table a"],
        );
        silent_with(&RULE, "runner='every-node'", &["drop table a"]);
    }
}
