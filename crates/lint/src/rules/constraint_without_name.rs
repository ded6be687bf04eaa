//! A constraint without a name.

use crate::ir::{ActionKind, ConstraintKind, Kind};
use crate::judge::{Hit, Look};

rule! {
    "LNT-207" "constraint-without-name" Hygiene Notice
    "a constraint without a name"
    "Name it, so that it can be validated and dropped by the next file."
    "The server makes a name up from the table and its columns, and a number where that is taken; a file that drops it has to guess.\n\n**The better way.** `constraint name …`.\n\nIt fires, with `--hygiene`, on:\n\n```sql\nalter table t add check (a > 0);\n```\n\nIt is off unless it is asked for."
}

pub(super) fn check(look: &Look<'_>, out: &mut Vec<Hit>) {
    for action in match &look.statement.kind { Kind::Alter { actions, .. } => actions.as_slice(), _ => &[] } {
        if let ActionKind::AddConstraint(it) = &action.kind
            && it.name.is_none()
            && !matches!(it.kind, ConstraintKind::PrimaryKey { .. })
        {
            out.push(Hit { span: it.span.clone(), ..look.hit_whole("the server makes a name up for it".to_owned(), "`constraint name …`.") });
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
            "alter table t add check (a > 0)",
        ]);
    }

    #[test]
    fn near_misses_pass() {
        passes(&RULE, &[
            "alter table t add constraint c check (a > 0)",
            "alter table t add primary key (a)",
        ]);
    }
}
