//! An index or a projection that old parts will not have.

use super::super::case::{Case, Words, measured};
use super::super::statement::{Kind, Piece, What};
use crate::finding::Finding;

rule! {
    "LNT-311" "not-materialized" Hygiene Warning
    "old parts do not get the new index or projection"
    "Materialize it, one partition after the other."
    r#"**Symptom.** An index was added, and queries over old data are as slow as before. Nothing says why.

**Why.** ADD INDEX, PROJECTION and STATISTICS change metadata only (measured on ClickHouse 26.9). Parts that are written from then on have it, old ones
only when a merge happens to write them.

**Safe way.** `MATERIALIZE INDEX … IN PARTITION` for the partitions that are queried, one at a time.

```sql
alter table hits add index if not exists by_url url type bloom_filter granularity 4;
```

Not found:

```sql
alter table hits add index if not exists by_url url type bloom_filter granularity 4;
alter table hits materialize index by_url in partition 202601;
```"#
}

pub(crate) fn check(case: &Case<'_, '_>, out: &mut Vec<Finding>) {
    let Some(alter) = case.alter() else { return };
    if case.table(&alter.table).is_some_and(|t| t.is_empty()) {
        return;
    }
    for action in &alter.actions {
        let What::Add {
            piece: piece @ (Piece::Index | Piece::Projection | Piece::Statistics),
            name,
            ..
        } = &action.what
        else {
            continue;
        };
        let is_done = case.statements[case.at..].iter().any(|statement| match &statement.kind {
            Kind::Alter(later) if case.is_same(&later.table, &alter.table) => later.actions.iter().any(|action| {
                matches!(&action.what, What::Materialize { piece: p, name: n, .. } if p == piece && (n == name || *p == Piece::Statistics))
            }),
            Kind::Optimize(later) => later.is_final && case.is_same(&later.table, &alter.table),
            _ => false,
        });
        if is_done {
            continue;
        }
        let word = piece.word();
        let mut finding = case.finding(
            &RULE,
            action.span.clone(),
            Words {
                what: format!(
                    "{word} {name} is added to {} and not materialized: parts that are there do not get it",
                    alter.table
                ),
                why: "It is metadata only; new parts have it, old ones when a merge happens to write them.",
                safe_way: format!(
                    "MATERIALIZE {} {name} IN PARTITION …, one partition at a time.",
                    word.to_uppercase()
                ),
            },
        );
        finding
            .evidence
            .push(measured(&format!("add {word}"), "no mutation"));
        out.push(finding);
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
                "alter table t add projection p (select a order by a)",
                "alter table t add index i a type minmax; alter table t materialize index j",
            ],
        );
        silent(
            &RULE,
            &[
                "alter table t add index i a type minmax, materialize index i",
                "alter table t add index i a type minmax; optimize table t final",
                "alter table t add constraint c check a > 1",
                "create table t (a Int8) engine=MergeTree order by a; alter table t add index i a type minmax",
            ],
        );
    }
}
