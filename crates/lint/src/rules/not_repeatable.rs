//! A statement that cannot be tried again, outside of a transaction.

use crate::ir::{ActionKind, Kind};
use crate::judge::{Hit, Look};

rule! {
    "LNT-205" "not-repeatable" Hygiene Notice
    "a statement that cannot be tried again, outside of a transaction"
    "`if exists` and `if not exists` where there is no transaction."
    "Without a transaction, what was done before a failure stands, and the next try fails at it.\n\n**The better way.** `if not exists`, `if exists`; but see LNT-005 for indexes.\n\nIt fires, with `--hygiene`, on:\n\n```sql\ncreate table t (id int primary key);\ncreate table u (id int primary key);\n```\n\nIt is off unless it is asked for."
}

pub(super) fn check(look: &Look<'_>, out: &mut Vec<Hit>) {
    if look.session.transaction.is_some() {
        return;
    }
    let lacks = match &look.statement.kind {
        Kind::CreateTable(table) => !table.if_not_exists && !table.is_temporary,
        Kind::Drop { if_exists, .. } => !*if_exists,
        Kind::Alter { actions, .. } => actions.iter().any(|action| matches!(&action.kind, ActionKind::AddColumn { if_not_exists: false, .. })),
        _ => false,
    };
    if lacks && look.script.statements.len() > 1 {
        out.push(look.hit_whole("a second try fails here, when a later statement failed".to_owned(), "`if exists` or `if not exists`, or a transaction."));
    }
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::trial::{fires, passes};

    #[test]
    fn it_fires() {
        fires(&RULE, &[
            "create table t (id int); select 1",
        ]);
    }

    #[test]
    fn near_misses_pass() {
        passes(&RULE, &[
            "create table if not exists t (id int); select 1",
            "begin; create table t (id int); commit",
            "create table t (id int)",
        ]);
    }
}
