//! A release that still runs may use the table, and its rows are gone.

use crate::finding::Severity;
use crate::ir::{Kind, Object};
use crate::judge::{Hit, Look};

rule! {
    "LNT-103" "table-dropped" Compatibility Error
    "a release that still runs may use the table, and its rows are gone"
    "Rename it first, and drop it days later."
    "Every statement that names it fails, and the rows come back from a backup only.\n\n**The safe way.** First a release without it. Then rename it, so that the way back is short, and drop it days later.\n\nIt fires on:\n\n```sql\ndrop table legacy_orders;\n```\n\n`corridor lint --database` looks at what the server has counted."
}

pub(super) fn check(look: &Look<'_>, out: &mut Vec<Hit>) {
    let Kind::Drop { object: Object::Table | Object::MaterializedView | Object::View | Object::Schema | Object::ForeignTable, names, .. } = &look.statement.kind else { return };
    let Kind::Drop { object, cascade, .. } = &look.statement.kind else { return };
    for name in names.iter().filter(|name| !look.world.is_new(name)) {
        let all = if *object == Object::Schema { "everything in " } else { "" };
        let more = if *cascade { ", and whatever depends on it goes with it" } else { "" };
        let mut hit = look.hit_whole(format!("statements that name {all}{name} fail from then on{more}"), "One release after the last one that uses it; rename it first.");
        hit.table = name.clone();
        // What the server has counted names tables, not schemas.
        if !matches!(object, Object::View | Object::Schema) {
            super::still_used(look, &mut hit, name, None);
        }
        if *object == Object::View {
            hit.severity = Some(Severity::Warning);
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
            "drop table t",
            "drop table if exists a, b cascade",
            "drop schema s cascade",
            "drop view v",
        ]);
    }

    #[test]
    fn near_misses_pass() {
        passes(&RULE, &[
            "create table t (a int); drop table t",
            "drop function f()",
        ]);
    }
}
