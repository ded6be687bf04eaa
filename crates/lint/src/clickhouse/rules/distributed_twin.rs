//! A column that changes on one half of a pair, or on both in the wrong order.

use super::super::case::{Case, Words};
use super::super::state::type_text;
use super::super::statement::{Kind, Name, Piece, Statement, What};
use super::super::topology::Half;
use crate::finding::{Finding, Severity};

rule! {
    "LNT-304" "distributed-twin" Hazard Warning
    "a column changes on one half of a sharded pair, or on both in the wrong order"
    "Add a column to the local table first, then to the Distributed one; drop it from the Distributed one first."
    r#"**Symptom.** Queries through the Distributed table fail with an unknown column, for a moment or until somebody adds the other half.

**Why.** A Distributed table has a list of columns of its own. A column that it has and a shard's table has not fails in queries and
inserts; the other way round it is only not seen.

**Safe way.** Add: local table on all shards, then the Distributed one. Drop and rename: the Distributed one first. Pairs are known from
CREATE statements of the file, from the cluster description, and from names (`sharded_x`, `x_local`; `x`, `x_distributed`, `x_dist`).

```sql
alter table sharded_hits add column if not exists plan String;
```

Not found:

```sql
alter table sharded_hits add column if not exists plan String;
alter table hits add column if not exists plan String;
```"#
}

/// What happens to a column.
fn change(case: &Case<'_, '_>, table: &Name, what: &What) -> Option<(&'static str, String)> {
    match what {
        What::AddColumn { column, .. } => Some(("add", column.name.clone())),
        What::Drop {
            piece: Piece::Column,
            name,
            ..
        } => Some(("drop", name.clone())),
        What::RenameColumn { from, .. } => Some(("rename", from.clone())),
        What::ModifyColumn { column } if column.data_type.is_some() => {
            let old = case.table(table).and_then(|t| t.columns.get(&column.name));
            let is_new_type = match old {
                Some(old) => *old != type_text(case.script, column),
                // A type that is only repeated beside an attribute.
                None => {
                    column.codec.is_none()
                        && column.ttl.is_none()
                        && column.default.is_none()
                        && !column.has_comment
                }
            };
            is_new_type.then(|| ("modify", column.name.clone()))
        }
        _ => None,
    }
}

/// True where `statement` does the same to the column in one of `tables`, or creates one of them.
fn does(
    case: &Case<'_, '_>,
    statement: &Statement,
    database: &str,
    tables: &[String],
    verb: &str,
    column: &str,
) -> bool {
    let is_meant = |name: &Name| {
        let key = case.state.key(name);
        key.0 == database && tables.contains(&key.1)
    };
    match &statement.kind {
        // One that comes later is created as it is then; one that came before must have the column.
        Kind::Create(create) if is_meant(&create.name) => {
            let is_later = statement.span.start > case.statement().span.start;
            is_later || (verb == "add" && create.columns.iter().any(|c| c.name == column))
        }
        Kind::Alter(alter) if is_meant(&alter.table) => {
            alter.actions.iter().any(|action| match &action.what {
                What::AddColumn { column: c, .. } => verb == "add" && c.name == column,
                What::Drop {
                    piece: Piece::Column,
                    name,
                    ..
                } => verb == "drop" && name == column,
                What::RenameColumn { from, .. } => verb == "rename" && from == column,
                What::ModifyColumn { column: c } => verb == "modify" && c.name == column,
                _ => false,
            })
        }
        _ => false,
    }
}

/// The half that a table is: as CREATE statements before say, else as described, else by its name.
fn half(case: &Case<'_, '_>, table: &Name) -> Option<Half> {
    let key = case.state.key(table);
    if case.table(table).and_then(|t| t.engine.as_deref()) == Some("Kafka") {
        return None;
    }
    for statement in case.before() {
        let Kind::Create(create) = &statement.kind else {
            continue;
        };
        let Some(engine) = create.engine.as_ref().filter(|e| e.name == "Distributed") else {
            continue;
        };
        let Some(under) = engine.arguments.get(2).map(|part| case.words(*part)) else {
            continue;
        };
        let under = under.trim_matches(['\'', '`', '"']).to_owned();
        if case.is_same(&create.name, table) {
            return Some(Half::Distributed(vec![under]));
        }
        if key.1 == under {
            return Some(Half::Local(vec![create.name.object.clone()]));
        }
    }
    case.topology.half(&key.0, &key.1)
}

pub(crate) fn check(case: &Case<'_, '_>, out: &mut Vec<Finding>) {
    let Some(alter) = case.alter() else { return };
    let Some(half) = half(case, &alter.table) else {
        return;
    };
    let (database, _) = case.state.key(&alter.table);
    let (is_local, others) = match &half {
        Half::Local(others) => (true, others),
        Half::Distributed(others) => (false, others),
    };
    for action in &alter.actions {
        let Some((verb, column)) = change(case, &alter.table, &action.what) else {
            continue;
        };
        let in_file = |s: &Statement| does(case, s, &database, others, verb, &column);
        let is_before = case.before().iter().any(in_file);
        let is_behind = case.behind().iter().any(in_file);
        let other = others.join(" or ");
        let problem = match (is_before, is_behind) {
            (false, false) => Some((
                format!(
                    "{verb} column {column} on {}, and nothing here does it on {other}",
                    alter.table
                ),
                Severity::Warning,
            )),
            // The first of the two speaks.
            (false, true) if is_local == matches!(verb, "drop" | "rename") && verb != "modify" => Some((
                format!(
                    "{verb} column {column} on {} before it is done on {other}",
                    alter.table
                ),
                Severity::Error,
            )),
            _ => None,
        };
        let Some((what, severity)) = problem else { continue };
        let mut finding = case.finding(&RULE, action.span.clone(), Words {
            what,
            why: "A Distributed table has columns of its own; one that it has and a shard has not makes queries fail.",
            safe_way: match verb {
                "add" => "Add it to the local table on all shards first, then to the Distributed one.".into(),
                "modify" => "Change both in one release, the local table first.".into(),
                _ => "Do it on the Distributed table first, then on the local ones.".into(),
            },
        });
        finding.severity = severity;
        if severity == Severity::Warning {
            finding.unknown.push("whether another file does it".into());
        }
        out.push(finding);
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::{fires, fires_with, silent};
    use super::RULE;

    #[test]
    fn cases() {
        fires(
            &RULE,
            &[
                "alter table hits_local drop column a",
                "alter table hits_dist add column a Int8",
                "alter table hits add column a Int8; create table x (b Int8) engine=Memory; alter table sharded_hits add column b Int8",
                "alter table sharded_hits drop column a; alter table hits drop column a",
                "alter table hits_dist add column a Int8; alter table hits_local add column a Int8",
                "create table all_hits (a Int8) engine=Distributed('c', 'default', 'hits', rand()); alter table hits add column b Int8",
                "alter table sharded_hits rename column a to b; alter table hits rename column a to b",
            ],
        );
        fires_with(
            &RULE,
            "[[pair]]\nlocal='rows'\ndistributed='every'",
            &["alter table rows add column a Int8"],
        );
        silent(
            &RULE,
            &[
                "alter table hits add column a Int8",
                "alter table sharded_hits add column a Int8; alter table hits add column a Int8",
                "alter table hits drop column a; alter table sharded_hits drop column a",
                "alter table sharded_hits modify column a String codec(ZSTD(3))",
                "alter table sharded_hits modify ttl a + interval 1 day",
                "alter table sharded_hits add column a Int8; create table if not exists hits (a Int8) engine=Distributed('c','default','sharded_hits')",
            ],
        );
    }
}
