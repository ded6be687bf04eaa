//! A table without a primary key.

use crate::ir::{ConstraintKind, Kind};
use crate::judge::{Hit, Look};

rule! {
    "LNT-203" "table-without-key" Hygiene Notice
    "a table without a primary key"
    "Give it one: logical replication, online moves and people need it."
    "Without a key, rows cannot be told apart: updates and deletes are not replicated, and no online change of the table is possible.\n\n**The better way.** A primary key.\n\nIt fires, with `--hygiene`, on:\n\n```sql\ncreate table t (a int);\n```\n\nIt is off unless it is asked for."
}

pub(super) fn check(look: &Look<'_>, out: &mut Vec<Hit>) {
    let Kind::CreateTable(table) = &look.statement.kind else { return };
    let has_key = table.columns.iter().flat_map(|column| &column.constraints).chain(&table.constraints).any(|it| matches!(it.kind, ConstraintKind::PrimaryKey { .. }));
    if !has_key && !table.is_temporary && !table.is_as && !table.has_like && table.partition_of.is_none() && table.inherits.is_empty() {
        out.push(look.hit_whole(format!("{} has no primary key", table.name), "Give it one."));
    }
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::trial::{fires, passes};

    #[test]
    fn it_fires() {
        fires(&RULE, &[
            "create table t (a int)",
        ]);
    }

    #[test]
    fn near_misses_pass() {
        passes(&RULE, &[
            "create table t (a int primary key)",
            "create table t (a int, primary key (a))",
            "create temp table t (a int)",
            "create table p partition of t for values in (1)",
        ]);
    }
}
