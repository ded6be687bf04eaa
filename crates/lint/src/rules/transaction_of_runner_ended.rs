//! The file ends, or nests in, the transaction that its runner opened.

use crate::finding::Severity;
use crate::ir::{Kind};
use crate::judge::{Hit, Look};

rule! {
    "LNT-057" "transaction-of-runner-ended" Hazard Error
    "the file ends, or nests in, the transaction that its runner opened"
    "Leave `begin` and `commit` to the runner."
    "The runner opened a transaction around the file. A `commit` in it makes half of the file durable while the runner believes that all of it can be taken back; a `begin` does nothing but warn.\n\n**The safe way.** Take them out, or mark the file as one without a transaction.\n\nIt fires on:\n\n```sql\n-- V7__orders.sql\nupdate orders set state = 0 where state is null;\ncommit;\n```\n\nLocks, rewrites and scans are measured on PostgreSQL 14 to 18 (`crates/lint/facts/facts.tsv`)."
}

pub(super) fn check(look: &Look<'_>, out: &mut Vec<Hit>) {
    let Some(transaction) = &look.session.transaction else { return };
    if !transaction.is_of_runner {
        return;
    }
    match &look.statement.kind {
        Kind::Begin => out.push(Hit { severity: Some(Severity::Warning), ..look.hit_whole("the runner has begun a transaction already".to_owned(), "Take it out.") }),
        Kind::Commit { .. } | Kind::Rollback { .. } => out.push(look.hit_whole("it ends the transaction of the runner, which does not know of it".to_owned(), "Take it out, or mark the file as one without a transaction.")),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::trial::{fires, passes};

    #[test]
    fn it_fires() {
        fires(&RULE, &[
            "@V1__a.sql commit",
            "@V1__a.sql begin; select 1",
        ]);
    }

    #[test]
    fn near_misses_pass() {
        passes(&RULE, &[
            "begin; select 1; commit",
            "@V1__a.sql select 1",
        ]);
    }
}
