//! A new column makes the server write all rows anew.

use crate::ir::{ActionKind};
use crate::judge::{Hit, Look};

rule! {
    "LNT-010" "add-column-rewrites" Hazard Error
    "a new column makes the server write all rows anew"
    "Add it without the default, and fill it in batches."
    "Some defaults have another value for each row (a random number, a sequence), and some columns are kept in the row (`stored`, a domain with a check): then every row is written anew under the strongest lock, and every index is built anew.\n\n**The safe way.** Add the column without the default, `set default` for rows to come, fill the old ones in batches, then `not null` by way of a check. `--plan` writes it.\n\nIt fires on:\n\n```sql\nalter table orders add column token uuid default gen_random_uuid();\n```\n\nLocks, rewrites and scans are measured on PostgreSQL 14 to 18 (`crates/lint/facts/facts.tsv`)."
}

pub(super) fn check(look: &Look<'_>, out: &mut Vec<Hit>) {
    for (effect, fact) in look.busy() {
        let Some(ActionKind::AddColumn { column, .. }) = look.action(effect) else { continue };
        if !fact.rewrites("table") {
            continue;
        }
        let cause = match effect.key {
            "add-column.volatile-default" => "its default has another value for each row",
            "add-column.serial" | "add-column.identity" => "each row gets a number of its own",
            "add-column.primary-key" => "each row has to have a value of its own",
            "add-column.generated-stored" => "a stored column is written into each row",
            _ => "the domain's constraint has to be looked at for each row",
        };
        let mut hit = look.hit(effect, format!("all rows of {} are written anew, and nobody reads or writes it meanwhile: {cause}", look.called(&effect.table)), format!("Add {} without it, set the default for rows to come, and fill the old rows in batches.", column.name));
        hit.is_by_size = true;
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
            "alter table t add column x uuid default gen_random_uuid()",
            "alter table t add column x bigserial",
            "alter table t add column x int generated always as identity",
            "alter table t add column x int generated always as (a + 1) stored",
            "create domain d as int check (value > 0); alter table t add column x d",
            "alter table t add column x timestamptz default clock_timestamp()",
        ]);
    }

    #[test]
    fn near_misses_pass() {
        passes(&RULE, &[
            "alter table t add column x int",
            "alter table t add column x timestamptz default now()",
            "alter table t add column x timestamptz default pg_catalog.now()",
            "alter table t add column x text default lower('A')",
            "alter table t add column x int generated always as (a + 1) virtual",
            "create table t (a int); alter table t add column x bigserial",
            "alter table t add column x uuid default null",
        ]);
    }
}
