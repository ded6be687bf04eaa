//! Hosts that do not agree on a table before it is changed.

use std::collections::BTreeMap;

use super::super::case::{Case, Words};
use super::server_not_ready::{seen, subject};
use crate::finding::{Evidence, Finding};

rule! {
    "LNT-320" "schema-drift" Hazard Error
    "hosts disagree on the columns of the table before the change"
    "Find the change that went half-way, finish it on the hosts that lack it, then start."
    r#"**Symptom.** A migration fails on one host of many, because there the column is missing, or already there.

**Why.** A change before this one went half-way: a host was away, or a statement was sent to some only. Upon that every further change makes the
difference harder to read.

**Safe way.** Compare `system.columns` of the hosts, finish what is missing, and only then go on. A digest of each host goes into the cluster description as
`[[observed]]`; the guide's page has the query. Without it this rule says nothing.

```toml
[[observed]]
host = "ch1"
table = "hits"
columns_digest = "a1"
[[observed]]
host = "ch2"
table = "hits"
columns_digest = "b2"
```

```sql
alter table hits add column if not exists plan String;
```

Not found:

```sql
alter table visits add column if not exists plan String;
```"#
}

pub(crate) fn check(case: &Case<'_, '_>, out: &mut Vec<Finding>) {
    let Some(name) = subject(case) else { return };
    let mut hosts: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for seen in seen(case, name) {
        if let Some(digest) = &seen.columns_digest {
            hosts.entry(digest).or_default().push(&seen.host);
        }
    }
    if hosts.len() < 2 {
        return;
    }
    let mut finding = case.finding(
        &RULE,
        name.span.clone(),
        Words {
            what: format!(
                "{} different lists of columns of {name} on {} hosts",
                hosts.len(),
                hosts.values().map(Vec::len).sum::<usize>()
            ),
            why: "A change before this one went half-way; upon that this one goes half-way too.",
            safe_way: "Compare system.columns of the hosts, finish what is missing, then start.".into(),
        },
    );
    finding.evidence = hosts
        .iter()
        .map(|(digest, hosts)| Evidence {
            name: format!("columns {digest}"),
            text: hosts.join(", "),
            source: "system.columns".to_owned(),
        })
        .collect();
    out.push(finding);
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::{fires_with, silent_with};
    use super::RULE;

    #[test]
    fn cases() {
        let two = |one: &str, other: &str| {
            format!(
                "[[observed]]\nhost='a'\ntable='t'\ncolumns_digest='{one}'\n[[observed]]\nhost='b'\ntable='t'\ncolumns_digest='{other}'"
            )
        };
        fires_with(&RULE, &two("1", "2"), &["alter table t add column a Int8"]);
        silent_with(&RULE, &two("1", "1"), &["alter table t add column a Int8"]);
        silent_with(
            &RULE,
            &two("1", "2"),
            &[
                "alter table u add column a Int8",
                "create table t (a Int8) engine=Memory",
            ],
        );
    }
}
