//! A new column refuses the rows that are there.

use crate::judge::{Hit, Look};

rule! {
    "LNT-012" "add-column-not-null-fails" Hazard Error
    "a new column refuses the rows that are there"
    "Give it a default, or add it nullable and fill it."
    "Rows that are there have no value for the new column. With `not null` and no default the statement fails as soon as there is one row; and where there is none yet, inserts of the release that still runs fail.\n\n**The safe way.** A constant default costs nothing: `add column x int not null default 0`. Or add it nullable, fill it in batches, and make it `not null` by way of a check.\n\nIt fires on:\n\n```sql\nalter table orders add column kind text not null;\n```\n\nLocks, rewrites and scans are measured on PostgreSQL 14 to 18 (`crates/lint/facts/facts.tsv`)."
}

pub(super) fn check(look: &Look<'_>, out: &mut Vec<Hit>) {
    for (effect, fact) in look.busy() {
        if effect.key == "add-column.not-null" && fact.failure.is_some() {
            let hit = look.hit(effect, format!("it fails as soon as {} has a row", look.called(&effect.table)), "Give it a constant default, or add it nullable and fill it in batches.");
            out.push(hit);
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
            "alter table t add column x int not null",
        ]);
    }

    #[test]
    fn near_misses_pass() {
        passes(&RULE, &[
            "alter table t add column x int not null default 0",
            "alter table t add column x int",
            "create table t (a int); alter table t add column x int not null",
        ]);
    }
}
