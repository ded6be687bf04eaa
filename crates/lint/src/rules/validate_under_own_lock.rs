//! Rows are validated under a lock that this transaction took before.

use crate::ir::{ActionKind};
use crate::judge::{Hit, Look};

rule! {
    "LNT-025" "validate-under-own-lock" Hazard Error
    "rows are validated under a lock that this transaction took before"
    "Commit before `validate constraint`."
    "`validate constraint` itself lets everybody work. But the lock that the same transaction took to add the constraint is kept until it commits, so that the reading of all rows happens under it.\n\n**The safe way.** Two transactions: one adds `not valid`, the next one validates.\n\nIt fires on:\n\n```sql\nbegin; alter table t add constraint c check (a > 0) not valid; alter table t validate constraint c; commit;\n```\n\nLocks, rewrites and scans are measured on PostgreSQL 14 to 18 (`crates/lint/facts/facts.tsv`)."
}

pub(super) fn check(look: &Look<'_>, out: &mut Vec<Hit>) {
    for (effect, fact) in look.busy() {
        if !matches!(look.action(effect), Some(ActionKind::ValidateConstraint { .. })) || !fact.scans("table") {
            continue;
        }
        if let Some(held) = look.session.holds(&effect.table).filter(|mode| mode.blocks_writes()) {
            let mut hit = look.hit(effect, format!("all rows of {} are read under the lock ({held}) that this transaction holds since an earlier statement", look.called(&effect.table)), "Commit before it.");
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
            "begin; alter table t add constraint c check (a > 0) not valid; alter table t validate constraint c; commit",
            "begin; alter table t add column x int; alter table t validate constraint c; commit",
        ]);
    }

    #[test]
    fn near_misses_pass() {
        passes(&RULE, &[
            "alter table t add constraint c check (a > 0) not valid; alter table t validate constraint c",
            "begin; alter table t add constraint c check (a > 0) not valid; commit; begin; alter table t validate constraint c; commit",
        ]);
    }
}
