//! Reading: statistics views, and the disk where it can be asked.

use std::path::Path;

use corridor_pg::Result;
use tokio_postgres::Row;

use super::{Disk, Replica, Server, Slot, Slots};
use crate::probe::Scope;
use crate::reader::Reader;

/// Reads everything.
pub(super) async fn read(reader: &mut Reader, scope: &Scope) -> Result<Slots> {
    let sql = include_str!("../../../sql/slots/slots.sql");
    let slots = reader
        .ask("replication slots", sql, &[])
        .await?
        .unwrap_or_default();
    let sql = include_str!("../../../sql/slots/replicas.sql");
    let replicas = reader.ask("replicas", sql, &[]).await?.unwrap_or_default();
    if replicas
        .iter()
        .any(|row| row.get::<_, Option<&str>>("state").is_none())
    {
        reader.note(
            "how far replicas lag",
            "it is hidden from this role",
            "grant pg_monitor to the role",
        );
    }
    let sql = include_str!("../../../sql/slots/server.sql");
    let server = reader.ask_one("WAL, archive and connections", sql, &[]).await?;
    let sql = if reader.server_version_num() >= 170_000 {
        include_str!("../../../sql/slots/checkpoints.sql")
    } else {
        include_str!("../../../sql/slots/checkpoints_before_17.sql")
    };
    let checkpoints = reader.ask_one("checkpoints", sql, &[]).await?;
    let sql = include_str!("../../../sql/slots/database.sql");
    let database = reader.ask_one("the database's name", sql, &[]).await?;
    Ok(Slots {
        database: database.map_or_else(String::new, |row| row.get("name")),
        slots: slots.iter().map(slot).collect(),
        replicas: replicas.iter().map(replica).collect(),
        server: server.as_ref().map(read_server),
        forced_checkpoints: checkpoints.map(|row| row.get("requested")),
        disk: disk(reader, scope).await?,
    })
}

fn slot(row: &Row) -> Slot {
    Slot {
        name: row.get("name"),
        is_logical: row.get("is_logical"),
        is_active: row.get("is_active"),
        pid: row.get("pid"),
        wal_status: row.get("wal_status"),
        safe_bytes: row.get("safe_bytes"),
        kept_bytes: row.get("kept_bytes"),
        unused_s: row.get("unused_s"),
    }
}

fn replica(row: &Row) -> Replica {
    Replica {
        name: row.get::<_, Option<String>>("name").unwrap_or_default(),
        pid: row.get("pid"),
        state: row.get("state"),
        lag_bytes: row.get("lag_bytes"),
        lag_s: row.get("lag_s"),
    }
}

fn read_server(row: &Row) -> Server {
    let number = |name: &str| row.get::<_, Option<f64>>(name).unwrap_or(0.0);
    Server {
        wal_bytes: row.get("wal_bytes"),
        is_archive_failing: row.get::<_, Option<bool>>("is_archive_failing").unwrap_or(false),
        archive_failures: number("archive_failures"),
        last_failed_wal: row.get("last_failed_wal"),
        archived_s: row.get("archived_s"),
        temp_bytes: number("temp_bytes"),
        connections: number("connections"),
        idle: number("idle"),
        idle_in_transaction: number("idle_in_transaction"),
        max_connections: number("max_connections"),
        reserved_connections: number("reserved_connections"),
        max_wal_bytes: number("max_wal_bytes"),
    }
}

/// The disk: asked, where a person said where it is; added up, where a person said how large it is.
async fn disk(reader: &mut Reader, scope: &Scope) -> Result<Option<Disk>> {
    if let Some(path) = &scope.disk_path {
        match measured(path) {
            Ok(disk) => return Ok(Some(disk)),
            Err(error) => reader.note(format!("the disk at {}", path.display()), error.to_string(), ""),
        }
    }
    let Some(size) = scope.disk_size_bytes else {
        if scope.disk_path.is_none() {
            reader.note(
                "free disk",
                "PostgreSQL does not say how large its disk is",
                "`--disk-path` on the server itself, or `--disk-size`",
            );
        }
        return Ok(None);
    };
    let sql = include_str!("../../../sql/slots/disk_used.sql");
    let row = reader.ask_one("the size of databases and WAL", sql, &[]).await?;
    Ok(row.map(|row| Disk {
        used_bytes: row.get("used_bytes"),
        size_bytes: size as f64,
        is_measured: false,
    }))
}

fn measured(path: &Path) -> std::io::Result<Disk> {
    let disk = rustix::fs::statvfs(path)?;
    let block = disk.f_frsize as f64;
    // What is kept for root is not free for the server, and not in use either.
    let used = (disk.f_blocks as f64 - disk.f_bfree as f64) * block;
    Ok(Disk {
        used_bytes: used,
        size_bytes: used + disk.f_bavail as f64 * block,
        is_measured: true,
    })
}
