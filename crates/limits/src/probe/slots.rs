//! What fills the disk behind the tables, and who lags: replication slots with the WAL that they keep, replicas, the
//! archive of the WAL, forced checkpoints, temporary files, connections, and the disk itself where it can be known.

mod judge;
mod read;
pub mod tree;

use corridor_pg::Result;
use serde::Serialize;

use crate::finding::Finding;
use crate::metric::{Metric, Unit};
use crate::probe::{Judging, Probe, Scope};
use crate::reader::Reader;
use crate::sample::Sample;
use crate::tree::Tree;

/// WAL that a slot keeps.
pub static SLOT_KEPT: Metric = Metric::gauge(
    "slot_kept_bytes",
    Unit::Bytes,
    "WAL that a replication slot keeps from being removed.",
);
/// Lag of a replica.
pub static REPLICA_LAG: Metric = Metric::gauge(
    "replica_lag_bytes",
    Unit::Bytes,
    "WAL that a replica has not replayed yet.",
);
/// The position in the WAL.
pub static WAL_BYTES: Metric = Metric::counter(
    "wal_written_bytes",
    Unit::Bytes,
    "WAL that the server has written since it was made.",
);
/// Failures of the archive.
pub static ARCHIVE_FAILURES: Metric = Metric::counter(
    "archive_failures",
    Unit::Count,
    "Attempts to archive a file of the WAL that failed.",
);
/// Checkpoints before their time.
pub static FORCED_CHECKPOINTS: Metric = Metric::counter(
    "checkpoints_forced",
    Unit::Count,
    "Checkpoints that came before their time, most often because max_wal_size was reached.",
);
/// Temporary files.
pub static TEMP_BYTES: Metric = Metric::counter(
    "temp_file_bytes",
    Unit::Bytes,
    "Bytes that statements of a database wrote to temporary files.",
);
/// Connections.
pub static CONNECTIONS: Metric = Metric::gauge("connections", Unit::Count, "Sessions of clients.");
/// Disk.
pub static DISK_USED: Metric = Metric::gauge(
    "disk_used_bytes",
    Unit::Bytes,
    "Bytes in use on the disk of the data directory.",
);
/// Disk.
pub static DISK_SIZE: Metric = Metric::gauge(
    "disk_size_bytes",
    Unit::Bytes,
    "Size of the disk of the data directory.",
);

/// A replication slot.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Slot {
    /// Its name.
    pub name: String,
    /// Of logical decoding.
    pub is_logical: bool,
    /// Somebody uses it.
    pub is_active: bool,
    /// Who.
    pub pid: Option<i32>,
    /// `reserved`, `extended`, `unreserved`, `lost`.
    pub wal_status: Option<String>,
    /// Bytes until it may be lost; `None` where `max_slot_wal_keep_size` sets no limit.
    pub safe_bytes: Option<f64>,
    /// WAL that it keeps; `None` when it keeps none.
    pub kept_bytes: Option<f64>,
    /// Seconds since nobody has used it (from PostgreSQL 17 on).
    pub unused_s: Option<f64>,
}

/// A reader of the WAL.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Replica {
    /// Its name.
    pub name: String,
    /// Its session.
    pub pid: i32,
    /// `streaming`.
    pub state: Option<String>,
    /// WAL that it has not replayed.
    pub lag_bytes: Option<f64>,
    /// How long ago that was written, by its last answer.
    pub lag_s: Option<f64>,
}

/// The server's own figures.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Server {
    /// Position in the WAL.
    pub wal_bytes: Option<f64>,
    /// The last attempt to archive failed.
    pub is_archive_failing: bool,
    /// Failed attempts.
    pub archive_failures: f64,
    /// The file that failed last.
    pub last_failed_wal: Option<String>,
    /// Seconds since a file was archived, or since the statistics begin.
    pub archived_s: Option<f64>,
    /// Temporary files of this database.
    pub temp_bytes: f64,
    /// Sessions of clients.
    pub connections: f64,
    /// Of which wait for a statement,
    pub idle: f64,
    /// or wait inside of a transaction.
    pub idle_in_transaction: f64,
    /// `max_connections`.
    pub max_connections: f64,
    /// Of which kept for superusers and others.
    pub reserved_connections: f64,
    /// `max_wal_size`.
    pub max_wal_bytes: f64,
}

/// The disk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Disk {
    /// In use.
    pub used_bytes: f64,
    /// All of it.
    pub size_bytes: f64,
    /// Asked of the disk, and not added up from what the server says of its databases and its WAL.
    pub is_measured: bool,
}

/// What was read.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Slots {
    /// This database.
    pub database: String,
    /// Those that keep most first.
    pub slots: Vec<Slot>,
    /// Those that lag most first.
    pub replicas: Vec<Replica>,
    /// The server.
    pub server: Option<Server>,
    /// Checkpoints before their time.
    pub forced_checkpoints: Option<f64>,
    /// The disk.
    pub disk: Option<Disk>,
}

impl Probe for Slots {
    const NAME: &'static str = "slots";
    const METRICS: &'static [&'static Metric] = &[
        &SLOT_KEPT,
        &REPLICA_LAG,
        &WAL_BYTES,
        &ARCHIVE_FAILURES,
        &FORCED_CHECKPOINTS,
        &TEMP_BYTES,
        &CONNECTIONS,
        &DISK_USED,
        &DISK_SIZE,
    ];
    const TREES: &'static [&'static Tree] = &[
        &tree::SLOT,
        &tree::REPLICA,
        &tree::ARCHIVE,
        &tree::CHECKPOINTS,
        &tree::TEMP,
        &tree::CONNECTIONS,
        &tree::DISK,
    ];

    async fn read(reader: &mut Reader, scope: &Scope) -> Result<Self> {
        read::read(reader, scope).await
    }

    fn samples(&self) -> Vec<Sample> {
        let mut samples = Vec::new();
        for slot in &self.slots {
            samples.extend(
                slot.kept_bytes
                    .map(|kept| Sample::new(&SLOT_KEPT, &slot.name, kept)),
            );
        }
        let mut seen = std::collections::BTreeSet::new();
        for replica in &self.replicas {
            // Several may have one name; the one that lags most comes first.
            if let Some(lag) = replica.lag_bytes.filter(|_| seen.insert(&replica.name)) {
                samples.push(Sample::new(&REPLICA_LAG, &replica.name, lag));
            }
        }
        if let Some(server) = &self.server {
            samples.extend(server.wal_bytes.map(|bytes| Sample::new(&WAL_BYTES, "", bytes)));
            samples.push(Sample::new(&ARCHIVE_FAILURES, "", server.archive_failures));
            samples.push(Sample::new(&TEMP_BYTES, &self.database, server.temp_bytes));
            samples.push(Sample::new(&CONNECTIONS, "", server.connections));
        }
        samples.extend(
            self.forced_checkpoints
                .map(|forced| Sample::new(&FORCED_CHECKPOINTS, "", forced)),
        );
        if let Some(disk) = self.disk {
            samples.push(Sample::new(&DISK_USED, "", disk.used_bytes));
            samples.push(Sample::new(&DISK_SIZE, "", disk.size_bytes));
        }
        samples
    }

    fn judge(&self, judging: &Judging<'_>) -> Vec<Finding> {
        judge::judge(self, judging)
    }
}

#[cfg(test)]
mod tests;
