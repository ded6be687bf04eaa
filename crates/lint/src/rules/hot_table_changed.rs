//! A table of the policy is changed without a word in writing.

use crate::facts::Mode;
use crate::ir::Name;
use crate::judge::{Hit, Look};

rule! {
    "LNT-055" "hot-table-changed" Hazard Error
    "a table of the policy is changed without a word in writing"
    "Write `-- corridor: allow LNT-055 because …` with what was agreed."
    "The policy of this repository names the table as one that everything depends on: every change of it wants a written acknowledgement, whatever the lock.\n\n**The safe way.** Agree when and how, and write it down: `-- corridor: allow LNT-055 because …`.\n\nIt fires, with this in `corridor-lint.toml`:\n\n```toml\nhot_tables = [\"users\"]\n```\n\non:\n\n```sql\nalter table users add column x int;\n```\n\nLocks, rewrites and scans are measured on PostgreSQL 14 to 18 (`crates/lint/facts/facts.tsv`)."
}

pub(super) fn check(look: &Look<'_>, out: &mut Vec<Hit>) {
    let mut seen: Vec<&Name> = Vec::new();
    for (table, mode) in look.locks() {
        let Some(hot) = look.settings.hot_tables.iter().find(|hot| hot.is(table)).filter(|_| *mode >= Mode::ShareUpdateExclusive) else { continue };
        if seen.contains(&table) {
            continue;
        }
        seen.push(table);
        let mut what = format!("{table} is in the policy of hot tables, and this takes a lock ({mode}) on it");
        if !hot.reason.is_empty() {
            what.push_str(&format!("; why it is there: {}", hot.reason));
        }
        let way = match hot.owner.as_str() {
            "" => format!("{}.", hot.example()),
            owner => format!("Agree with its owner, {owner}, and write it down: {}.", hot.example()),
        };
        let mut hit = look.hit_whole(what, way);
        hit.table = table.clone();
        hit.acknowledgement = hot.acknowledgement.clone();
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
            "alter table hot add column x int",
            "create table n (id int references hot)",
        ]);
    }

    #[test]
    fn near_misses_pass() {
        passes(&RULE, &[
            "alter table t add column x int",
            "-- corridor: allow LNT-055 because agreed with the owners\nalter table hot add column x int",
            "select 1 from hot",
        ]);
    }
}
