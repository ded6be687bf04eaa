//! Another table is locked too.

use crate::finding::Severity;
use crate::judge::{Hit, Look};

rule! {
    "LNT-026" "foreign-key-locks-other-table" Hazard Notice
    "another table is locked too"
    "Bound the wait with `lock_timeout`, and take one such lock in a transaction."
    "A foreign key is a matter of two tables. To add one, also within `create table`, holds writers of the table that it points to off; to drop one, or a table that has one, stops its readers too. The lock is short, but the wait for it is not, when that table is busy.\n\n**The safe way.** `set lock_timeout` and try again; one foreign key in a transaction. Drop foreign keys before the table.\n\nIt fires on:\n\n```sql\ncreate table notes (id bigint primary key, user_id bigint references users);\n```\n\nLocks, rewrites and scans are measured on PostgreSQL 14 to 18 (`crates/lint/facts/facts.tsv`)."
}

pub(super) fn check(look: &Look<'_>, out: &mut Vec<Hit>) {
    for (effect, fact) in look.effects.iter().filter_map(|(effect, fact)| Some((effect, (*fact)?))) {
        for role in ["referenced", "parent", "referencing", "source"] {
            let Some(mode) = fact.lock(role).filter(|mode| mode.blocks_writes()) else { continue };
            if role == "parent" || fact.scans(role) {
                continue;
            }
            for name in effect.relations(role).iter().filter(|name| !look.world.is_new(name) && !name.is(&effect.table)) {
                let who = if mode.blocks_reads() { "readers and writers" } else { "writers" };
                let mut hit = look.hit(effect, format!("{who} of {} wait behind it, as long as it waits itself", look.called(name)), "Bound the wait with `lock_timeout`; one such lock in a transaction.");
                hit.table = name.clone();
                if mode.blocks_reads() {
                    hit.severity = Some(Severity::Warning);
                }
                hit.is_by_size = true;
                out.push(hit);
            }
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
            "create table n (id int, u int references users)",
            "alter table t add column x int references users",
            "alter table t add constraint f foreign key (a) references r not valid",
            "alter table t drop constraint t_a_fkey; alter table t add constraint f foreign key (a) references r not valid; alter table t drop constraint f",
            "alter table t add constraint f foreign key (a) references r not valid; drop table t",
        ]);
    }

    #[test]
    fn near_misses_pass() {
        passes(&RULE, &[
            "create table r (id int); create table n (id int, u int references r)",
            "create table n (id int, parent int references n)",
            "drop table t",
        ]);
    }
}
