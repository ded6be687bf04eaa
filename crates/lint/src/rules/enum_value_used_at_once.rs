//! A new value of an enum is used in the transaction that adds it.

use crate::ir::{Kind};
use crate::judge::{Hit, Look};

rule! {
    "LNT-054" "enum-value-used-at-once" Hazard Error
    "a new value of an enum is used in the transaction that adds it"
    "Commit the new value first."
    "A value that was added to an enum cannot be used before its transaction has committed.\n\n**The safe way.** `alter type … add value` in a transaction of its own.\n\nIt fires on:\n\n```sql\nbegin; alter type state add value 'gone'; update orders set state = 'gone' where id = 1; commit;\n```\n\nLocks, rewrites and scans are measured on PostgreSQL 14 to 18 (`crates/lint/facts/facts.tsv`)."
}

pub(super) fn check(look: &Look<'_>, out: &mut Vec<Hit>) {
    let Some(transaction) = &look.session.transaction else { return };
    let source = &look.text[look.statement.span.clone()];
    let used = transaction.enum_values.iter().find(|value| source.contains(&format!("'{value}'")));
    if let Some(value) = used.filter(|_| !matches!(look.statement.kind, Kind::AlterTypeAddValue { .. })) {
        out.push(look.hit_whole(format!("the server refuses the value '{value}' until the transaction that adds it has committed"), "Commit before it."));
    }
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::trial::{fires, passes};

    #[test]
    fn it_fires() {
        fires(&RULE, &[
            "begin; alter type e add value 'x'; update t set a = 'x' where b = 1; commit",
        ]);
    }

    #[test]
    fn near_misses_pass() {
        passes(&RULE, &[
            "alter type e add value 'x'; update t set a = 'x' where b = 1",
            "begin; alter type e add value 'x'; commit; begin; insert into t values ('x'); commit",
        ]);
    }
}
