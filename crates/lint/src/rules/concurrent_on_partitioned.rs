//! A partitioned table takes no concurrent build.

use crate::judge::{Hit, Look};

rule! {
    "LNT-007" "concurrent-on-partitioned" Hazard Error
    "a partitioned table takes no concurrent build"
    "Build on each partition, then attach: `create index … on only`."
    "The server refuses `create index concurrently` on a partitioned table, and the plain form holds writers of every partition off at once.\n\n**The safe way.** `create index … on only parent`, then `create index concurrently` on each partition, then `alter index … attach partition` for each.\n\nIt fires on:\n\n```sql\ncreate table e (at date) partition by range (at); create index concurrently i on e (at);\n```\n\nLocks, rewrites and scans are measured on PostgreSQL 14 to 18 (`crates/lint/facts/facts.tsv`)."
}

pub(super) fn check(look: &Look<'_>, out: &mut Vec<Hit>) {
    for (effect, fact) in look.effects.iter().filter_map(|(effect, fact)| Some((effect, (*fact)?))) {
        if effect.key == "create-index.partitioned-concurrently" && fact.failure.is_some() {
            out.push(look.hit(effect, format!("the server refuses it: {} is partitioned", look.called(&effect.table)), "`create index … on only`, then one for each partition with `concurrently`, then attach them."));
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
            "create table p (a int) partition by range (a); create index concurrently i on p (a)",
        ]);
    }

    #[test]
    fn near_misses_pass() {
        passes(&RULE, &[
            "create table p (a int); create index concurrently i on p (a)",
            "create table p (a int) partition by range (a); create index concurrently i on only p (a)",
            "create index concurrently i on p (a)",
        ]);
    }
}
