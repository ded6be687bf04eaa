//! A lock is taken by hand.

use crate::ir::{Kind};
use crate::judge::{Hit, Look};

rule! {
    "LNT-043" "table-locked" Hazard Warning
    "a lock is taken by hand"
    "Take it with a `lock_timeout`, for as little work as can be."
    "`lock table` keeps the lock until the transaction ends, whatever comes between.\n\n**The safe way.** A weaker mode, a `lock_timeout`, and nothing that takes time before the commit.\n\nIt fires on:\n\n```sql\nbegin; lock table orders; commit;\n```\n\nLocks, rewrites and scans are measured on PostgreSQL 14 to 18 (`crates/lint/facts/facts.tsv`)."
}

pub(super) fn check(look: &Look<'_>, out: &mut Vec<Hit>) {
    for (effect, fact) in look.busy() {
        let Some(mode) = fact.lock("table").filter(|mode| matches!(look.statement.kind, Kind::Lock { .. }) && mode.blocks_writes()) else { continue };
        let who = if mode.blocks_reads() { "readers and writers" } else { "writers" };
        out.push(look.hit(effect, format!("{who} of {} wait until the transaction ends", look.called(&effect.table)), "A `lock_timeout`, and nothing that takes time before the commit."));
    }
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::trial::{fires, passes};

    #[test]
    fn it_fires() {
        fires(&RULE, &[
            "begin; lock table t; commit",
            "begin; lock table t in share mode; commit",
        ]);
    }

    #[test]
    fn near_misses_pass() {
        passes(&RULE, &[
            "begin; lock table t in access share mode; commit",
        ]);
    }
}
