//! An allowance that allows nothing.


rule! {
    "LNT-091" "unused-allow" Hazard Notice
    "an allowance that allows nothing"
    "Take it out, or give its reason."
    "An allowance that nothing needs any more would hide the next finding at this place; one without a reason tells the next reader nothing.\n\n**The safe way.** Take it out, or say why it stands there.\n\nIt fires on:\n\n```sql\n-- corridor: allow LNT-001 because it was small\nselect 1;\n```\n\nLocks, rewrites and scans are measured on PostgreSQL 14 to 18 (`crates/lint/facts/facts.tsv`)."
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::trial::{fires, passes};

    #[test]
    fn it_fires() {
        fires(&RULE, &[
            "-- corridor: allow LNT-001 because it was small\nselect 1",
            "-- corridor: allow LNT-053\nalter table t add column x int",
        ]);
    }

    #[test]
    fn near_misses_pass() {
        passes(&RULE, &[
            "-- corridor: allow LNT-053 because the runner retries\nalter table t add column x int",
            "-- corridor: allow no-lock-timeout because the runner retries\nalter table t add column x int",
        ]);
    }
}
