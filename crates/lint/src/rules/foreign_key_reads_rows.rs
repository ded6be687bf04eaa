//! A foreign key reads both tables while their writers wait.

use crate::ir::{ActionKind, ConstraintKind};
use crate::judge::{Hit, Look, not_valid};

rule! {
    "LNT-021" "foreign-key-reads-rows" Hazard Error
    "a foreign key reads both tables while their writers wait"
    "Add it `not valid`, and validate it in another transaction."
    "A foreign key locks both tables against writes, and a valid one compares all rows of the one with the other before it lets go.\n\n**The safe way.** `add constraint … foreign key … not valid`, then `validate constraint` in another transaction, which lets writers of both work.\n\nIt fires on:\n\n```sql\nalter table orders add constraint orders_user foreign key (user_id) references users (id);\n```\n\nLocks, rewrites and scans are measured on PostgreSQL 14 to 18 (`crates/lint/facts/facts.tsv`)."
}

pub(super) fn check(look: &Look<'_>, out: &mut Vec<Hit>) {
    for (effect, fact) in look.busy() {
        let Some(ActionKind::AddConstraint(constraint)) = look.action(effect) else { continue };
        if !matches!(constraint.kind, ConstraintKind::ForeignKey { .. }) || fact.scans.as_ref().is_none_or(Vec::is_empty) {
            continue;
        }
        let other = effect.relations("referenced").first().map(|name| look.called(name)).unwrap_or_default();
        let mut hit = look.hit(effect, format!("writers of {} and of {other} wait until all rows were compared", look.called(&effect.table)), "`not valid` now, `validate constraint` in another transaction.");
        hit.is_by_size = true;
        if effect.key != "add-foreign-key.partitioned" {
            hit.fix = not_valid(look, &effect.table, constraint, "add it without a comparison of the rows");
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
            "alter table t add constraint f foreign key (a) references r (id)",
        ]);
    }

    #[test]
    fn near_misses_pass() {
        passes(&RULE, &[
            "alter table t add constraint f foreign key (a) references r (id) not valid",
            "create table t (a int); alter table t add foreign key (a) references r",
        ]);
    }
}
