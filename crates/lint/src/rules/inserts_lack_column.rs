//! Inserts of a release that still runs lack the column.

use crate::finding::Severity;
use crate::ir::{ActionKind, ConstraintKind};
use crate::judge::{Hit, Look};

rule! {
    "LNT-105" "inserts-lack-column" Compatibility Error
    "inserts of a release that still runs lack the column"
    "Give the column a default in the database."
    "An insert that does not know the column leaves it to its default. Without one, and with `not null` or a check that says so, it fails. That a library has a default does not help the release that runs now.\n\n**The safe way.** A default in the database, and take it away one release later.\n\nIt fires on:\n\n```sql\nalter table users alter column country set not null;\n```\n\n`corridor lint --database` looks at what the server has counted."
}

pub(super) fn check(look: &Look<'_>, out: &mut Vec<Hit>) {
    for (effect, _) in look.busy() {
        let column = match look.action(effect) {
            Some(ActionKind::SetNotNull { column }) => column,
            Some(ActionKind::AddConstraint(constraint)) => match &constraint.kind {
                ConstraintKind::Check(check) => match check.proves_not_null.first() {
                    Some(column) => column,
                    None => continue,
                },
                ConstraintKind::NotNull(column) => column,
                _ => continue,
            },
            _ => continue,
        };
        let facts = look.world.table(&effect.table).and_then(|table| table.columns.get(column));
        if facts.is_some_and(|facts| facts.has_default || facts.is_not_null) || look.world.table(&effect.table).is_some_and(|table| table.proves_not_null(column)) {
            continue;
        }
        let mut hit = look.hit(effect, format!("inserts that leave {}.{column} out, or write NULL, fail from then on", look.called(&effect.table)), "A default in the database first; `not null` one release later.");
        hit.key = None;
        hit.severity = Some(Severity::Warning);
        if let Some(live) = look.live.filter(|live| live.has_statements) {
            match live.inserts_without(&effect.table, column).first() {
                Some(query) => {
                    hit.severity = Some(Severity::Error);
                    hit.what.push_str(&format!("; this one does, {} times so far: {}", query.calls, super::shortened(&query.text)));
                }
                None if live.doubts().next().is_none() => hit.severity = Some(Severity::Notice),
                None => hit.unknown.extend(live.doubts().cloned()),
            }
        } else if facts.is_none() {
            hit.unknown.push(format!("whether {column} has a default, and whether inserts leave it out"));
        }
        out.push(hit);
    }
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::trial::{fires, passes};

    #[test]
    fn it_fires() {
        fires(&RULE, &[
            "alter table t alter column a set not null",
            "alter table t add column a int; alter table t add constraint c check (a is not null) not valid",
        ]);
    }

    #[test]
    fn near_misses_pass() {
        passes(&RULE, &[
            "alter table t add column a int default 0; alter table t alter column a set not null",
            "alter table t add constraint c check (a > 0) not valid",
            "create table t (a int); alter table t alter column a set not null",
        ]);
    }
}
