//! `set not null` reads all rows under the lock.

use crate::ir::{ActionKind};
use crate::judge::{Hit, Look};

rule! {
    "LNT-015" "set-not-null-reads-rows" Hazard Error
    "`set not null` reads all rows under the lock"
    "Prove it first: `check (… is not null) not valid`, `validate`, then `set not null`."
    "The server has to see that no row has NULL there, and reads all of them while nobody reads or writes the table. A valid check that says so spares it the reading.\n\n**The safe way.** `add constraint c check (x is not null) not valid`; in another transaction `validate constraint c`; then `set not null` and `drop constraint c`. From 18 on `add constraint c not null x not valid` does for the first.\n\nIt fires on:\n\n```sql\nalter table orders alter column user_id set not null;\n```\n\nLocks, rewrites and scans are measured on PostgreSQL 14 to 18 (`crates/lint/facts/facts.tsv`)."
}

pub(super) fn check(look: &Look<'_>, out: &mut Vec<Hit>) {
    for (effect, fact) in look.busy() {
        let Some(ActionKind::SetNotNull { column }) = look.action(effect) else { continue };
        if !fact.scans("table") {
            continue;
        }
        let column = crate::ir::quoted(column);
        let mut hit = look.hit(effect, format!("all rows of {} are read while nobody reads or writes it", look.called(&effect.table)), format!("First `check ({column} is not null) not valid`, then `validate` in another transaction; with it `set not null` reads nothing."));
        hit.is_by_size = true;
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
            "alter table t alter column a set not null",
            "alter table t add constraint c check (a is not null) not valid; alter table t alter column a set not null",
            "alter table t add constraint c check (a is not null or b) not valid; alter table t validate constraint c; alter table t alter column a set not null",
        ]);
    }

    #[test]
    fn near_misses_pass() {
        passes(&RULE, &[
            "alter table t add constraint c check (a is not null) not valid; alter table t validate constraint c; alter table t alter column a set not null",
            "create table t (a int); alter table t alter column a set not null",
        ]);
    }
}
