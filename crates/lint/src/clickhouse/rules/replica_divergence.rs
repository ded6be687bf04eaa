//! Tables whose rows do not reach the other replicas.

use super::super::case::{Case, Words};
use super::super::statement::{Kind, Object};
use super::super::topology::Half;
use crate::finding::{Finding, Severity};

rule! {
    "LNT-314" "replica-divergence" Hazard Error
    "replicas of the table will not hold the same rows"
    "Use a Replicated engine, with {replica} in its name and {shard} or {uuid} in its path."
    r#"**Symptom.** The same query gives two answers, by the replica that it meets; or the second replica cannot be created, as its name is taken; or two
tables get each other's rows.

**Why.** A MergeTree without `Replicated` keeps its rows where they were inserted. A replicated one meets its partners by its path in Keeper, and is told
apart by its replica name: without macros every host writes the same. A sharded table without `{shard}` in its path makes replicas of all shards.

**Safe way.** `ReplicatedMergeTree` without arguments (the default path has `{uuid}` and `{shard}`), or
`('/clickhouse/tables/{shard}/database/table', '{replica}')`.

```sql
create table if not exists hits on cluster main (id UInt64) engine = MergeTree order by id;
```

Not found:

```sql
create table if not exists hits on cluster main (id UInt64) engine = ReplicatedMergeTree order by id;
```"#
}

pub(crate) fn check(case: &Case<'_, '_>, out: &mut Vec<Finding>) {
    let Some(create) = case
        .create()
        .filter(|c| c.object != Object::View && !c.is_temporary)
    else {
        return;
    };
    let Some(engine) = create.engine.as_ref().filter(|e| e.is_merge_tree()) else {
        return;
    };
    let (database, table) = case.state.key(&create.name);
    let mut note = |what: String, severity: Severity, unknown: Option<&str>| {
        let mut finding = case.finding(&RULE, engine.span.clone(), Words {
            what,
            why: "Replicas meet by their path in Keeper and are told apart by their name; an engine that is not replicated meets nobody.",
            safe_way: "ReplicatedMergeTree without arguments, or with {shard} in the path and {replica} as the name.".into(),
        });
        finding.severity = severity;
        finding.unknown.extend(unknown.map(str::to_owned));
        out.push(finding);
    };
    if !engine.is_replicated() {
        let known = case.topology.database(&database);
        let cluster = case.statement().cluster.as_ref().map(|c| c.name.as_str());
        let cluster = cluster.or_else(|| known.and_then(|d| d.cluster.as_deref()));
        let replicas = cluster
            .and_then(|name| case.topology.cluster(name))
            .and_then(|c| c.replicas);
        if known.is_some_and(|d| d.is_replicated) {
            note(
                format!(
                    "{} is not replicated, in the database {database}, which is",
                    create.name
                ),
                Severity::Error,
                None,
            );
        } else if replicas.is_some_and(|n| n > 1) {
            note(
                format!(
                    "{} is not replicated, on a cluster whose shards have {} replicas",
                    create.name,
                    replicas.unwrap_or(2)
                ),
                Severity::Error,
                None,
            );
        } else if replicas.is_none() && cluster.is_some() {
            note(
                format!("{} is created on a cluster, and is not replicated", create.name),
                Severity::Warning,
                Some("how many replicas a shard has"),
            );
        }
        return;
    }
    // Arguments that are no path are columns, as of ReplacingMergeTree.
    let text = |at: usize| {
        engine
            .arguments
            .get(at)
            .map(|part| case.words(*part))
            .filter(|text| text.starts_with('\''))
    };
    let (Some(path), Some(replica)) = (text(0), text(1)) else {
        return;
    };
    if !replica.contains('{') {
        note(
            format!("the replica name {replica} is the same on every host"),
            Severity::Error,
            None,
        );
    }
    let is_apart = path.contains("{shard}") || path.contains("{uuid}");
    if !is_apart && matches!(case.topology.half(&database, &table), Some(Half::Local(_))) {
        note(
            format!(
                "{} is sharded by its name, and its path {path} has no {{shard}}",
                create.name
            ),
            Severity::Warning,
            None,
        );
    }
    let is_own = ["{uuid}", "{table}"].iter().any(|part| path.contains(part));
    let twin = case.before().iter().find_map(|statement| match &statement.kind {
        Kind::Create(other) if !case.is_same(&other.name, &create.name) => {
            let first = other
                .engine
                .as_ref()
                .filter(|e| e.is_replicated())?
                .arguments
                .first()?;
            (case.words(*first) == path).then_some(&other.name)
        }
        _ => None,
    });
    if let Some(twin) = twin.filter(|_| !is_own) {
        note(
            format!("{} has the same path as {twin}", create.name),
            Severity::Error,
            None,
        );
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
            &[
                "create table t (a Int8) engine=ReplicatedMergeTree('/x/{shard}/t', 'one') order by a",
                "create table sharded_t (a Int8) engine=ReplicatedMergeTree('/x/t', '{replica}') order by a",
                "create table t (a Int8) engine=ReplicatedMergeTree('/x/t', '{replica}') order by a; \
             create table u (a Int8) engine=ReplicatedMergeTree('/x/t', '{replica}') order by a",
            ],
        );
        fires_with(
            &RULE,
            "[[database]]\nname='d'\nis_replicated=true",
            &["create table d.t (a Int8) engine=MergeTree order by a"],
        );
        silent(
            &RULE,
            &[
                "create table t (a Int8) engine=MergeTree order by a",
                "create table t (a Int8) engine=ReplicatedMergeTree('/x/noshard/t', '{replica}-{shard}') order by a",
                "create table t (a Int8) engine=ReplicatedReplacingMergeTree(version) order by a",
                "create table t on cluster c (a Int8) engine=Distributed('c', 'd', 'u')",
                "create table t (a Int8) engine=ReplicatedMergeTree('/x/{uuid}', '{replica}') order by a; \
             create table u (a Int8) engine=ReplicatedMergeTree('/x/{uuid}', '{replica}') order by a",
            ],
        );
        silent_with(
            &RULE,
            "[[cluster]]\nname='c'\nreplicas=1",
            &["create table t on cluster c (a Int8) engine=MergeTree order by a"],
        );
    }
}
