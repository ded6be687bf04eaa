//! A unique constraint builds its index under the lock.

use crate::ir::{ActionKind, ConstraintKind};
use crate::judge::{Hit, Look};

rule! {
    "LNT-022" "unique-builds-index" Hazard Error
    "a unique constraint builds its index under the lock"
    "Build a unique index concurrently, then `using index`."
    "Without `using index` the server builds the index in the statement, while nobody reads or writes the table.\n\n**The safe way.** `create unique index concurrently i …`, then `add constraint … unique using index i`, which takes the lock for an instant.\n\nIt fires on:\n\n```sql\nalter table users add constraint users_email unique (email);\n```\n\nLocks, rewrites and scans are measured on PostgreSQL 14 to 18 (`crates/lint/facts/facts.tsv`)."
}

pub(super) fn check(look: &Look<'_>, out: &mut Vec<Hit>) {
    for (effect, fact) in look.busy() {
        let Some(ActionKind::AddConstraint(constraint)) = look.action(effect) else { continue };
        let word = match &constraint.kind {
            ConstraintKind::Unique { .. } => "unique",
            ConstraintKind::PrimaryKey { using_index: None, .. } => "primary key",
            _ => continue,
        };
        if fact.scans("table") {
            let mut hit = look.hit(effect, format!("its index is built while nobody reads or writes {}", look.called(&effect.table)), format!("`create unique index concurrently`, then `add constraint … {word} using index`."));
            hit.is_by_size = true;
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
            "alter table t add constraint u unique (a)",
            "alter table t add primary key (a)",
        ]);
    }

    #[test]
    fn near_misses_pass() {
        passes(&RULE, &[
            "alter table t add constraint u unique using index i",
            "create table t (a int); alter table t add primary key (a)",
            "alter table t add constraint p primary key using index i",
        ]);
    }
}
