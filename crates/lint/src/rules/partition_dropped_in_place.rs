//! Dropping a partition stops everybody who uses its parent.

use crate::facts::Mode;
use crate::judge::{Hit, Look};

rule! {
    "LNT-033" "partition-dropped-in-place" Hazard Warning
    "dropping a partition stops everybody who uses its parent"
    "Detach it concurrently first, then drop it."
    "`drop table` of a partition takes the strongest lock on its parent, and on the default partition.\n\n**The safe way.** `alter table … detach partition … concurrently`, then `drop table`.\n\nIt fires on:\n\n```sql\nalter table events attach partition old for values from (1) to (2); drop table old;\n```\n\nLocks, rewrites and scans are measured on PostgreSQL 14 to 18 (`crates/lint/facts/facts.tsv`)."
}

pub(super) fn check(look: &Look<'_>, out: &mut Vec<Hit>) {
    for (effect, fact) in look.busy() {
        let Some(parent) = effect.relations("parent").first().filter(|_| effect.key.starts_with("drop-table")) else { continue };
        if fact.lock("parent").is_some_and(Mode::blocks_reads) && !look.world.is_new(parent) {
            let mut hit = look.hit(effect, format!("readers and writers of {} wait behind it", look.called(parent)), "`detach partition … concurrently` first.");
            hit.table = parent.clone();
            out.push(hit);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::trial::{fires, passes};

    #[test]
    fn it_fires() {
        fires(&RULE, &[
            "alter table e attach partition p for values from (1) to (2); drop table p",
        ]);
    }

    #[test]
    fn near_misses_pass() {
        passes(&RULE, &[
            "drop table p",
            "alter table e attach partition p for values from (1) to (2); alter table e detach partition p; drop table p",
        ]);
    }
}
