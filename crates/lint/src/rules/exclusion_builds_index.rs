//! An exclusion constraint is built under the lock, and there is no other way.

use crate::judge::{Hit, Look};

rule! {
    "LNT-024" "exclusion-builds-index" Hazard Error
    "an exclusion constraint is built under the lock, and there is no other way"
    "Move the table into a shape that has it."
    "An exclusion constraint cannot be added `not valid` and takes no finished index: it is built while nobody reads or writes the table.\n\n**The safe way.** `corridor move TABLE --to shape.sql`, with the constraint in the new shape.\n\nIt fires on:\n\n```sql\nalter table bookings add constraint no_overlap exclude using gist (room with =, during with &&);\n```\n\nLocks, rewrites and scans are measured on PostgreSQL 14 to 18 (`crates/lint/facts/facts.tsv`)."
}

pub(super) fn check(look: &Look<'_>, out: &mut Vec<Hit>) {
    for (effect, fact) in look.busy() {
        if effect.key == "add-exclude" && fact.scans("table") {
            let mut hit = look.hit(effect, format!("its index is built while nobody reads or writes {}", look.called(&effect.table)), "`corridor move` into a shape that has the constraint.");
            hit.is_by_size = true;
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
            "alter table t add constraint x exclude using gist (a with =)",
        ]);
    }

    #[test]
    fn near_misses_pass() {
        passes(&RULE, &[
            "create table t (a int); alter table t add constraint x exclude using gist (a with =)",
        ]);
    }
}
