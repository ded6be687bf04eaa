//! `if not exists` takes a failed build for an index.

use crate::finding::Severity;
use crate::ir::{Kind, Object};
use crate::judge::{Hit, Look};

rule! {
    "LNT-005" "concurrent-build-hidden" Hazard Warning
    "`if not exists` takes a failed build for an index"
    "Drop the invalid index before, or let a migration do it that looks."
    "When a concurrent build fails, an invalid index of its name stays behind. It costs writes and answers no query; and `if not exists` sees the name, and does nothing, for ever.\n\n**The safe way.** `drop index concurrently if exists` first, then build without `if not exists`; or an index operation of a Corridor migration, which looks whether it is valid.\n\nIt fires on:\n\n```sql\ncreate index concurrently if not exists i on orders (user_id);\n```\n\nLocks, rewrites and scans are measured on PostgreSQL 14 to 18 (`crates/lint/facts/facts.tsv`)."
}

pub(super) fn check(look: &Look<'_>, out: &mut Vec<Hit>) {
    let Kind::CreateIndex(index) = &look.statement.kind else { return };
    let Some(name) = index.name.as_ref().filter(|_| index.is_concurrent && index.if_not_exists) else { return };
    let was_dropped = look.script.statements[..look.at].iter().any(|before| matches!(&before.kind, Kind::Drop { object: Object::Index, names, .. } if names.iter().any(|dropped| dropped.is(name))));
    if was_dropped || look.world.is_new(&index.table) {
        return;
    }
    let mut hit = look.hit_whole(format!("an invalid index {name} of a build that failed would be taken for this one"), format!("`drop index concurrently if exists {name}` before it, and no `if not exists`."));
    hit.table = index.table.clone();
    if look.world.index(name).is_some_and(|there| there.is_invalid) {
        hit.what = format!("{name} is there and invalid now: this does nothing");
        hit.severity = Some(Severity::Error);
    }
    out.push(hit);
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::trial::{fires, passes};

    #[test]
    fn it_fires() {
        fires(&RULE, &[
            "create index concurrently if not exists i on t (a)",
        ]);
    }

    #[test]
    fn near_misses_pass() {
        passes(&RULE, &[
            "create index concurrently i on t (a)",
            "drop index concurrently if exists i; create index concurrently if not exists i on t (a)",
            "create index if not exists i on t (a)",
        ]);
    }
}
