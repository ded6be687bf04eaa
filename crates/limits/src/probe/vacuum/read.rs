//! Reading counters and settings: one statement for all tables, one for the indexes of those that count.

use corridor_pg::{Oid, Result};
use tokio_postgres::Row;

use super::threshold::Settings;
use super::{Blocker, Table, Unanalyzed, Vacuum};
use crate::probe::horizon::{Holder, HolderKind, Horizon};
use crate::probe::{Probe, Scope};
use crate::reader::Reader;

/// More tables than this are not read.
const TABLES_MAX: i64 = 20_000;
/// The price of so many tables makes the load; the others are small.
const PRICED_MAX: usize = 500;
/// The locks of so many tables are looked at, those most due.
const LOCKS_MAX: usize = 200;
/// Smaller tables need no statistics.
const ANALYZE_ROWS_MIN: f64 = 10_000.0;

/// Reads everything.
pub(super) async fn read(reader: &mut Reader, scope: &Scope) -> Result<Vacuum> {
    let (schema, table) = match &scope.table {
        Some((schema, table)) => (Some(schema.as_str()), Some(table.as_str())),
        None => (None, None),
    };
    let Some(row) = reader
        .ask_one(
            "the settings of autovacuum",
            include_str!("../../../sql/vacuum/settings.sql"),
            &[],
        )
        .await?
    else {
        return Ok(Vacuum::default());
    };
    let mut facts = Vacuum {
        settings: Some(settings(&row)),
        since_s: row.get("since_s"),
        now_s: row.get("now_s"),
        ..Vacuum::default()
    };
    let rows = reader
        .ask(
            "the counters of all tables",
            include_str!("../../../sql/vacuum/tables.sql"),
            &[&schema, &table, &TABLES_MAX],
        )
        .await?
        .unwrap_or_default();
    if rows.len() as i64 == TABLES_MAX {
        reader.note(
            "the counters of all tables",
            format!("only {TABLES_MAX} tables were read"),
            "corridor check --only vacuum --table SCHEMA.TABLE",
        );
    }
    facts.tables = rows.iter().map(table_of).collect();
    running(reader, &mut facts.tables).await?;
    index_pages(reader, &mut facts.tables).await?;
    facts.holder = hindrances(reader, &mut facts, scope).await?;
    facts.unanalyzed = reader
        .ask(
            "tables that were never analyzed",
            include_str!("../../../sql/vacuum/unanalyzed.sql"),
            &[&schema, &table, &ANALYZE_ROWS_MIN],
        )
        .await?
        .unwrap_or_default()
        .iter()
        .map(|row| Unanalyzed {
            schema: row.get("schema_name"),
            table: row.get("table_name"),
            is_partitioned: row.get("is_partitioned"),
            live_rows: row.get("live_rows"),
        })
        .collect();
    Ok(facts)
}

fn settings(row: &Row) -> Settings {
    // -1: as for a vacuum by hand.
    let own = |name: &str, other: &str| {
        let own: Option<f64> = row.get(name);
        own.filter(|value| *value >= 0.0)
            .or(row.get::<_, Option<f64>>(other))
    };
    let usual = Settings::default();
    Settings {
        is_on: row.get("is_on"),
        workers_max: row.get("workers_max"),
        workers_busy: row.get("workers_busy"),
        vacuum_threshold: row.get("vacuum_threshold"),
        vacuum_scale: row.get("vacuum_scale"),
        vacuum_max: row.get("vacuum_max"),
        insert_threshold: row.get("insert_threshold"),
        insert_scale: row.get("insert_scale"),
        cost_limit: own("own_cost_limit", "cost_limit").unwrap_or(usual.cost_limit),
        delay_ms: own("own_delay_ms", "delay_ms").unwrap_or(usual.delay_ms),
        cost_miss: row.get("cost_miss"),
        cost_dirty: row.get("cost_dirty"),
    }
}

fn table_of(row: &Row) -> Table {
    Table {
        oid: Oid(row.get("oid")),
        schema: row.get("schema_name"),
        table: row.get("table_name"),
        relation_schema: row.get("relation_schema"),
        relation_name: row.get("relation_name"),
        is_toast: row.get("is_toast"),
        pages: row.get("pages"),
        pages_to_scan: row.get("pages_to_scan"),
        pages_frozen: row.get::<_, Option<f64>>("pages_frozen").unwrap_or(0.0),
        rows: row.get("rows_known"),
        live_rows: row.get("live_rows"),
        dead_rows: row.get("dead_rows"),
        inserted_rows: row.get("inserted_rows"),
        autovacuums: row.get("autovacuums"),
        vacuumed_s: row.get("vacuumed_s"),
        options: row.get::<_, Option<Vec<String>>>("options").unwrap_or_default(),
        is_vacuumed_now: false,
        index_pages: 0.0,
        blocker: None,
    }
}

/// What keeps vacuums from the tables that are due: their locks, and who holds the horizon.
async fn hindrances(reader: &mut Reader, facts: &mut Vacuum, scope: &Scope) -> Result<Option<Holder>> {
    let due: Vec<u32> = facts
        .due()
        .iter()
        .take(LOCKS_MAX)
        .map(|table| table.oid.0)
        .collect();
    if due.is_empty() {
        return Ok(None);
    }
    let sql = include_str!("../../../sql/vacuum/blockers.sql");
    let rows = reader
        .ask("the locks of tables that are due", sql, &[&due])
        .await?;
    // The longest first: each table keeps its first.
    for row in rows.unwrap_or_default().iter().rev() {
        let oid: u32 = row.get("oid");
        for table in facts.tables.iter_mut().filter(|table| table.oid.0 == oid) {
            table.blocker = Some(Blocker {
                pid: row.get("pid"),
                gid: row.get("gid"),
                mode: row.get("mode"),
                state: row.get("state"),
                held_s: row.get("held_s"),
            });
        }
    }
    let sql = include_str!("../../../sql/slots/database.sql");
    let row = reader.ask_one("the database's name", sql, &[]).await?;
    let here: Option<String> = row.map(|row| row.get("name"));
    let horizon = Horizon::read(reader, scope).await?;
    // Sessions of other databases hold nothing here.
    Ok(horizon.holders.into_iter().find(|holder| match holder.kind {
        HolderKind::Session | HolderKind::Prepared => holder.database == here,
        HolderKind::Slot => holder.is_logical != Some(true),
        HolderKind::Standby => true,
    }))
}

async fn running(reader: &mut Reader, tables: &mut [Table]) -> Result<()> {
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

async fn index_pages(reader: &mut Reader, tables: &mut [Table]) -> Result<()> {
    let mut order: Vec<(u32, f64)> = tables
        .iter()
        .filter(|t| t.autovacuums > 0.0)
        .map(|t| (t.oid.0, t.autovacuums * t.pages))
        .collect();
    order.sort_by(|a, b| b.1.total_cmp(&a.1));
    let oids: Vec<u32> = order.into_iter().take(PRICED_MAX).map(|(oid, _)| oid).collect();
    if oids.is_empty() {
        return Ok(());
    }
    let rows = reader
        .ask(
            "the pages of indexes",
            include_str!("../../../sql/vacuum/index_pages.sql"),
            &[&oids],
        )
        .await?
        .unwrap_or_default();
    let pages: std::collections::HashMap<u32, f64> = rows
        .iter()
        .map(|row| (row.get("oid"), row.get("pages")))
        .collect();
    for table in tables {
        table.index_pages = pages.get(&table.oid.0).copied().unwrap_or(0.0);
    }
    Ok(())
}
