//! Inserts that rely on the default fail or write NULL.

use crate::finding::Severity;
use crate::ir::{ActionKind};
use crate::judge::{Hit, Look};

rule! {
    "LNT-108" "default-taken-away" Compatibility Warning
    "inserts that rely on the default fail or write NULL"
    "Take a default away one release after the last one that relies on it."
    "An insert that leaves the column out gets NULL from then on, or fails where the column is `not null`.\n\n**The safe way.** One release after the last one whose inserts leave it out.\n\nIt fires on:\n\n```sql\nalter table users alter column country drop default;\n```\n\n`corridor lint --database` looks at what the server has counted."
}

pub(super) fn check(look: &Look<'_>, out: &mut Vec<Hit>) {
    for (effect, _) in look.busy() {
        let column = match look.action(effect) {
            Some(ActionKind::DropDefault { column } | ActionKind::DropIdentity { column }) => column,
            Some(ActionKind::SetDefault { column, value }) if value.is_null => column,
            _ => continue,
        };
        let mut hit = look.hit(effect, format!("inserts that leave {}.{column} out get no value from then on", look.called(&effect.table)), "One release after the last one whose inserts leave it out.");
        hit.key = None;
        if let Some(live) = look.live.filter(|live| live.has_statements) {
            match live.inserts_without(&effect.table, column).first() {
                Some(query) => hit.what.push_str(&format!("; this one does, {} times so far: {}", query.calls, super::shortened(&query.text))),
                None if live.doubts().next().is_none() => hit.severity = Some(Severity::Notice),
                None => hit.unknown.extend(live.doubts().cloned()),
            }
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
            "alter table t alter column a drop default",
            "alter table t alter column a set default null",
        ]);
    }

    #[test]
    fn near_misses_pass() {
        passes(&RULE, &[
            "alter table t alter column a set default 5",
            "create table t (a int default 1); alter table t alter column a drop default",
        ]);
    }
}
