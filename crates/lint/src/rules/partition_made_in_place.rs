//! A new partition stops everybody who uses its parent.

use crate::facts::Mode;
use crate::judge::{Hit, Look};

rule! {
    "LNT-031" "partition-made-in-place" Hazard Warning
    "a new partition stops everybody who uses its parent"
    "Make it as a table of its own, then `attach partition`."
    "`create table … partition of` takes the strongest lock on the parent, and reads the default partition where there is one. `attach partition` lets readers and writers of the parent work.\n\n**The safe way.** `create table p (like parent including all)`, a check with the bounds, then `alter table parent attach partition p …`.\n\nIt fires on:\n\n```sql\ncreate table events_2026 partition of events for values from ('2026-01-01') to ('2027-01-01');\n```\n\nLocks, rewrites and scans are measured on PostgreSQL 14 to 18 (`crates/lint/facts/facts.tsv`)."
}

pub(super) fn check(look: &Look<'_>, out: &mut Vec<Hit>) {
    for (effect, fact) in look.effects.iter().filter_map(|(effect, fact)| Some((effect, (*fact)?))) {
        let Some(parent) = effect.relations("parent").first().filter(|_| effect.key.starts_with("create-table")) else { continue };
        if !look.world.is_new(parent) && fact.lock("parent").is_some_and(Mode::blocks_reads) {
            let reading = if fact.scans("default") { ", and the rows of its default partition are read" } else { "" };
            let mut hit = look.hit(effect, format!("readers and writers of {} wait behind it{reading}", look.called(parent)), "`create table … (like …)`, then `attach partition`.");
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
            "create table p partition of e for values from (1) to (2)",
        ]);
    }

    #[test]
    fn near_misses_pass() {
        passes(&RULE, &[
            "create table e (k int) partition by range (k); create table p partition of e for values from (1) to (2)",
            "create table p (k int)",
        ]);
    }
}
