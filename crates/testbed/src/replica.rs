//! Streaming replicas of a cluster: what lags, what is read-only, what a synchronous commit waits for.

use std::sync::Arc;
use std::time::Duration;

use crate::cluster::{Cluster, ClusterOptions, Mode, blocking};
use crate::error::{Error, Result};
use crate::server::Server;

/// How long replay may take to stop, to begin again or to catch up.
const PATIENCE: Duration = Duration::from_secs(60);
/// The server signals none of these.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// A hot standby that follows a [`Cluster`] over its Unix socket. Dropping it ends it and removes its directory, and
/// the death of the process does too, as for every cluster.
///
/// It keeps no replication slot: one that is stopped for long may come back too late for the write-ahead log that it
/// needs.
#[derive(Debug)]
pub struct Replica {
    standby: Cluster,
    name: String,
}

impl Cluster {
    /// Makes a replica and waits until it streams. `name` is what the primary knows it by, in `pg_stat_replication`
    /// and in `synchronous_standby_names`. Takes about a second.
    ///
    /// Where the installation has no `pg_basebackup`, this server is stopped for a moment to copy its files: every
    /// session ends.
    pub async fn replica(&self, name: &str) -> Result<Replica> {
        let primary = Arc::clone(self.server());
        if primary.installation.program("pg_basebackup").is_none() {
            self.stop(Mode::Fast).await?;
        }
        let (from, known_as) = (Arc::clone(&primary), name.to_owned());
        let made = blocking(move || Server::copy_of(&from, standby_options(&from, &known_as))).await;
        if primary.installation.program("pg_basebackup").is_none() {
            self.start_again().await?;
        }
        let replica = Replica {
            standby: Cluster::of(made?),
            name: name.to_owned(),
        };
        let client = self.connect("postgres").await?;
        let streams = "select exists (select from pg_stat_replication where application_name = $1 and state = 'streaming')";
        wait_until(&client, "waiting for the replica to stream", streams, &[&name]).await?;
        Ok(replica)
    }
}

/// The primary's own options, on another port, and whom to follow.
fn standby_options(primary: &Server, name: &str) -> ClusterOptions {
    let follow = primary.conninfo(name);
    ClusterOptions {
        keep: false,
        port: None,
        ..primary.options.clone()
    }
    .setting("primary_conninfo", &follow)
    .setting("hot_standby", "on")
    // A replica that says nothing for ten seconds would make every figure about it as old.
    .setting("wal_receiver_status_interval", "1s")
    .setting("wal_retrieve_retry_interval", "100ms")
}

impl Replica {
    /// The server itself, to connect to, to stop and to start again. `fresh_database` does not work: it is read-only.
    pub fn standby(&self) -> &Cluster {
        &self.standby
    }

    /// What the primary knows it by.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Stops replay and waits until it has stopped. What the primary writes is still received.
    pub async fn pause_replay(&self) -> Result<()> {
        let client = self.standby.connect("postgres").await?;
        let doing = "pausing replay";
        client
            .batch_execute("select pg_wal_replay_pause()")
            .await
            .map_err(Error::postgres(doing))?;
        let sql = "select pg_get_wal_replay_pause_state() = 'paused'";
        wait_until(&client, doing, sql, &[]).await
    }

    /// Replays again.
    pub async fn resume_replay(&self) -> Result<()> {
        let client = self.standby.connect("postgres").await?;
        client
            .batch_execute("select pg_wal_replay_resume()")
            .await
            .map_err(Error::postgres("resuming replay"))
    }

    /// Waits until everything that `primary` has written by now is visible here.
    pub async fn wait_until_caught_up(&self, primary: &Cluster) -> Result<()> {
        let doing = "waiting for the replica to catch up";
        let row = primary.connect("postgres").await?;
        let row = row
            .query_one("select pg_current_wal_insert_lsn()::text", &[])
            .await
            .map_err(Error::postgres(doing))?;
        let wanted: String = row.get(0);
        let client = self.standby.connect("postgres").await?;
        let sql = "select pg_last_wal_replay_lsn() >= $1::text::pg_lsn";
        wait_until(&client, doing, sql, &[&wanted]).await
    }
}

/// Asks one boolean until it is true.
async fn wait_until(
    client: &tokio_postgres::Client,
    doing: &str,
    sql: &str,
    parameters: &[&(dyn tokio_postgres::types::ToSql + Sync)],
) -> Result<()> {
    let waiting = async {
        loop {
            let row = client
                .query_one(sql, parameters)
                .await
                .map_err(Error::postgres(doing))?;
            if row.get(0) {
                return Ok(());
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    };
    match tokio::time::timeout(PATIENCE, waiting).await {
        Ok(result) => result,
        Err(_) => Err(Error::Request(format!(
            "{doing}: not after {} s",
            PATIENCE.as_secs()
        ))),
    }
}
