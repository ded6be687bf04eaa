//! A table is emptied.

use crate::facts::Mode;
use crate::finding::Severity;
use crate::ir::{Kind};
use crate::judge::{Hit, Look};

rule! {
    "LNT-042" "table-emptied" Hazard Warning
    "a table is emptied"
    "Delete in batches, or be sure that nobody wants the rows."
    "`truncate` takes the strongest lock, and the rows are gone; with `cascade` those of every table that points to it as well.\n\n**The safe way.** Delete in batches where readers must not wait. Name each table instead of `cascade`.\n\nIt fires on:\n\n```sql\ntruncate sessions cascade;\n```\n\nLocks, rewrites and scans are measured on PostgreSQL 14 to 18 (`crates/lint/facts/facts.tsv`)."
}

pub(super) fn check(look: &Look<'_>, out: &mut Vec<Hit>) {
    let Kind::Truncate { cascade, .. } = &look.statement.kind else { return };
    for (effect, _) in look.busy().filter(|(_, fact)| fact.lock("table").is_some_and(Mode::blocks_reads)) {
        let also = if *cascade { ", and of every table that points to it" } else { "" };
        let mut hit = look.hit(effect, format!("all rows of {}{also} are gone, and everybody waits behind it", look.called(&effect.table)), "Delete in batches; name each table instead of `cascade`.");
        if *cascade {
            hit.severity = Some(Severity::Error);
        }
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
            "truncate t",
            "truncate t, u cascade",
        ]);
    }

    #[test]
    fn near_misses_pass() {
        passes(&RULE, &[
            "create table t (a int); truncate t",
            "delete from t where a = 1",
        ]);
    }
}
