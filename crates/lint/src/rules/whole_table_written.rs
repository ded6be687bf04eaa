//! All rows are written in one statement.

use crate::ir::{Kind};
use crate::judge::{Hit, Look};

rule! {
    "LNT-050" "whole-table-written" Hazard Warning
    "all rows are written in one statement"
    "Write them in batches: a backfill of a Corridor migration."
    "One statement that writes all rows keeps locks on all of them until it commits, writes as much log, leaves as many dead rows, and lets replicas fall behind.\n\n**The safe way.** A backfill: batches along the key, each committed, that hold when the server suffers. `--plan` writes it.\n\nIt fires on:\n\n```sql\nupdate orders set state = 'new';\n```\n\nLocks, rewrites and scans are measured on PostgreSQL 14 to 18 (`crates/lint/facts/facts.tsv`)."
}

pub(super) fn check(look: &Look<'_>, out: &mut Vec<Hit>) {
    let is_whole = matches!(&look.statement.kind, Kind::Update { has_where: false, .. } | Kind::Delete { has_where: false, .. });
    for (effect, _) in look.busy().filter(|_| is_whole) {
        let mut hit = look.hit(effect, format!("all rows of {} are written and stay locked until it commits", look.called(&effect.table)), "Write them in batches along the key, each committed.");
        hit.is_by_size = true;
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
            "update t set a = 1",
            "delete from t",
        ]);
    }

    #[test]
    fn near_misses_pass() {
        passes(&RULE, &[
            "update t set a = 1 where b = 2",
            "create table t (a int); update t set a = 1",
            "delete from t where a = 1",
        ]);
    }
}
