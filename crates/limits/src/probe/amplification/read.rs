//! Reading counters: three statements for all tables and statements, then a few for those that stand out.

use corridor_pg::{Ident, Oid, Result};
use tokio_postgres::Row;

use super::{Amplification, Column, Reference, Statement, Table, UPDATES_MIN, WIDE_BYTES, written};
use crate::probe::Scope;
use crate::reader::Reader;

/// So many tables, those with most writes first.
const TABLES_MAX: i64 = 60;
/// So many statements by blocks, and half as many by blocks for each row.
const STATEMENTS_MAX: i64 = 40;
/// No more of a statement's text is read.
const TEXT_MAX: i32 = 4_000;
/// So many tables are looked at for their columns.
const COLUMNS_OF_MAX: usize = 12;
/// Blocks for each row, from which on a statement's table is looked at more closely.
const SUSPECT: f64 = 50.0;

/// Reads everything.
pub(super) async fn read(reader: &mut Reader, scope: &Scope) -> Result<Amplification> {
    let (schema, table) = match &scope.table {
        Some((schema, table)) => (Some(schema.as_str()), Some(table.as_str())),
        None => (None, None),
    };
    let rows = reader
        .ask(
            "the counters of tables",
            include_str!("../../../sql/amplification/tables.sql"),
            &[&schema, &table, &TABLES_MAX],
        )
        .await?
        .unwrap_or_default();
    let mut facts = Amplification {
        tables: rows.iter().map(table_of).collect(),
        statements: statements(reader).await?,
    };
    if scope.table.is_some() {
        let mut statements = std::mem::take(&mut facts.statements);
        statements.retain(|s| written(s).is_some_and(|w| facts.table_of(&w).is_some()));
        facts.statements = statements;
    }
    vacuumed_now(reader, &mut facts.tables).await?;
    columns(reader, &mut facts).await?;
    references(reader, &mut facts).await?;
    Ok(facts)
}

fn table_of(row: &Row) -> Table {
    Table {
        oid: Oid(row.get("oid")),
        schema: row.get("schema_name"),
        name: row.get("table_name"),
        fill_factor: f64::from(row.get::<_, i32>("fill_factor")),
        inserts: row.get("inserts"),
        updates: row.get("updates"),
        hot_updates: row.get("hot_updates"),
        deletes: row.get("deletes"),
        live_rows: row.get("live_rows"),
        dead_rows: row.get("dead_rows"),
        rows_scanned: row.get("rows_scanned"),
        index_scans: row.get("index_scans"),
        index_entries: row.get("index_entries"),
        heap_blocks: row.get("heap_blocks"),
        index_blocks: row.get("index_blocks"),
        toast_blocks: row.get("toast_blocks"),
        toast_index_blocks: row.get("toast_index_blocks"),
        indexes: row.get("indexes"),
        vacuums: row.get("vacuums"),
        all_pages: row.get("all_pages"),
        ..Table::default()
    }
}

async fn statements(reader: &mut Reader) -> Result<Vec<Statement>> {
    let what = "blocks by statement";
    let installed = reader
        .ask(
            what,
            include_str!("../../../sql/amplification/extension.sql"),
            &[&"pg_stat_statements"],
        )
        .await?;
    let Some(schema) = installed.and_then(|rows| rows.first().map(|row| row.get::<_, String>(0))) else {
        reader.note(
            what,
            "the extension pg_stat_statements is not installed in this database",
            "shared_preload_libraries = 'pg_stat_statements', a restart, and: create extension pg_stat_statements",
        );
        return Ok(Vec::new());
    };
    let sql = format!(
        "/* corridor */ with s as materialized ( \
           select p.queryid, left(min(p.query), $1) as text, length(min(p.query)) <= $1 as is_whole, \
             sum(p.calls)::float8 as calls, sum(p.rows)::float8 as rows, \
             sum(p.shared_blks_hit + p.shared_blks_read)::float8 as blocks \
           from {}.pg_stat_statements(true) p \
           where p.dbid = (select d.oid from pg_database d where d.datname = current_database()) \
             and (p.queryid is null or p.query ~* '^\\s*(/\\*.*?\\*/\\s*)*(insert|update|delete)\\M') \
             and p.query !~ '^/\\* corridor' \
           group by p.queryid) \
         (select * from s order by blocks desc limit $2) \
         union (select * from s where calls >= 5 order by blocks / greatest(rows, calls, 1) desc limit $2 / 2)",
        Ident::new(schema)?
    );
    let rows = reader
        .ask(what, &sql, &[&TEXT_MAX, &STATEMENTS_MAX])
        .await?
        .unwrap_or_default();
    let mut all = Vec::new();
    for row in rows {
        match row.get::<_, Option<i64>>("queryid") {
            Some(id) => all.push(Statement {
                query_id: id.to_string(),
                text: row.get("text"),
                is_whole: row.get("is_whole"),
                calls: row.get("calls"),
                rows: row.get("rows"),
                blocks: row.get("blocks"),
            }),
            None => reader.note(
                "the statements of other roles",
                "this role may see its own statements only",
                "grant pg_monitor to the role",
            ),
        }
    }
    Ok(all)
}

async fn vacuumed_now(reader: &mut Reader, tables: &mut [Table]) -> Result<()> {
    let rows = reader
        .ask(
            "the vacuums that run",
            include_str!("../../../sql/vacuum/running.sql"),
            &[],
        )
        .await?
        .unwrap_or_default();
    for row in rows {
        let oid: u32 = row.get("oid");
        for table in tables.iter_mut().filter(|t| t.oid.0 == oid) {
            table.is_vacuumed_now = true;
        }
    }
    Ok(())
}

/// Widths of the columns of tables that are updated most.
async fn columns(reader: &mut Reader, facts: &mut Amplification) -> Result<()> {
    let mut order: Vec<usize> = (0..facts.tables.len())
        .filter(|at| facts.tables[*at].updates >= UPDATES_MIN)
        .collect();
    order.sort_by(|a, b| facts.tables[*b].updates.total_cmp(&facts.tables[*a].updates));
    for at in order.into_iter().take(COLUMNS_OF_MAX) {
        let table = &facts.tables[at];
        let rows = reader
            .ask(
                &format!("the widths of the columns of {}", table.object()),
                include_str!("../../../sql/amplification/widths.sql"),
                &[&table.oid.0, &table.schema, &table.name],
            )
            .await?
            .unwrap_or_default();
        let columns: Vec<Column> = rows
            .iter()
            .map(|row| Column {
                name: row.get("name"),
                width: row.get("width"),
                is_known: row.get("is_known"),
                is_indexed: row.get("is_indexed"),
            })
            .collect();
        let width: f64 = columns.iter().map(|c| c.width).sum();
        let key = if width >= WIDE_BYTES {
            let sql = include_str!("../../../sql/toast/primary_key.sql");
            reader.ask_one("the primary key", sql, &[&table.oid.0]).await?
        } else {
            None
        };
        let table = &mut facts.tables[at];
        table.columns = columns;
        table.key_column = key.map(|row| row.get("name"));
    }
    Ok(())
}

/// Foreign keys without an index, for tables of which a write touches much.
async fn references(reader: &mut Reader, facts: &mut Amplification) -> Result<()> {
    let mut suspects: Vec<u32> = facts
        .statements
        .iter()
        .filter(|s| s.blocks / s.rows.max(s.calls).max(1.0) >= SUSPECT)
        .filter_map(|s| facts.table_of(&written(s)?))
        .map(|table| table.oid.0)
        .collect();
    suspects.sort_unstable();
    suspects.dedup();
    if suspects.is_empty() {
        return Ok(());
    }
    let rows = reader
        .ask(
            "foreign keys without an index",
            include_str!("../../../sql/amplification/references.sql"),
            &[&suspects],
        )
        .await?
        .unwrap_or_default();
    for row in rows {
        let oid: u32 = row.get("oid");
        for table in facts.tables.iter_mut().filter(|t| t.oid.0 == oid) {
            table.references.push(Reference {
                schema: row.get("child_schema"),
                table: row.get("child_table"),
                columns: row.get("columns"),
            });
        }
    }
    Ok(())
}
