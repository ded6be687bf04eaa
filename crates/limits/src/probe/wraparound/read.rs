//! Reading: a handful of statements over the catalogue, none over a table.

use corridor_pg::Result;

use super::Wraparound;
use super::facts::{Counters, Database, Running, Settings, Table};
use super::vacuum::{CostSettings, Work};
use crate::probe::words::qualified;
use crate::reader::Reader;

/// What is asked of `pg_settings`.
const SETTINGS: &[&str] = &[
    "autovacuum_freeze_max_age",
    "autovacuum_multixact_freeze_max_age",
    "vacuum_failsafe_age",
    "vacuum_multixact_failsafe_age",
    "autovacuum_vacuum_cost_limit",
    "autovacuum_vacuum_cost_delay",
    "vacuum_cost_limit",
    "vacuum_cost_delay",
    "vacuum_cost_page_miss",
    "vacuum_cost_page_dirty",
];

/// Reads everything.
pub(super) async fn read(reader: &mut Reader) -> Result<Wraparound> {
    let settings = settings(reader).await?;
    Ok(Wraparound {
        counters: counters(reader).await?,
        databases: databases(reader).await?,
        tables: tables(reader).await?,
        due: due(reader, &settings).await?,
        vacuums: vacuums(reader).await?,
        horizon_age: reader
            .ask_one(
                "the oldest transaction",
                include_str!("../../../sql/wraparound/horizon.sql"),
                &[],
            )
            .await?
            .and_then(|row| row.get("xid_age")),
        member_files: member_files(reader).await?,
        settings,
    })
}

async fn counters(reader: &mut Reader) -> Result<Option<Counters>> {
    let sql = include_str!("../../../sql/wraparound/counters.sql");
    let row = reader
        .ask_one("the counters of transactions and MultiXacts", sql, &[])
        .await?;
    Ok(row.map(|row| Counters {
        next_xid: row.get("next_xid"),
        next_mxid: row.get("next_mxid"),
        next_member: row.get("next_member"),
        is_standby: row.get("is_standby"),
    }))
}

async fn settings(reader: &mut Reader) -> Result<Settings> {
    let sql = include_str!("../../../sql/wraparound/settings.sql");
    let rows = reader
        .ask("the settings of automatic vacuums", sql, &[&SETTINGS])
        .await?
        .unwrap_or_default();
    let get = |name: &str| {
        rows.iter()
            .find(|row| row.get::<_, &str>("name") == name)
            .map(|row| row.get::<_, f64>("setting"))
    };
    // -1 of an automatic vacuum's setting stands for that of every vacuum.
    let automatic = |name: &str, general: &str| get(name).filter(|v| *v >= 0.0).or_else(|| get(general));
    let own = Settings::default();
    Ok(Settings {
        freeze_max_age: get("autovacuum_freeze_max_age").unwrap_or(own.freeze_max_age),
        mxid_freeze_max_age: get("autovacuum_multixact_freeze_max_age").unwrap_or(own.mxid_freeze_max_age),
        failsafe_age: get("vacuum_failsafe_age").unwrap_or(own.failsafe_age),
        mxid_failsafe_age: get("vacuum_multixact_failsafe_age").unwrap_or(own.mxid_failsafe_age),
        cost: CostSettings {
            limit: automatic("autovacuum_vacuum_cost_limit", "vacuum_cost_limit").unwrap_or(own.cost.limit),
            delay_ms: automatic("autovacuum_vacuum_cost_delay", "vacuum_cost_delay")
                .unwrap_or(own.cost.delay_ms),
            page_miss: get("vacuum_cost_page_miss").unwrap_or(own.cost.page_miss),
            page_dirty: get("vacuum_cost_page_dirty").unwrap_or(own.cost.page_dirty),
        },
    })
}

async fn databases(reader: &mut Reader) -> Result<Vec<Database>> {
    let sql = include_str!("../../../sql/wraparound/databases.sql");
    let rows = reader.ask("the age of databases", sql, &[]).await?;
    let database = |row: &tokio_postgres::Row| Database {
        name: row.get("name"),
        xid_age: row.get("xid_age"),
        mxid_age: row.get("mxid_age"),
        is_here: row.get("is_here"),
        can_connect: row.get("can_connect"),
    };
    Ok(rows.unwrap_or_default().iter().map(database).collect())
}

async fn tables(reader: &mut Reader) -> Result<Vec<Table>> {
    let sql = include_str!("../../../sql/wraparound/tables.sql");
    let rows = reader.ask("the age of tables", sql, &[]).await?;
    let table = |row: &tokio_postgres::Row| Table {
        oid: row.get("oid"),
        schema: row.get("schema_name"),
        relation: row.get("name"),
        name: qualified(row.get("schema_name"), row.get("name")),
        parent: row.get("parent"),
        is_temporary: row.get("is_temporary"),
        xid_age: row.get("xid_age"),
        mxid_age: row.get("mxid_age"),
        pages: row.get("pages"),
        index_pages: row.get("index_pages"),
        frozen_pages: row.get("frozen_pages"),
    };
    Ok(rows.unwrap_or_default().iter().map(table).collect())
}

async fn due(reader: &mut Reader, settings: &Settings) -> Result<Option<Work>> {
    let sql = include_str!("../../../sql/wraparound/due.sql");
    let row = reader
        .ask_one(
            "the vacuums that are due",
            sql,
            &[&settings.freeze_max_age, &settings.mxid_freeze_max_age],
        )
        .await?;
    Ok(row.map(|row| Work {
        tables: row.get("tables"),
        pages: row.get("pages"),
        frozen_pages: row.get("frozen_pages"),
        index_pages: row.get("index_pages"),
    }))
}

async fn vacuums(reader: &mut Reader) -> Result<Vec<Running>> {
    let sql = include_str!("../../../sql/wraparound/vacuums.sql");
    let rows = reader.ask("running vacuums", sql, &[]).await?;
    let running = |row: &tokio_postgres::Row| Running {
        pid: row.get("pid"),
        database: row.get::<_, Option<String>>("database").unwrap_or_default(),
        oid: row.get::<_, Option<u32>>("oid").unwrap_or_default(),
        phase: row.get("phase"),
        pages: row.get::<_, Option<f64>>("pages").unwrap_or_default(),
        scanned_pages: row.get::<_, Option<f64>>("scanned_pages").unwrap_or_default(),
        is_automatic: row.get("is_automatic"),
        is_against_wraparound: row.get("is_against_wraparound"),
        running_s: row.get("running_s"),
    };
    Ok(rows.unwrap_or_default().iter().map(running).collect())
}

async fn member_files(reader: &mut Reader) -> Result<Option<f64>> {
    let what = "the files of MultiXact members";
    let sql = include_str!("../../../sql/wraparound/may_list.sql");
    let may = reader.ask_one(what, sql, &[]).await?;
    if !may.is_some_and(|row| row.get("may_list")) {
        reader.note(
            what,
            "this role may not list the files of the server",
            "grant execute on function pg_ls_dir(text) to the role",
        );
        return Ok(None);
    }
    let sql = include_str!("../../../sql/wraparound/members.sql");
    let row = reader.ask_one(what, sql, &[]).await?;
    Ok(row.map(|row| row.get("files")))
}
