//! A change of type writes all rows anew.

use crate::finding::Severity;
use crate::ir::{ActionKind};
use crate::judge::{Hit, Look};

rule! {
    "LNT-013" "type-change-rewrites" Hazard Error
    "a change of type writes all rows anew"
    "Move the table into the new shape, or fill a new column beside the old one."
    "Most changes of a type write every row and every index anew under the strongest lock. Some only touch the catalogue (a wider `varchar`, `varchar` to `text`, a wider `numeric` of the same scale), and which it is depends on the type that the column has now.\n\n**The safe way.** `corridor move TABLE --to shape.sql` carries the table into the new type while it is used. By hand: a new column, a trigger that keeps it in step, a backfill in batches, a swap of names.\n\nIt fires on:\n\n```sql\nalter table orders alter column id type bigint;\n```\n\nLocks, rewrites and scans are measured on PostgreSQL 14 to 18 (`crates/lint/facts/facts.tsv`)."
}

pub(super) fn check(look: &Look<'_>, out: &mut Vec<Hit>) {
    for (effect, fact) in look.busy() {
        let Some(ActionKind::AlterType { column, type_name, .. }) = look.action(effect) else { continue };
        if !fact.rewrites("table") {
            continue;
        }
        let table = look.called(&effect.table);
        let is_sure = effect.unknown.is_empty();
        let what = if is_sure {
            format!("all rows of {table} are written anew, and nobody reads or writes it meanwhile")
        } else {
            format!("all rows of {table} may be written anew, while nobody reads or writes it")
        };
        let mut hit = look.hit(effect, what, format!("`corridor move {table} --to shape.sql` with {column} as {type_name}; or a new column, filled in batches."));
        hit.is_by_size = true;
        if !is_sure {
            hit.severity = Some(Severity::Warning);
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
            "alter table t alter column a type bigint",
            "alter table t alter column a type jsonb using a::jsonb",
            "alter table t add column b varchar(20); alter table t alter column b type varchar(10)",
        ]);
    }

    #[test]
    fn near_misses_pass() {
        passes(&RULE, &[
            "alter table t add column b varchar(10); alter table t alter column b type varchar(20)",
            "alter table t add column b varchar(10); alter table t alter column b type text",
            "alter table t add column c numeric(10,2); alter table t alter column c type numeric(12,2)",
            "create table t (a int); alter table t alter column a type bigint",
            "set timezone = 'UTC'; alter table t add column d timestamp; alter table t alter column d type timestamptz",
        ]);
    }
}
