//! Rows are written in a transaction that holds a strong lock.

use crate::ir::{Kind};
use crate::judge::{Hit, Look};

rule! {
    "LNT-051" "rows-written-under-lock" Hazard Error
    "rows are written in a transaction that holds a strong lock"
    "Commit the change of the schema first."
    "A transaction keeps its locks until it ends. What takes long in it, takes long under the strongest lock that it has.\n\n**The safe way.** The change of the schema in one transaction, the rows in others.\n\nIt fires on:\n\n```sql\nbegin; alter table orders add column state text; update orders set state = 'new' where state is null; commit;\n```\n\nLocks, rewrites and scans are measured on PostgreSQL 14 to 18 (`crates/lint/facts/facts.tsv`)."
}

/// Where runners keep the book of what they have run: a row or two.
const BOOKS: [&str; 12] = [
    "alembic_version", "ar_internal_metadata", "atlas_schema_revisions", "django_migrations", "flyway_schema_history", "goose_db_version",
    "schema_migrations", "__diesel_schema_migrations", "_prisma_migrations", "_sqlx_migrations", "databasechangelog", "databasechangeloglock",
];

pub(super) fn check(look: &Look<'_>, out: &mut Vec<Hit>) {
    let writes = matches!(&look.statement.kind, Kind::Update { .. } | Kind::Delete { .. } | Kind::Insert { from_query: true, .. } | Kind::Merge { .. } | Kind::Copy { is_from: true, .. });
    let written = match &look.statement.kind {
        Kind::Update { table, .. } | Kind::Delete { table, .. } | Kind::Insert { table, .. } | Kind::Merge { table } => table.name.as_str(),
        _ => "",
    };
    if BOOKS.contains(&written) {
        return;
    }
    let Some(transaction) = look.session.transaction.as_ref().filter(|_| writes) else { return };
    if let Some(held) = transaction.locks.iter().find(|held| held.mode.blocks_writes())
        && look.is_first("rows written under a lock")
    {
        let mut hit = look.hit_whole(
            format!(
                "it runs under a lock ({}) on {} that this transaction holds since an earlier statement",
                held.mode, held.table
            ),
            "Commit before it.",
        );
        hit.table = held.table.clone();
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
            "begin; alter table t add column x int; update t set x = 1 where x is null; commit",
            "begin; create index i on t (a); insert into u select 1; commit",
        ]);
    }

    #[test]
    fn near_misses_pass() {
        passes(&RULE, &[
            "alter table t add column x int; update t set x = 1 where x is null",
            "begin; update t set x = 1 where y = 2; commit",
            "begin; alter table t add column x int; update alembic_version set version_num = 'b' where alembic_version.version_num = 'a'; commit",
            "begin; create table t (a int); insert into t select 1; commit",
        ]);
    }
}
