//! More statements follow under the strongest lock.

use crate::judge::{Hit, Look};

rule! {
    "LNT-052" "lock-kept-over-more" Hazard Notice
    "more statements follow under the strongest lock"
    "One change in a transaction, or all changes of one table in one statement."
    "The lock of the first statement is kept until the transaction ends, and each that follows adds its own time, and its own wait for a lock.\n\n**The safe way.** One change in a transaction; several changes of one table as one `alter table`.\n\nIt fires on:\n\n```sql\nbegin; alter table a add column x int; alter table b add column y int; commit;\n```\n\nLocks, rewrites and scans are measured on PostgreSQL 14 to 18 (`crates/lint/facts/facts.tsv`)."
}

pub(super) fn check(look: &Look<'_>, out: &mut Vec<Hit>) {
    let Some(transaction) = &look.session.transaction else { return };
    let locks = look.locks();
    let Some((next, _)) = locks.iter().find(|(_, mode)| mode.blocks_writes()) else { return };
    if let Some(held) = transaction.locks.iter().find(|held| held.mode.blocks_reads() && !held.table.is(next))
        && look.is_first("more under the lock")
    {
        let mut hit = look.hit_whole(format!("it waits for {next} while this transaction holds the strongest lock on {}", held.table), "One table in a transaction.");
        hit.table = held.table.clone();
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
            "begin; alter table a add column x int; alter table b add column y int; commit",
        ]);
    }

    #[test]
    fn near_misses_pass() {
        passes(&RULE, &[
            "alter table a add column x int; alter table b add column y int",
            "begin; alter table a add column x int; alter table a add column y int; commit",
            "begin; create table a (x int); alter table b add column y int; commit",
        ]);
    }
}
