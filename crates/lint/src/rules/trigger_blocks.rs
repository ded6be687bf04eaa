//! A trigger, rule or policy locks its table.

use crate::judge::{Hit, Look};

rule! {
    "LNT-044" "trigger-blocks" Hazard Notice
    "a trigger, rule or policy locks its table"
    "Bound the wait with `lock_timeout`."
    "The lock is short. But while it waits for a long query or an open transaction, everybody who needs the table waits behind it.\n\n**The safe way.** `set lock_timeout = '2s'` and try again when it strikes.\n\nIt fires on:\n\n```sql\ncreate trigger t before insert on orders for each row execute function f();\n```\n\nLocks, rewrites and scans are measured on PostgreSQL 14 to 18 (`crates/lint/facts/facts.tsv`)."
}

pub(super) fn check(look: &Look<'_>, out: &mut Vec<Hit>) {
    for (effect, fact) in look.busy() {
        let is_ours = matches!(effect.key, "create-trigger" | "drop-trigger" | "enable-trigger" | "disable-trigger" | "create-rule" | "drop-rule" | "disable-rule" | "create-policy" | "drop-policy");
        let Some(mode) = fact.lock("table").filter(|mode| is_ours && mode.blocks_writes()) else { continue };
        if look.session.timeouts().bounds_waits() {
            continue;
        }
        let who = if mode.blocks_reads() { "readers and writers" } else { "writers" };
        out.push(look.hit(effect, format!("{who} of {} wait behind it, as long as it waits itself", look.called(&effect.table)), "`set lock_timeout` before it."));
    }
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::trial::{fires, passes};

    #[test]
    fn it_fires() {
        fires(&RULE, &[
            "create trigger g before insert on t for each row execute function f()",
            "drop trigger g on t",
            "create policy p on t using (true)",
        ]);
    }

    #[test]
    fn near_misses_pass() {
        passes(&RULE, &[
            "set lock_timeout = '1s'; create trigger g before insert on t for each row execute function f()",
            "create table t (a int); create trigger g before insert on t for each row execute function f()",
        ]);
    }
}
