//! What a look at the servers found that should be over first.

use super::super::case::{Case, Words, size_text};
use super::super::statement::{Kind, Name};
use super::super::topology::Observed;
use crate::finding::{Evidence, Finding};

rule! {
    "LNT-319" "server-not-ready" Hazard Error
    "the table is not in a state in which it should be changed"
    "Wait until mutations, queues and replicas are well, and there is room; then start."
    r#"**Symptom.** A schema change does not come back, or comes back and is on some replicas only.

**Why.** A replica that is read-only or away does not follow. A mutation that is not done stands before the next one. A partition near
`parts_to_delay_insert` slows inserts down as soon as merges have other work. A rewrite needs the room of the table once more.

**Safe way.** Look first: `system.mutations`, `system.replicas`, `system.parts`, `system.disks`, `system.distributed_ddl_queue`. What was seen goes into the
cluster description as `[[observed]]`; the guide's page has the query. Without it this rule says nothing.

```toml
[[observed]]
host = "ch1"
table = "hits"
unfinished_mutations = 1
is_readonly = true
```

```sql
alter table hits add column if not exists plan String;
```

Not found:

```sql
alter table visits add column if not exists plan String;
```"#
}

/// The table that a statement works on.
pub(super) fn subject<'s>(case: &Case<'s, '_>) -> Option<&'s Name> {
    match &case.statement().kind {
        Kind::Alter(alter) => Some(&alter.table),
        Kind::Optimize(optimize) => Some(&optimize.table),
        Kind::LightDelete(mutation) | Kind::LightUpdate(mutation) => Some(&mutation.table),
        Kind::Rename(pairs) | Kind::Exchange(pairs) => pairs.first().map(|pair| &pair.0),
        _ => None,
    }
}

pub(super) fn seen<'s>(case: &Case<'s, '_>, name: &Name) -> Vec<&'s Observed> {
    let (database, table) = case.state.key(name);
    let is_meant = |seen: &&Observed| {
        let in_database = seen
            .database
            .as_deref()
            .unwrap_or(case.topology.default_database());
        in_database == database && seen.table == table
    };
    case.topology.observed.iter().filter(is_meant).collect()
}

/// Entries of a replication queue that are no longer the usual coming and going.
const LONG_QUEUE: u64 = 100;

fn troubles(seen: &Observed) -> Vec<(&'static str, String, &'static str)> {
    let mut all = Vec::new();
    if seen.unfinished_mutations > 0 {
        all.push((
            "unfinished mutations",
            seen.unfinished_mutations.to_string(),
            "system.mutations",
        ));
    }
    if seen.is_readonly {
        all.push(("read-only replica", "yes".to_owned(), "system.replicas"));
    }
    if seen.absent_replicas > 0 {
        all.push((
            "replicas away",
            seen.absent_replicas.to_string(),
            "system.replicas",
        ));
    }
    if seen.queue_size > LONG_QUEUE {
        all.push((
            "replication queue",
            seen.queue_size.to_string(),
            "system.replicas",
        ));
    }
    if seen.ddl_queue > 0 {
        all.push((
            "unfinished statements ON CLUSTER",
            seen.ddl_queue.to_string(),
            "system.distributed_ddl_queue",
        ));
    }
    // From four fifths on: merges that stand aside for an hour use up the rest.
    if let Some(limit) = seen
        .parts_limit
        .filter(|limit| seen.parts_in_partition.saturating_mul(5) >= limit.saturating_mul(4))
    {
        all.push((
            "parts in one partition",
            format!("{} of {limit}", seen.parts_in_partition),
            "system.parts",
        ));
    }
    if let (Some(size), Some(free)) = (seen.size_bytes, seen.free_bytes)
        && free < size
    {
        all.push((
            "free disk",
            format!("{} for a table of {}", size_text(free), size_text(size)),
            "system.disks",
        ));
    }
    all
}

pub(crate) fn check(case: &Case<'_, '_>, out: &mut Vec<Finding>) {
    let Some(name) = subject(case) else { return };
    let mut hosts = Vec::new();
    let mut evidence = Vec::new();
    for seen in seen(case, name) {
        let troubles = troubles(seen);
        if !troubles.is_empty() {
            hosts.push(seen.host.as_str());
        }
        for (name, text, source) in troubles {
            evidence.push(Evidence {
                name: name.to_owned(),
                text,
                source: format!("{source} of {}", seen.host),
            });
        }
    }
    if hosts.is_empty() {
        return;
    }
    let mut finding = case.finding(&RULE, name.span.clone(), Words {
        what: format!("{name} is not ready for a change on {}", hosts.join(", ")),
        why: "What is not done stands before what comes next, and a replica that is away or read-only does not follow.",
        safe_way: "Wait until it is well, look again, then start.".into(),
    });
    finding.evidence = evidence;
    out.push(finding);
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::{fires_with, silent, silent_with};
    use super::RULE;

    #[test]
    fn cases() {
        let seen = |rest: &str| format!("[[observed]]\nhost='a'\ntable='t'\n{rest}");
        for trouble in [
            "unfinished_mutations=1",
            "is_readonly=true",
            "absent_replicas=1",
            "queue_size=101",
            "ddl_queue=1",
            "parts_in_partition=800\nparts_limit=1000",
            "size_bytes=10\nfree_bytes=9",
        ] {
            fires_with(
                &RULE,
                &seen(trouble),
                &[
                    "alter table t add column a Int8",
                    "optimize table default.t final",
                ],
            );
            silent_with(
                &RULE,
                &seen(trouble),
                &["alter table u add column a Int8", "select 1"],
            );
        }
        for well in [
            "",
            "queue_size=100",
            "parts_in_partition=799\nparts_limit=1000",
            "size_bytes=10\nfree_bytes=10",
        ] {
            silent_with(&RULE, &seen(well), &["alter table t add column a Int8"]);
        }
        silent(&RULE, &["alter table t add column a Int8"]);
    }
}
