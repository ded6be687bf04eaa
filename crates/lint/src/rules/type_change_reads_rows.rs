//! A change of type checks all rows, or builds indexes, under the lock.

use crate::ir::{ActionKind};
use crate::judge::{Hit, Look};

rule! {
    "LNT-014" "type-change-reads-rows" Hazard Warning
    "a change of type checks all rows, or builds indexes, under the lock"
    "Drop the check before and add it back with `not valid`; build a new index beside the old one."
    "A check that speaks of the column is evaluated for every row although none is rewritten; another collation builds the column's indexes anew.\n\n**The safe way.** Drop the check, change the type, add the check `not valid`, validate it in another transaction. For a collation: a new column.\n\nIt fires on:\n\n```sql\nalter table t add column b varchar(5) check (b is distinct from ''); alter table t alter column b type varchar(9);\n```\n\nLocks, rewrites and scans are measured on PostgreSQL 14 to 18 (`crates/lint/facts/facts.tsv`)."
}

pub(super) fn check(look: &Look<'_>, out: &mut Vec<Hit>) {
    for (effect, fact) in look.busy() {
        let is_index_built = fact.rewrites("table.index") && !fact.rewrites("table");
        if matches!(look.action(effect), Some(ActionKind::AlterType { .. })) && !fact.rewrites("table") && (fact.scans("table") || is_index_built) {
            let work = if is_index_built { "indexes of the column are built anew" } else { "all rows are checked" };
            let mut hit = look.hit(effect, format!("{work} while nobody reads or writes {}", look.called(&effect.table)), "Drop the check before, add it back `not valid`, and validate it in another transaction.");
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
            "alter table t add column b varchar(5) constraint c check (length(b) > 1); alter table t alter column b type varchar(9)",
        ]);
    }

    #[test]
    fn near_misses_pass() {
        passes(&RULE, &[
            "alter table t add column b varchar(5); alter table t alter column b type varchar(9)",
        ]);
    }
}
