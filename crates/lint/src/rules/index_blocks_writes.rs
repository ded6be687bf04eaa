//! An index is built while writers wait.

use crate::facts::Mode;
use crate::ir::{Kind};
use crate::judge::{Hit, Look, insertion};

rule! {
    "LNT-001" "index-blocks-writes" Hazard Error
    "an index is built while writers wait"
    "Build it with `concurrently`, outside of a transaction."
    "`create index` holds off every insert, update and delete of the table until all of its rows were read and sorted.\n\n**The safe way.** `create index concurrently`, outside of a transaction. When it fails, an invalid index of the name is left behind: drop it and begin again, or let `corridor lint --plan` write an operation that does.\n\nIt fires on:\n\n```sql\ncreate index orders_by_user on orders (user_id);\n```\n\nLocks, rewrites and scans are measured on PostgreSQL 14 to 18 (`crates/lint/facts/facts.tsv`)."
}

pub(super) fn check(look: &Look<'_>, out: &mut Vec<Hit>) {
    for (effect, fact) in look.busy() {
        let Kind::CreateIndex(index) = &look.statement.kind else { continue };
        if index.is_concurrent || !fact.lock("table").is_some_and(Mode::blocks_writes) || effect.key == "create-index.partitioned-only" {
            continue;
        }
        let table = look.called(&effect.table);
        let mut hit = look.hit(effect, format!("writers of {table} wait until all of its rows were read and sorted"), "Write `create index concurrently`, outside of a transaction.");
        hit.is_by_size = true;
        if effect.key == "create-index.partitioned" {
            hit.safe_way = format!("`create index … on only {table}`, then for each partition `create index concurrently` and `alter index … attach partition`.");
        } else if look.session.transaction.is_none() {
            hit.fix = insertion("build it concurrently", index.after_index, " concurrently");
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
            "create index i on t (a)",
            "create unique index i on t (a)",
            "create index i on only_t (a)",
            "create table e (k int) partition by range (k); alter table e attach partition p for values from (1) to (2); create index i on e (k)",
            "begin; create table t (a int); commit; create index j on u (a)",
        ]);
    }

    #[test]
    fn near_misses_pass() {
        passes(&RULE, &[
            "create index concurrently i on t (a)",
            "create table t (a int); create index i on t (a)",
            "create temp table t (a int); create index i on t (a)",
        ]);
    }
}
