//! Row security without a policy hides all rows.

use crate::ir::{ActionKind, Kind};
use crate::judge::{Hit, Look};

rule! {
    "LNT-045" "row-security-hides-rows" Hazard Warning
    "row security without a policy hides all rows"
    "Make the policies first."
    "From the moment that row security is on, everybody but the owner sees only what a policy shows; without one, nothing.\n\n**The safe way.** `create policy` first, then `enable row level security`.\n\nIt fires on:\n\n```sql\nalter table orders enable row level security;\n```\n\nLocks, rewrites and scans are measured on PostgreSQL 14 to 18 (`crates/lint/facts/facts.tsv`)."
}

pub(super) fn check(look: &Look<'_>, out: &mut Vec<Hit>) {
    for (effect, _) in look.busy() {
        if !matches!(look.action(effect), Some(ActionKind::EnableRowSecurity)) {
            continue;
        }
        let has_policy = look.script.statements[..look.at].iter().any(|before| matches!(&before.kind, Kind::CreatePolicy { table } if table.is(&effect.table)));
        if !has_policy {
            let mut hit = look.hit(effect, format!("everybody but the owner sees no row of {} until there is a policy", look.called(&effect.table)), "`create policy` before it.");
            hit.unknown.push(format!("whether {} has policies already", effect.table));
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
            "alter table t enable row level security",
        ]);
    }

    #[test]
    fn near_misses_pass() {
        passes(&RULE, &[
            "create policy p on t using (true); alter table t enable row level security",
            "create table t (a int); alter table t enable row level security",
        ]);
    }
}
