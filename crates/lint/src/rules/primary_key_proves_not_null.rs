//! A primary key of a finished index still reads all rows.

use crate::judge::{Hit, Look};

rule! {
    "LNT-023" "primary-key-proves-not-null" Hazard Warning
    "a primary key of a finished index still reads all rows"
    "Make its columns `not null` first, by way of a validated check."
    "`primary key using index` makes its columns `not null`, and reads every row for it under the strongest lock unless they are so already.\n\n**The safe way.** First `check (… is not null) not valid`, `validate`, `set not null`; then `add primary key using index`.\n\nIt fires on:\n\n```sql\nalter table orders add constraint orders_pkey primary key using index orders_id;\n```\n\nLocks, rewrites and scans are measured on PostgreSQL 14 to 18 (`crates/lint/facts/facts.tsv`)."
}

pub(super) fn check(look: &Look<'_>, out: &mut Vec<Hit>) {
    for (effect, fact) in look.busy() {
        if effect.key == "add-primary-key.using-index-nullable" && fact.scans("table") {
            let mut hit = look.hit(effect, format!("rows of {} are read for NULL while nobody reads or writes it", look.called(&effect.table)), "Make its columns `not null` before, by way of a validated check.");
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
            "alter table t add constraint p primary key using index i",
        ]);
    }

    #[test]
    fn near_misses_pass() {
        passes(&RULE, &[
            "alter table t add column a int not null default 0; create unique index concurrently i on t (a); alter table t add constraint p primary key using index i",
            "alter table t add constraint u unique using index i",
        ]);
    }
}
