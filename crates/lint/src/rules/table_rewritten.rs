//! All rows are written anew while nobody uses the table.

use crate::finding::Severity;
use crate::ir::{Kind, Object};
use crate::judge::{Hit, Look};

rule! {
    "LNT-040" "table-rewritten" Hazard Error
    "all rows are written anew while nobody uses the table"
    "Move the table into the wanted shape while it is used."
    "The statement writes the table, and its indexes, into new files under the strongest lock, and needs as much disk again.\n\n**The safe way.** `corridor move TABLE --same-shape` writes it anew while it is used.\n\nIt fires on:\n\n```sql\nvacuum full orders;\n```\n\nLocks, rewrites and scans are measured on PostgreSQL 14 to 18 (`crates/lint/facts/facts.tsv`)."
}

pub(super) fn check(look: &Look<'_>, out: &mut Vec<Hit>) {
    let is_known = |key: &str| key.starts_with("add-column") || key.starts_with("type.") || key.starts_with("truncate") || key.starts_with("refresh") || key.starts_with("reindex");
    // A sequence has one row.
    if matches!(look.statement.kind, Kind::Alter { object: Object::Sequence, .. }) {
        return;
    }
    for (effect, fact) in look.busy() {
        let moves = matches!(effect.key, "set-tablespace" | "set-access-method");
        if is_known(effect.key) || !(fact.rewrites("table") || moves) {
            continue;
        }
        let table = look.called(&effect.table);
        let mut hit = look.hit(effect, format!("all rows of {table} are written anew, and nobody reads or writes it meanwhile"), format!("`corridor move {table} --same-shape`."));
        if moves {
            hit.what = format!("all of {table} is copied, unless it is there already, and nobody reads or writes it meanwhile");
            hit.severity = Some(Severity::Warning);
        }
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
            "vacuum full t",
            "vacuum (full, analyze) t",
            "cluster t using i",
            "alter table t set unlogged",
            "alter table t set logged",
            "alter table t set tablespace x",
            "alter table t alter column a set expression as (b + 1)",
        ]);
    }

    #[test]
    fn near_misses_pass() {
        passes(&RULE, &[
            "vacuum t",
            "alter sequence s restart",
            "alter sequence s as int maxvalue 100",
            "analyze t",
            "alter table t set (fillfactor = 70)",
            "create table t (a int); alter table t set unlogged",
        ]);
    }
}
