//! A materialized view is locked while it is filled.

use crate::facts::Mode;
use crate::ir::{Kind};
use crate::judge::{Hit, Look, insertion};

rule! {
    "LNT-041" "matview-refreshed" Hazard Warning
    "a materialized view is locked while it is filled"
    "`refresh materialized view concurrently`, with a unique index on it."
    "The plain form stops its readers until it is filled.\n\n**The safe way.** `refresh materialized view concurrently`: readers go on; it needs a unique index over all rows.\n\nIt fires on:\n\n```sql\nrefresh materialized view totals;\n```\n\nLocks, rewrites and scans are measured on PostgreSQL 14 to 18 (`crates/lint/facts/facts.tsv`)."
}

pub(super) fn check(look: &Look<'_>, out: &mut Vec<Hit>) {
    let Kind::Refresh { concurrently: false, after_view, with_data, .. } = &look.statement.kind else { return };
    for (effect, fact) in look.busy().filter(|(_, fact)| fact.lock("table").is_some_and(Mode::blocks_reads)) {
        let _ = fact;
        let mut hit = look.hit(effect, format!("readers of {} wait until it is filled", look.called(&effect.table)), "`refresh materialized view concurrently`, with a unique index on it.");
        hit.is_by_size = true;
        if *with_data {
            hit.fix = insertion("refresh it concurrently", *after_view, " concurrently");
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
            "refresh materialized view m",
        ]);
    }

    #[test]
    fn near_misses_pass() {
        passes(&RULE, &[
            "refresh materialized view concurrently m",
            "create materialized view m as select 1 with no data; refresh materialized view m",
        ]);
    }
}
