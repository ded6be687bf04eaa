//! A statement that fails when it is carried out a second time.

use super::super::case::{Case, Words, insertion};
use super::super::statement::{Guard, Kind, What};
use crate::finding::Finding;

rule! {
    "LNT-302" "not-repeatable" Hazard Warning
    "the statement fails when the migration is tried again"
    "Write IF NOT EXISTS or IF EXISTS, so that a second try passes over what the first one has done."
    r#"**Symptom.** A migration failed half-way. The second try fails at its first statement, because what it creates is there, or
what it drops is gone.

**Why.** ClickHouse has no transactions over schema changes: each statement stays, and a runner that tries again begins at the
first one. On a cluster it is worse: some nodes have carried it out and others have not.

**Safe way.** `IF NOT EXISTS` behind CREATE and ADD, `IF EXISTS` behind DROP, DETACH and RENAME COLUMN. The edit is offered.
`EXCHANGE TABLES` has no such form: a second one exchanges back. Let it be the only statement of its migration.

```sql
alter table hits add column plan String;
```

Not found:

```sql
alter table hits add column if not exists plan String;
```"#
}

const WHY: &str = "Schema changes are not in a transaction: after a failure the first statements stay, and a second try stumbles over them.";

pub(crate) fn check(case: &Case<'_, '_>, out: &mut Vec<Finding>) {
    let mut note = |span: std::ops::Range<usize>, guard: Guard, words: &str, subject: String| {
        if guard.is_present {
            return;
        }
        let mut finding = case.finding(
            &RULE,
            span,
            Words {
                what: format!("{subject} without {words}"),
                why: WHY,
                safe_way: format!("Write {words}."),
            },
        );
        finding.fix = insertion(
            &format!("add {words}"),
            guard.at,
            &format!(" {}", words.to_ascii_lowercase()),
        );
        out.push(finding);
    };
    match &case.statement().kind {
        Kind::Create(create) if !(create.is_replace || create.is_temporary) => {
            let verb = if create.is_attach { "attach" } else { "create" };
            let subject = format!("{verb} {} {}", create.object.word(), create.name);
            note(create.name.span.clone(), create.guard, "IF NOT EXISTS", subject);
        }
        Kind::Drop(drop) | Kind::Detach(drop) if !drop.is_temporary => {
            let verb = if matches!(case.statement().kind, Kind::Drop(_)) {
                "drop"
            } else {
                "detach"
            };
            if let Some(name) = drop.names.first() {
                note(
                    name.span.clone(),
                    drop.guard,
                    "IF EXISTS",
                    format!("{verb} {} {name}", drop.object.word()),
                );
            }
        }
        Kind::Alter(alter) => {
            for action in &alter.actions {
                match &action.what {
                    What::AddColumn { column, guard } => {
                        note(
                            action.span.clone(),
                            *guard,
                            "IF NOT EXISTS",
                            format!("add column {}", column.name),
                        );
                    }
                    What::Add { piece, name, guard } => {
                        note(
                            action.span.clone(),
                            *guard,
                            "IF NOT EXISTS",
                            format!("add {} {name}", piece.word()),
                        );
                    }
                    What::Drop { piece, name, guard } => {
                        note(
                            action.span.clone(),
                            *guard,
                            "IF EXISTS",
                            format!("drop {} {name}", piece.word()),
                        );
                    }
                    What::RenameColumn { from, guard, .. } => {
                        note(
                            action.span.clone(),
                            *guard,
                            "IF EXISTS",
                            format!("rename column {from}"),
                        );
                    }
                    _ => {}
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::{fires, mended, silent};
    use super::RULE;

    #[test]
    fn cases() {
        fires(
            &RULE,
            &[
                "create table a (b Int8) engine=Memory",
                "create materialized view a to b as select 1",
                "drop view a",
                "alter table a drop index b",
                "alter table a rename column b to c",
                "alter table a add projection p (select b order by b)",
            ],
        );
        silent(
            &RULE,
            &[
                "create or replace table a (b Int8) engine=Memory",
                "create temporary table a (b Int8)",
                "drop table if exists a",
                "alter table a modify column b Int8",
                "alter table a drop partition 202601",
                "create user u",
            ],
        );
    }

    #[test]
    fn the_edit_mends_it() {
        for text in [
            "create table a (b Int8) engine=Memory",
            "drop dictionary a",
            "alter table a rename column b to c, add constraint k check b > 1, drop projection p",
        ] {
            silent(&RULE, &[&mended(&RULE, text)]);
        }
        assert_eq!(mended(&RULE, "drop table a sync"), "drop table if exists a sync");
    }
}
