//! The cluster, the table, the application, and the incident.

use corridor_pg::Fault;
use corridor_testbed::cluster::connect;
use corridor_testbed::toast::{Hold, HoldOptions, ToastRun, fill_toast_run};
use corridor_testbed::traffic::{Mix, Table, Traffic, TrafficOptions};
use corridor_testbed::{Cluster, ClusterOptions, Installation, Servers};
use serde::Serialize;

use super::Halt;
use super::figures::Counters;
use crate::fault::DEMO;

/// The database of everything.
pub(super) const DATABASE: &str = "postgres";
/// The table that is moved.
pub(super) const TABLE: &str = "public.persons";
/// Used ids that an insert meets when the incident is held. Below 50,000 the walks are too short to be one.
const DEPTH_IDS: u32 = 120_000;
/// The whole run: the depth, the guard that holding needs (100,000 where the server's memory is reached through its
/// user), and something for holes.
const RUN_IDS: u32 = 260_000;
/// Where the incident cannot be held the run is walked through once, at about a million ids a second: a fifth of the
/// phase that shows it.
const RUN_IDS_UNHELD_PER_S: u32 = 200_000;

/// The application. A rate that two cores carry with ease: without one the clients would take whatever the server
/// gives, and its latency would say nothing. Few clients, since in the incident each one occupies a core, and the move
/// has to share them.
pub(super) const APPLICATION: Application = Application {
    clients: 4,
    wanted_per_s: 1_000.0,
};

/// What the application looks like from outside.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Application {
    /// Clients, each with a connection.
    pub(super) clients: u64,
    /// Pieces of work per second that they want to do, reads included.
    pub(super) wanted_per_s: f64,
}

/// Where a cluster is that outlives the demo.
#[derive(Debug, Serialize)]
pub(super) struct Place {
    /// For the superuser.
    pub(super) url: String,
    /// Commands that end it and remove its files.
    pub(super) stop: Vec<String>,
}

/// The demo's cluster.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) cluster: Cluster,
    /// The incident can be kept going for as long as it is wanted.
    pub(super) can_hold: bool,
    has_counters: bool,
    table: Table,
}

impl Stage {
    /// Starts the cluster.
    pub(super) async fn set_up(major: Option<u32>, rows: u64) -> Result<Stage, Halt> {
        let options = ClusterOptions::new(self::major(major)?)
            .setting("shared_buffers", "256MB")
            // A checkpoint in one phase and none in the other would be taken for a difference.
            .setting("checkpoint_timeout", "30min");
        let cluster = Cluster::start(options).await?;
        let has_counters = cluster.installation().has_extension("pg_stat_statements");
        Ok(Stage {
            can_hold: cluster.oid_counter().is_ok(),
            has_counters,
            table: Table::persons(TABLE, rows),
            cluster,
        })
    }

    /// For the superuser.
    pub(super) fn url(&self) -> String {
        self.cluster.url(DATABASE)
    }

    /// For the application.
    fn application_url(&self) -> String {
        format!("postgres://app@127.0.0.1:{}/{DATABASE}", self.cluster.port())
    }

    /// Makes the table and the application's role.
    pub(super) async fn make_table(&self) -> Result<(), Halt> {
        self.table.create(&self.url()).await?;
        self.run(include_str!("../../sql/demo/role.sql")).await?;
        self.run(include_str!("../../sql/demo/grant.sql")).await?;
        if self.has_counters {
            self.run(include_str!("../../sql/demo/extension.sql")).await?;
        }
        Ok(())
    }

    /// Uses ids up, in a row, and leaves the counter behind them: nobody notices yet.
    /// `seconds`: how long the phase is that is to show it.
    pub(super) async fn use_ids_up(&self, seconds: u64) -> Result<ToastRun, Halt> {
        let ids = match self.can_hold {
            true => RUN_IDS,
            // No phase is so long that this would not do.
            false => RUN_IDS_UNHELD_PER_S.saturating_mul(seconds.min(100) as u32),
        };
        let run = fill_toast_run(&self.url(), TABLE, ids).await?;
        self.run(include_str!("../../sql/demo/vacuum.sql")).await?;
        Ok(run)
    }

    /// The application begins to work.
    pub(super) async fn open(&self) -> Result<Traffic, Halt> {
        let options = TrafficOptions {
            clients: APPLICATION.clients,
            rate_per_s: Some(APPLICATION.wanted_per_s),
            // Upserts, property updates, deletes and reads, one of ten in a transaction with others.
            mix: Mix {
                transaction: 10,
                ..Mix::ingestion()
            },
            ..TrafficOptions::new(self.table.clone())
        };
        Ok(Traffic::start(&self.application_url(), options).await?)
    }

    /// The counter comes to the ids that are used: the server restarts for that.
    pub(super) async fn bring_about(&self, run: &ToastRun) -> Result<Option<Hold>, Halt> {
        self.cluster.reset_wal_next_oid(run.first_id).await?;
        if !self.can_hold {
            return Ok(None);
        }
        let options = HoldOptions {
            depth_ids: DEPTH_IDS,
            free_ids_per_pass: APPLICATION.clients as u32,
        };
        Ok(Some(run.hold(&self.cluster, options)?))
    }

    /// Ends the holding, with the counter at the beginning of the used ids: nobody who writes to the old table would
    /// fare better, and nobody who measures is disturbed by the one who holds.
    pub(super) fn release(&self, run: &ToastRun, hold: Hold) -> Result<(), Halt> {
        let is_void = hold.is_void();
        drop(hold);
        if !is_void {
            self.cluster.oid_counter()?.set(run.first_id)?;
        }
        Ok(())
    }

    /// The counter is at the beginning of the used ids again.
    pub(super) fn put_back(&self, run: &ToastRun) -> Result<(), Halt> {
        Ok(self.cluster.oid_counter()?.set(run.first_id)?)
    }

    /// New values go out of line again.
    pub(super) async fn undo_inline(&self) -> Result<(), Halt> {
        self.run(include_str!("../../sql/demo/undo_inline.sql")).await
    }

    /// The counter is among the used ids.
    pub(super) fn is_among_used(&self, run: &ToastRun) -> Result<bool, Halt> {
        let next = self.cluster.oid_counter()?.get()?;
        Ok((run.first_id..=run.last_id).contains(&next))
    }

    /// What pg_stat_statements has counted; `None` where there is none.
    pub(super) async fn counters(&self) -> Result<Option<Counters>, Halt> {
        if !self.has_counters {
            return Ok(None);
        }
        let client = connect(&self.url()).await?;
        let row = client
            .query_one(include_str!("../../sql/demo/buffers.sql"), &[])
            .await
            .map_err(Fault::from_driver)?;
        Ok(Some(Counters {
            writes: row.get("writes"),
            buffers: row.get("buffers"),
        }))
    }

    /// Lets the cluster outlive the process.
    pub(super) fn keep(&self) -> Result<Place, Halt> {
        leave_up(&self.cluster, self.url())
    }

    async fn run(&self, sql: &str) -> Result<(), Halt> {
        let client = connect(&self.url()).await?;
        client.batch_execute(sql).await.map_err(Fault::from_driver)?;
        Ok(())
    }
}

/// Lets a cluster outlive the process.
pub(super) fn leave_up(cluster: &Cluster, url: String) -> Result<Place, Halt> {
    let stop = vec![
        // A fast shutdown; pg_ctl would refuse to run as root.
        format!("kill -INT {}", cluster.server_pid()?),
        format!("rm -r {}", cluster.directory().display()),
    ];
    cluster.keep()?;
    Ok(Place { url, stop })
}

/// The version that is wanted, else the one that suits best.
pub(super) fn major(wanted: Option<u32>) -> Result<u32, Halt> {
    match wanted {
        Some(major) => Ok(major),
        None => choose(&Servers::find()),
    }
}

/// The newest of the system's own, else the newest there is.
fn choose(found: &[Installation]) -> Result<u32, Halt> {
    let newest = |is_wanted: &dyn Fn(&Installation) -> bool| {
        found
            .iter()
            .filter(|installation| is_wanted(installation))
            .map(|installation| installation.major)
            .max()
    };
    newest(&|installation| installation.bin_dir.starts_with("/usr"))
        .or_else(|| newest(&|_| true))
        .ok_or_else(|| {
            let why = "no PostgreSQL server (14 or newer) is on this machine; script/setup installs one";
            Halt::from(Fault::new(&DEMO, why))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_own_server_is_taken_first() {
        let at = |major: u32, dir: &str| Installation {
            major,
            bin_dir: dir.into(),
            lib_dir: dir.into(),
            share_dir: dir.into(),
        };
        let (a, b, c) = (
            at(14, "/usr/lib/postgresql/14/bin"),
            at(15, "/usr/lib/postgresql/15/bin"),
            at(18, "/home/x/.servers/18/bin"),
        );
        assert_eq!(choose(&[a, b, c.clone()]).unwrap(), 15);
        assert_eq!(choose(&[c]).unwrap(), 18);
        assert!(matches!(choose(&[]), Err(Halt::Fault(fault)) if fault.code().id == DEMO.id));
    }
}
