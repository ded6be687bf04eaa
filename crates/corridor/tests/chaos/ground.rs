//! What all lives of a run share: a cluster, a small disk, a directory.

use std::path::{Path, PathBuf};

use corridor_testbed::{Cluster, ClusterOptions};

use crate::Result;
use crate::disk::Disk;
use crate::fault::Means;
use crate::options::Options;

/// Where Debian's package `libfaketime` puts it.
const FAKETIME: &[&str] = &[
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1",
];

/// The cluster, and what this machine can do to it.
#[derive(Debug)]
pub(crate) struct Ground {
    pub(crate) cluster: Cluster,
    pub(crate) disk: Option<Disk>,
    pub(crate) faketime: Option<PathBuf>,
    /// The `corridor` that works.
    pub(crate) binary: PathBuf,
    /// A directory of this process; what is kept stays in it.
    pub(crate) directory: PathBuf,
}

impl Ground {
    /// Starts a cluster and looks what can be done.
    pub(crate) async fn prepare(options: &Options) -> Result<Ground> {
        let cluster = ClusterOptions::new(options.major)
            .setting("deadlock_timeout", "200ms")
            .setting("log_statement", "ddl");
        let cluster = Cluster::start(cluster).await?;
        let directory = std::env::temp_dir().join(format!("corridor-chaos-{}", std::process::id()));
        std::fs::create_dir_all(&directory)?;
        let mut disk = Disk::mount(&directory, &cluster.data_dir());
        if let Some(mounted) = &disk {
            let sql = format!("create tablespace small location '{}'", mounted.space().display());
            let client = cluster.connect("postgres").await?;
            if let Err(error) = client.batch_execute(&sql).await {
                println!("chaos: the server cannot use a small disk: {error}");
                disk = None;
            }
        }
        let faketime = FAKETIME.iter().map(Path::new).find(|path| path.exists());
        Ok(Ground {
            cluster,
            disk,
            faketime: faketime.map(Path::to_owned),
            binary: options.binary.clone(),
            directory,
        })
    }

    /// What can be done here.
    pub(crate) fn abilities(&self) -> Means {
        Means {
            has_small_disk: self.disk.is_some(),
            has_fake_clock: self.faketime.is_some(),
            has_failpoints: corridor_pg::failpoint::IS_BUILT_IN,
        }
    }

    /// What is left out here, in words.
    pub(crate) fn means(&self) -> String {
        let able = self.abilities();
        let missing: Vec<&str> = [
            (able.has_small_disk, "no full disk (mounting one needs root)"),
            (
                able.has_fake_clock,
                "no leaps of the clock (libfaketime is not here)",
            ),
            (able.has_failpoints, "no failpoints (built without the feature)"),
        ]
        .into_iter()
        .filter_map(|(is_there, what)| (!is_there).then_some(what))
        .collect();
        match missing.is_empty() {
            true => "every fault is possible here".to_owned(),
            false => missing.join("; "),
        }
    }

    /// A new database for a life; its URL for the superuser.
    pub(crate) async fn database(&self, name: &str) -> Result<String> {
        let client = self.cluster.connect("postgres").await?;
        let place = if self.disk.is_some() {
            " tablespace small"
        } else {
            ""
        };
        client
            .batch_execute(&format!("create database {name}{place}"))
            .await?;
        Ok(self.cluster.url(name))
    }

    /// Away with it.
    pub(crate) async fn drop_database(&self, name: &str) -> Result<()> {
        let client = self.cluster.connect("postgres").await?;
        client
            .batch_execute(&format!("drop database if exists {name} with (force)"))
            .await?;
        Ok(())
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        // Only when nothing was kept in it.
        if self.disk.take().is_some() {
            std::fs::remove_dir(self.directory.join("disk")).ok();
        }
        std::fs::remove_dir(&self.directory).ok();
    }
}
