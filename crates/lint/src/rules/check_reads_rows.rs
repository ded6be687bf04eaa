//! A check reads all rows under the lock.

use crate::ir::{ActionKind, ConstraintKind};
use crate::judge::{Hit, Look, not_valid};

rule! {
    "LNT-020" "check-reads-rows" Hazard Error
    "a check reads all rows under the lock"
    "Add it `not valid`, and validate it in another transaction."
    "A check that is added as valid is evaluated for every row while nobody reads or writes the table.\n\n**The safe way.** `add constraint … check (…) not valid` takes the lock for an instant; `validate constraint` in another transaction reads the rows while everybody works.\n\nIt fires on:\n\n```sql\nalter table orders add constraint positive check (amount > 0);\n```\n\nLocks, rewrites and scans are measured on PostgreSQL 14 to 18 (`crates/lint/facts/facts.tsv`)."
}

pub(super) fn check(look: &Look<'_>, out: &mut Vec<Hit>) {
    for (effect, fact) in look.busy() {
        let Some(ActionKind::AddConstraint(constraint)) = look.action(effect) else { continue };
        if !matches!(constraint.kind, ConstraintKind::Check(_) | ConstraintKind::NotNull(_)) || !(fact.scans("table") || fact.scans("partition")) {
            continue;
        }
        let mut hit = look.hit(effect, format!("all rows of {} are read while nobody reads or writes it", look.called(&effect.table)), "`not valid` now, `validate constraint` in another transaction.");
        hit.is_by_size = true;
        hit.fix = not_valid(look, &effect.table, constraint, "add it without a check of the rows");
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
            "alter table t add constraint c check (a > 0)",
        ]);
    }

    #[test]
    fn near_misses_pass() {
        passes(&RULE, &[
            "alter table t add constraint c check (a > 0) not valid",
            "create table t (a int); alter table t add check (a > 0)",
            "alter table t validate constraint c",
        ]);
    }
}
