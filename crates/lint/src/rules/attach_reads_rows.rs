//! A partition is read whole when it is attached.

use crate::ir::{ActionKind};
use crate::judge::{Hit, Look};

rule! {
    "LNT-030" "attach-reads-rows" Hazard Warning
    "a partition is read whole when it is attached"
    "Prove its bounds before with a validated check."
    "The server has to see that all rows of the new partition are within its bounds, and that the default partition holds none that belong there. Both are read under a lock that stops their readers and writers, unless a valid check implies it.\n\n**The safe way.** On the new partition `check (k is not null and k >= … and k < …) not valid`, `validate`, attach, drop the check; the same with the opposite condition on the default partition.\n\nIt fires on:\n\n```sql\nalter table events attach partition events_2026 for values from ('2026-01-01') to ('2027-01-01');\n```\n\nLocks, rewrites and scans are measured on PostgreSQL 14 to 18 (`crates/lint/facts/facts.tsv`)."
}

pub(super) fn check(look: &Look<'_>, out: &mut Vec<Hit>) {
    for (effect, fact) in look.effects.iter().filter_map(|(effect, fact)| Some((effect, (*fact)?))) {
        let Some(ActionKind::AttachPartition { partition, .. }) = look.action(effect) else { continue };
        // A parent that the file has made may take in a table that is in use.
        if look.world.is_new(&effect.table) && look.world.is_new(partition) {
            continue;
        }
        let is_read = fact.scans("partition") && !look.world.is_new(partition) || fact.scans("default");
        if is_read {
            let which = if fact.scans("default") && look.world.is_new(partition) { "the default partition".to_owned() } else { look.called(partition) };
            let mut hit = look.hit(effect, format!("all rows of {which} are read while nobody reads or writes it"), "Prove the bounds before: a check `not valid`, validated, on the new and on the default partition.");
            hit.table = partition.clone();
            hit.is_by_size = true;
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
            "alter table e attach partition p for values from (1) to (2)",
            "create table e (k int) partition by range (k); alter table e attach partition p for values from (1) to (2)",
        ]);
    }

    #[test]
    fn near_misses_pass() {
        passes(&RULE, &[
            "create table e (k int) partition by range (k); create table p (k int); alter table e attach partition p for values from (1) to (2)",
            "create table p (k int); alter table e attach partition p for values from (1) to (2)",
            "alter table p add constraint c check (k is not null and k >= 1 and k < 2) not valid; alter table p validate constraint c; alter table e attach partition p for values from (1) to (2)",
        ]);
    }
}
