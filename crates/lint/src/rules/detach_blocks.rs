//! Detaching a partition stops everybody who uses its parent.

use crate::facts::Mode;
use crate::ir::{ActionKind};
use crate::judge::{Hit, Look, insertion};

rule! {
    "LNT-032" "detach-blocks" Hazard Warning
    "detaching a partition stops everybody who uses its parent"
    "`detach partition … concurrently`, outside of a transaction."
    "The plain form takes the strongest lock on the parent, on the partition and on the default partition.\n\n**The safe way.** `alter table … detach partition … concurrently`, outside of a transaction. It does not work while there is a default partition.\n\nIt fires on:\n\n```sql\nalter table events detach partition events_2019;\n```\n\nLocks, rewrites and scans are measured on PostgreSQL 14 to 18 (`crates/lint/facts/facts.tsv`)."
}

pub(super) fn check(look: &Look<'_>, out: &mut Vec<Hit>) {
    for (effect, fact) in look.busy() {
        let Some(ActionKind::DetachPartition { .. }) = look.action(effect) else { continue };
        if fact.lock("table").is_some_and(Mode::blocks_reads) {
            let mut hit = look.hit(effect, format!("readers and writers of {} wait behind it", look.called(&effect.table)), "Write `concurrently` behind it, outside of a transaction.");
            if effect.key == "detach-partition.default-exists" {
                hit.safe_way = "Bound the wait with `lock_timeout` and try again: `concurrently` does not work with a default partition.".to_owned();
            } else if look.session.transaction.is_none() {
                hit.fix = insertion("detach it concurrently", effect.span.end, " concurrently");
            }
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
            "alter table e detach partition p",
        ]);
    }

    #[test]
    fn near_misses_pass() {
        passes(&RULE, &[
            "alter table e detach partition p concurrently",
            "create table e (k int) partition by range (k); alter table e detach partition p",
        ]);
    }
}
