//! An index is dropped under a lock that stops everybody.

use crate::facts::Mode;
use crate::ir::{Kind, Object};
use crate::judge::{Hit, Look, insertion};

rule! {
    "LNT-002" "index-drop-blocks" Hazard Warning
    "an index is dropped under a lock that stops everybody"
    "Drop it with `concurrently`, outside of a transaction."
    "`drop index` locks the table against readers and writers. The lock is short, but the wait for it is as long as the oldest query, and everybody queues behind.\n\n**The safe way.** `drop index concurrently`, outside of a transaction. It cannot be used for an index of a constraint: drop the constraint.\n\nIt fires on:\n\n```sql\ndrop index orders_by_user;\n```\n\nLocks, rewrites and scans are measured on PostgreSQL 14 to 18 (`crates/lint/facts/facts.tsv`)."
}

pub(super) fn check(look: &Look<'_>, out: &mut Vec<Hit>) {
    let Kind::Drop { object: Object::Index, concurrently: false, names, after_object, .. } = &look.statement.kind else { return };
    if names.iter().all(|name| look.world.index(name).is_some_and(|index| look.world.is_new(&index.table))) {
        return;
    }
    for (effect, _) in look.busy().filter(|(_, fact)| fact.lock("table").is_some_and(Mode::blocks_reads)).take(1) {
        let mut hit = look.hit(effect, format!("readers and writers of {} wait behind it", look.called(&effect.table)), "Write `drop index concurrently`, outside of a transaction.");
        if names.len() == 1 && look.session.transaction.is_none() {
            hit.fix = insertion("drop it concurrently", *after_object, " concurrently");
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
            "drop index i",
            "drop index if exists s.i",
        ]);
    }

    #[test]
    fn near_misses_pass() {
        passes(&RULE, &[
            "drop index concurrently i",
            "create table t (a int); create index i on t (a); drop index i",
            "drop table t",
        ]);
    }
}
