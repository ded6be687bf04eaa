//! A domain's constraint reads every table that uses it.

use crate::facts::Mode;
use crate::ir::{Kind, Name};
use crate::judge::{Hit, Look};

rule! {
    "LNT-028" "domain-reads-tables" Hazard Warning
    "a domain's constraint reads every table that uses it"
    "Add it `not valid`, and validate later; or check the columns."
    "A constraint of a domain is checked in every column of the type, in every table, while their writers wait.\n\n**The safe way.** `alter domain … add constraint … not valid`, then `validate`; new domains cost nothing.\n\nIt fires on:\n\n```sql\nalter domain email add constraint has_at check (value like '%@%');\n```\n\nLocks, rewrites and scans are measured on PostgreSQL 14 to 18 (`crates/lint/facts/facts.tsv`)."
}

pub(super) fn check(look: &Look<'_>, out: &mut Vec<Hit>) {
    for (effect, fact) in look.effects.iter().filter_map(|(effect, fact)| Some((effect, (*fact)?))) {
        if matches!(look.statement.kind, Kind::AlterDomain { .. }) && fact.scans("table") && fact.lock("table").is_some_and(Mode::blocks_writes) && !is_made_here(look, &effect.table) {
            let mut hit = look.hit(effect, format!("writers of every table with a column of type {} wait until its rows were read", effect.table), "`not valid` now, `validate constraint` later.");
            hit.unknown.push(format!("which tables use {}", effect.table));
            out.push(hit);
        }
    }
}

/// A domain of this very file is of no table yet.
fn is_made_here(look: &Look<'_>, domain: &Name) -> bool {
    look.script.statements.iter().any(|other| matches!(&other.kind, Kind::CreateDomain { name, .. } if name.is(domain)))
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::trial::{fires, passes};

    #[test]
    fn it_fires() {
        fires(&RULE, &[
            "alter domain d add constraint c check (value > 0)",
            "alter domain d set not null",
        ]);
    }

    #[test]
    fn near_misses_pass() {
        passes(&RULE, &[
            "alter domain d add constraint c check (value > 0) not valid",
            "create domain d as int; alter domain d add constraint c check (value > 0)",
        ]);
    }
}
