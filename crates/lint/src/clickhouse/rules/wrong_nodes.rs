//! A table on nodes that are not for it.

use super::super::case::{Case, Words};
use super::super::statement::{Create, Kind, Object, Statement};
use super::super::topology::{Half, Role};
use crate::finding::Finding;

rule! {
    "LNT-318" "wrong-nodes" Hazard Warning
    "a table is created on nodes that are not for it, or misses on some that need it"
    "Tables with rows on data nodes, Distributed ones for reading on all, Kafka and its views on ingestion nodes."
    r#"**Symptom.** A query through a coordinator fails with an unknown table; or a coordinator's disk fills with rows that no query finds.

**Why.** Coordinators begin queries and hold no rows: they need the Distributed tables, and nothing of a shard. Ingestion nodes read Kafka. A
statement `ON CLUSTER` one of them reaches only that one.

**Safe way.** Tables with rows: the cluster of data nodes. Distributed tables for reading, and views and dictionaries over them: all nodes. Roles are told
by the cluster description.

```toml
[[cluster]]
name = "data"
role = "data"
[[cluster]]
name = "coordinators"
role = "coordinator"
```

```sql
create table if not exists sharded_hits on cluster coordinators (id UInt64) engine = ReplicatedMergeTree order by id;
```

Not found:

```sql
create table if not exists sharded_hits on cluster data (id UInt64) engine = ReplicatedMergeTree order by id;
create table if not exists hits on cluster data (id UInt64) engine = Distributed('data', 'default', 'sharded_hits');
create table if not exists hits on cluster coordinators (id UInt64) engine = Distributed('data', 'default', 'sharded_hits');
```"#
}

/// The role of the nodes that a statement reaches.
fn role(case: &Case<'_, '_>, statement: &Statement, create: &Create) -> Option<Role> {
    let own = statement.cluster.as_ref().map(|cluster| cluster.name.as_str());
    let database = case.state.key(&create.name).0;
    let name = own.or_else(|| {
        case.topology
            .database(&database)
            .and_then(|d| d.cluster.as_deref())
    })?;
    case.topology.cluster(name)?.role
}

pub(crate) fn check(case: &Case<'_, '_>, out: &mut Vec<Finding>) {
    let Some(create) = case.create().filter(|c| !c.is_temporary) else {
        return;
    };
    let Some(engine) = create.engine.as_ref().filter(|_| create.object == Object::Table) else {
        return;
    };
    let Some(role) = role(case, case.statement(), create) else {
        return;
    };
    let (database, table) = case.state.key(&create.name);
    let is_local = matches!(case.topology.half(&database, &table), Some(Half::Local(_)));
    let mut note = |what: String, safe_way: &str| {
        out.push(case.finding(&RULE, create.name.span.clone(), Words {
            what,
            why: "Coordinators begin queries and hold no rows; a statement reaches only the cluster that it names.",
            safe_way: safe_way.to_owned(),
        }));
    };
    match role {
        Role::Coordinator if engine.is_merge_tree() && is_local => {
            note(
                format!(
                    "{} holds the rows of a shard, and is created on coordinators",
                    create.name
                ),
                "Create it on the cluster of data nodes.",
            );
        }
        Role::Coordinator | Role::Data if engine.name == "Kafka" && has_role(case, Role::Ingestion) => {
            note(
                format!(
                    "{} reads Kafka, and is not created on ingestion nodes",
                    create.name
                ),
                "Create it on the cluster of ingestion nodes.",
            );
        }
        Role::Data
            if engine.name == "Distributed"
                && has_role(case, Role::Coordinator)
                && !create.name.object.starts_with("writable_") =>
        {
            let is_there_too = case.statements.iter().any(|statement| match &statement.kind {
                Kind::Create(other) if case.is_same(&other.name, &create.name) => {
                    matches!(
                        self::role(case, statement, other),
                        Some(Role::Coordinator | Role::All)
                    )
                }
                _ => false,
            });
            if !is_there_too {
                note(
                    format!(
                        "{} is created on data nodes only, and queries begin on coordinators",
                        create.name
                    ),
                    "Create it on the coordinators too, or on a cluster of all nodes.",
                );
            }
        }
        _ => {}
    }
}

fn has_role(case: &Case<'_, '_>, role: Role) -> bool {
    case.topology
        .clusters
        .iter()
        .any(|cluster| cluster.role == Some(role))
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::{fires_with, silent, silent_with};
    use super::RULE;

    #[test]
    fn cases() {
        let roles = "[[cluster]]\nname='d'\nrole='data'\n[[cluster]]\nname='q'\nrole='coordinator'\n[[cluster]]\nname='i'\nrole='ingestion'\n[[cluster]]\nname='all'\nrole='all'\n";
        fires_with(
            &RULE,
            roles,
            &[
                "create table a_local on cluster q (a Int8) engine=MergeTree order by a",
                "create table a on cluster d (a Int8) engine=Distributed(d, default, a_local)",
                "create table k on cluster d (a Int8) engine=Kafka settings kafka_broker_list='x'",
            ],
        );
        silent_with(
            &RULE,
            roles,
            &[
                "create table a_local on cluster d (a Int8) engine=MergeTree order by a",
                "create table lookup on cluster q (a Int8) engine=MergeTree order by a",
                "create table a on cluster all (a Int8) engine=Distributed(d, default, a_local)",
                "create table writable_a on cluster d (a Int8) engine=Distributed(d, default, sharded_a)",
                "create table k on cluster i (a Int8) engine=Kafka settings kafka_broker_list='x'",
            ],
        );
        silent(
            &RULE,
            &["create table a_local on cluster q (a Int8) engine=MergeTree order by a"],
        );
    }
}
