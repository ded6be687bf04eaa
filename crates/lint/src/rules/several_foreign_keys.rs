//! One transaction locks several tables for foreign keys.

use crate::facts::Mode;
use crate::judge::{Hit, Look};

rule! {
    "LNT-027" "several-foreign-keys" Hazard Warning
    "one transaction locks several tables for foreign keys"
    "One foreign key in a transaction."
    "Each foreign key locks two tables against writes until the transaction ends; with several of them the transaction gathers locks while it waits, holds all of their writers off, and can end in a deadlock with the application.\n\n**The safe way.** One foreign key in a transaction, each with a `lock_timeout`.\n\nIt fires on:\n\n```sql\nbegin; alter table a add foreign key (x) references b not valid; alter table a add foreign key (y) references c not valid; commit;\n```\n\nLocks, rewrites and scans are measured on PostgreSQL 14 to 18 (`crates/lint/facts/facts.tsv`)."
}

pub(super) fn check(look: &Look<'_>, out: &mut Vec<Hit>) {
    let Some(transaction) = &look.session.transaction else { return };
    let (now, before): (Vec<_>, Vec<_>) = (
        look.effects.iter().filter_map(|(effect, _)| effect.others.get("referenced")).flatten().filter(|name| !look.world.is_new(name)).collect(),
        transaction.locks.iter().filter(|held| held.mode == Mode::ShareRowExclusive).collect(),
    );
    let Some(other) = now.iter().find(|name| before.iter().any(|held| !held.table.is(name) && look.effects.iter().all(|(effect, _)| !held.table.is(&effect.table)))) else { return };
    if look.is_first("several foreign keys") {
        out.push(look.hit_whole(format!("with {other} it is the second table that this transaction locks for a foreign key"), "One foreign key in a transaction."));
    }
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::trial::{fires, passes};

    #[test]
    fn it_fires() {
        fires(&RULE, &[
            "begin; alter table a add foreign key (x) references b not valid; alter table a add foreign key (y) references c not valid; commit",
        ]);
    }

    #[test]
    fn near_misses_pass() {
        passes(&RULE, &[
            "alter table a add foreign key (x) references b not valid; alter table a add foreign key (y) references c not valid",
            "begin; alter table a add foreign key (x) references b not valid; commit",
        ]);
    }
}
