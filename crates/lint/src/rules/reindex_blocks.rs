//! An index is rebuilt while its users wait.

use crate::facts::Mode;
use crate::ir::{Kind};
use crate::judge::{Hit, Look, insertion};

rule! {
    "LNT-003" "reindex-blocks" Hazard Error
    "an index is rebuilt while its users wait"
    "`reindex … concurrently`, outside of a transaction."
    "`reindex` holds writers of the table off, and readers that want the index, until it is built.\n\n**The safe way.** `reindex index concurrently`. What it leaves behind when it fails ends in `_ccnew` or `_ccold`, and has to be dropped.\n\nIt fires on:\n\n```sql\nreindex table orders;\n```\n\nLocks, rewrites and scans are measured on PostgreSQL 14 to 18 (`crates/lint/facts/facts.tsv`)."
}

pub(super) fn check(look: &Look<'_>, out: &mut Vec<Hit>) {
    let Kind::Reindex { concurrently: false, after_target, .. } = &look.statement.kind else { return };
    for (effect, fact) in look.busy().filter(|(_, fact)| fact.lock("table").is_some_and(Mode::blocks_writes)) {
        let index = fact.lock("table.index").filter(|mode| mode.blocks_reads()).map_or("", |_| ", and readers that use the index");
        let mut hit = look.hit(effect, format!("writers of {}{index} wait until it is built", look.called(&effect.table)), "Write `concurrently`, outside of a transaction.");
        hit.is_by_size = true;
        if look.session.transaction.is_none() {
            hit.fix = insertion("rebuild it concurrently", *after_target, " concurrently");
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
            "reindex index i",
            "reindex table t",
        ]);
    }

    #[test]
    fn near_misses_pass() {
        passes(&RULE, &[
            "reindex index concurrently i",
            "reindex (concurrently) table t",
        ]);
    }
}
