//! The file leaves a transaction open.

use crate::ir::{Kind};
use crate::judge::{Hit, Look};

rule! {
    "LNT-056" "open-transaction" Hazard Warning
    "the file leaves a transaction open"
    "End it with `commit`."
    "A file that ends inside of its own transaction leaves its locks to chance: a runner may hold them over the next file, or roll all of it back.\n\n**The safe way.** `commit` at the end.\n\nIt fires on:\n\n```sql\nbegin; alter table t add column x int;\n```\n\nLocks, rewrites and scans are measured on PostgreSQL 14 to 18 (`crates/lint/facts/facts.tsv`)."
}

pub(super) fn check(look: &Look<'_>, out: &mut Vec<Hit>) {
    let is_last = look.at + 1 == look.script.statements.len();
    let ends = matches!(look.statement.kind, Kind::Commit { chain: false } | Kind::Rollback { chain: false });
    let is_open = match &look.statement.kind {
        Kind::Begin => look.session.transaction.is_none(),
        _ => look.session.transaction.as_ref().is_some_and(|it| !it.is_of_runner) && !ends,
    };
    if is_last && is_open {
        out.push(look.hit_whole("the file ends inside of the transaction that it began".to_owned(), "`commit` at the end."));
    }
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::trial::{fires, passes};

    #[test]
    fn it_fires() {
        fires(&RULE, &[
            "begin; alter table t add column x int",
        ]);
    }

    #[test]
    fn near_misses_pass() {
        passes(&RULE, &[
            "begin; alter table t add column x int; commit",
            "alter table t add column x int",
        ]);
    }
}
