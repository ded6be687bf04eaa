//! Nothing bounds the wait for a lock.

use crate::ir::{Kind};
use crate::judge::{Hit, Look, insertion};

rule! {
    "LNT-053" "no-lock-timeout" Hazard Warning
    "nothing bounds the wait for a lock"
    "`set lock_timeout = '2s'` before it, and try again when it strikes."
    "A statement that waits for a strong lock makes everybody behind it wait, whatever they want. Without a `lock_timeout` in effect, one forgotten transaction stops the table for as long as it stays open.\n\n**The safe way.** `set lock_timeout = '2s'` for the session or `set local` in the transaction, and a runner that tries again.\n\nIt fires on:\n\n```sql\nalter table orders add column note text;\n```\n\nLocks, rewrites and scans are measured on PostgreSQL 14 to 18 (`crates/lint/facts/facts.tsv`)."
}

pub(super) fn check(look: &Look<'_>, out: &mut Vec<Hit>) {
    if look.session.timeouts().bounds_waits() {
        return;
    }
    let builds = matches!(&look.statement.kind, Kind::CreateIndex(index) if index.is_concurrent);
    let locks = look.locks();
    let Some((table, mode)) = locks.iter().filter(|(name, mode)| !name.name.is_empty() && mode.blocks_writes()).max_by_key(|(_, mode)| *mode) else { return };
    if builds {
        return;
    }
    let was_set = look.script.statements[..look.at].iter().any(|before| matches!(&before.kind, Kind::Set(setting) if setting.name == "lock_timeout"));
    let why = if was_set { ": the one that was set before is not in effect any more" } else { "" };
    let mut hit = look.hit_whole(format!("it waits for a lock ({mode}) on {table} without a bound, and everybody waits behind it{why}"), "`set lock_timeout = '2s'` before it, and try again. Said once a file.");
    hit.table = table.clone();
    let local = if look.session.transaction.is_some() { "local " } else { "" };
    hit.fix = insertion("bound the wait", look.statement.span.start, &format!("set {local}lock_timeout = '2s';\n"));
    out.push(hit);
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::trial::{fires, passes};

    #[test]
    fn it_fires() {
        fires(&RULE, &[
            "alter table t add column x int",
            "set lock_timeout = '2s'; reset lock_timeout; alter table t add column x int",
            "set lock_timeout = 0; alter table t add column x int",
            "set local lock_timeout = '2s'; alter table t add column x int",
            "begin; set local lock_timeout = '2s'; commit; alter table t add column x int",
        ]);
    }

    #[test]
    fn near_misses_pass() {
        passes(&RULE, &[
            "set lock_timeout = '2s'; alter table t add column x int",
            "begin; set local lock_timeout = '2s'; alter table t add column x int; commit",
            "select set_config('lock_timeout', '2s', false); alter table t add column x int",
            "create table t (a int)",
            "set statement_timeout = '5s'; alter table t add column x int",
            "alter type mood add value 'glad'",
        ]);
    }
}
