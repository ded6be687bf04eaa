//! A new column refuses the rows that are there.

use crate::ir::ActionKind;
use crate::judge::{Hit, Look};

rule! {
    "LNT-012" "add-column-not-null-fails" Hazard Error
    "a new column refuses the rows that are there"
    "Give it a default, or add it nullable and fill it."
    "Rows that are there have no value for the new column. With `not null` and no default the statement fails as soon as there is one row; and where there is none yet, inserts of the release that still runs fail.\n\n**The safe way.** A constant default costs nothing: `add column x int not null default 0`. Or add it nullable, fill it in batches, and make it `not null` by way of a check.\n\nIt fires on:\n\n```sql\nalter table orders add column kind text not null;\n```\n\nLocks, rewrites and scans are measured on PostgreSQL 14 to 18 (`crates/lint/facts/facts.tsv`)."
}

pub(super) fn check(look: &Look<'_>, out: &mut Vec<Hit>) {
    for (effect, fact) in look.busy() {
        let refuses = effect.key == "add-column.not-null" && fact.failure.is_some();
        if refuses || has_no_value(look.action(effect)) {
            let hit = look.hit(effect, format!("it fails as soon as {} has a row", look.called(&effect.table)), "Give it a constant default, or add it nullable and fill it in batches.");
            out.push(hit);
        }
    }
}

/// Not null, of a key or a reference say, and nothing gives the rows that are there a value.
fn has_no_value(action: Option<&ActionKind>) -> bool {
    let Some(ActionKind::AddColumn { column, .. }) = action else { return false };
    let has_default = column.default.as_ref().is_some_and(|default| !default.is_null);
    let is_numbered = column.is_identity || column.type_name.is_serial();
    column.is_not_null && !has_default && !is_numbered && column.generated.is_none() && !column.constraints.is_empty()
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::trial::{fires, passes};

    #[test]
    fn it_fires() {
        fires(&RULE, &[
            "alter table t add column x int not null",
            "alter table t add column u_id bigint not null references u",
            "alter table t add column id2 int primary key",
            "alter table t add column x int not null check (x > 0)",
        ]);
    }

    #[test]
    fn near_misses_pass() {
        passes(&RULE, &[
            "alter table t add column x int not null default 0",
            "alter table t add column x int",
            "alter table t add column u_id bigint references u",
            "alter table t add column id2 bigserial primary key",
            "alter table t add column id3 bigint generated always as identity primary key",
            "alter table t add column x int not null default 1 references u",
            "create table t (a int); alter table t add column x int not null",
        ]);
    }
}
