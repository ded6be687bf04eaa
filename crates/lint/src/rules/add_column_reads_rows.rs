//! A new column makes the server read all rows under the lock.

use crate::ir::{ActionKind};
use crate::judge::{Hit, Look};

rule! {
    "LNT-011" "add-column-reads-rows" Hazard Error
    "a new column makes the server read all rows under the lock"
    "Add the column plain, and the constraint by itself."
    "A constraint that stands at the new column is checked, or its index built, in the same statement, under the lock that stops readers and writers.\n\n**The safe way.** Add the column plain. Then an index concurrently and `unique using index`; a check or a foreign key with `not valid`, and `validate` in another transaction.\n\nIt fires on:\n\n```sql\nalter table orders add column code text unique;\n```\n\nLocks, rewrites and scans are measured on PostgreSQL 14 to 18 (`crates/lint/facts/facts.tsv`)."
}

pub(super) fn check(look: &Look<'_>, out: &mut Vec<Hit>) {
    for (effect, fact) in look.busy() {
        if matches!(look.action(effect), Some(ActionKind::AddColumn { .. })) && fact.scans("table") && !fact.rewrites("table") {
            let mut hit = look.hit(effect, format!("all rows of {} are read while nobody reads or writes it", look.called(&effect.table)), "Add the column plain, then the constraint by itself: `not valid` and `validate`, or `using index`.");
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
            "alter table t add column x int unique",
            "alter table t add column x int default 1 check (x > 0)",
            "alter table t add column x int default 1 references r",
        ]);
    }

    #[test]
    fn near_misses_pass() {
        passes(&RULE, &[
            "alter table t add column x int references r",
            "alter table t add column x int default 5",
            "create table t (a int); alter table t add column x int unique",
        ]);
    }
}
