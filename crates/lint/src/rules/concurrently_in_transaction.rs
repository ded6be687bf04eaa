//! It cannot run inside of a transaction.

use crate::judge::{Hit, Look};

rule! {
    "LNT-004" "concurrently-in-transaction" Hazard Error
    "it cannot run inside of a transaction"
    "Run it by itself: a file of its own, marked as the runner wants it."
    "The server refuses some statements inside of a transaction. The migration fails at this point, and in a file that is not atomic what came before stands.\n\n**The safe way.** A file of its own that the runner does not wrap: `-- no-transaction` for sqlx, `transaction:false` for dbmate, `-- +goose NO TRANSACTION`, `run_in_transaction = false` for Diesel, `executeInTransaction=false` for Flyway, one statement a file for golang-migrate and Prisma, `atomic = False` for Django.\n\nIt fires on:\n\n```sql\nbegin; create index concurrently i on orders (user_id); commit;\n```\n\nLocks, rewrites and scans are measured on PostgreSQL 14 to 18 (`crates/lint/facts/facts.tsv`)."
}

pub(super) fn check(look: &Look<'_>, out: &mut Vec<Hit>) {
    if look.session.transaction.is_none() {
        return;
    }
    for (effect, fact) in look.effects.iter().filter_map(|(effect, fact)| Some((effect, (*fact)?))) {
        if !fact.in_transaction && fact.failure.is_none() {
            let who = if look.session.transaction.as_ref().is_some_and(|it| it.is_of_runner) { "the runner opened" } else { "the file opened" };
            out.push(look.hit(effect, format!("the server refuses it inside of the transaction that {who}"), "Put it into a file of its own, without a transaction."));
            break;
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
            "begin; create index concurrently i on t (a); commit",
            "begin; vacuum t; commit",
            "begin; alter table t detach partition p concurrently; commit",
            "begin; alter system set work_mem = '1GB'",
        ]);
    }

    #[test]
    fn near_misses_pass() {
        passes(&RULE, &[
            "create index concurrently i on t (a)",
            "begin; select 1; commit; create index concurrently i on t (a)",
            "begin; create index i on t (a); commit",
        ]);
    }
}
