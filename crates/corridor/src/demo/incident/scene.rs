//! The stage of a small incident and everybody on it: what the incidents have in common.

use std::sync::Arc;
use std::time::{Duration, Instant};

use corridor_pg::Fault;
use corridor_testbed::cluster::connect;
use corridor_testbed::traffic::{Ledger, Summary, Table, Traffic, TrafficOptions};
use corridor_testbed::{Cluster, ClusterOptions};
use tokio_postgres::types::ToSql;

use super::Incident;
use super::account::{Account, Gauge, Look, Measured, Step};
use crate::command::{Context, DONE};
use crate::demo::board::{Board, legend};
use crate::demo::figures::Phase;
use crate::demo::passage::Ear;
use crate::demo::report::Kept;
use crate::demo::stage::{self, APPLICATION, DATABASE};
use crate::demo::verdict::Claim;
use crate::demo::{Args, Halt};
use crate::fault::DEMO;
use crate::interrupt::Interrupt;
use crate::output::number::grouped;

/// Time that the application gets before it is measured: connections, plans, caches.
const WARM_UP: Duration = Duration::from_secs(1);

/// What is particular about the stage of one incident.
#[derive(Debug)]
pub(super) struct Play {
    /// Settings of its server.
    pub(super) settings: &'static [(&'static str, &'static str)],
    /// What is measured beside the application.
    pub(super) gauges: &'static [Gauge],
    /// One row with a float8 for each gauge.
    pub(super) gauges_sql: &'static str,
}

/// Everybody who takes part.
pub(super) struct Scene<'a> {
    pub(super) interrupt: &'a Interrupt,
    pub(super) board: Board,
    pub(super) ear: Arc<Ear>,
    pub(super) cluster: Cluster,
    pub(super) table: Table,
    /// For how long a phase is measured.
    pub(super) seconds: Duration,
    incident: &'static Incident,
    play: Play,
    begun: Instant,
    /// When the incident stood: what the application meets from then on counts.
    pub(super) stood: Option<Instant>,
    pub(super) traffic: Option<Traffic>,
    pub(super) migration: Option<String>,
    figures: Vec<Measured>,
    pub(super) looks: Vec<Look>,
    pub(super) steps: Vec<Step>,
}

impl<'a> Scene<'a> {
    /// Starts the cluster and makes the table.
    pub(super) async fn set(
        context: &'a Context,
        args: &Args,
        incident: &'static Incident,
        play: Play,
        table: Table,
    ) -> Result<Scene<'a>, Halt> {
        let begun = Instant::now();
        let ear = Arc::new(Ear::default());
        let mut board = Board::start(&context.output, &ear);
        board.begin("starting a throwaway cluster");
        let mut options = ClusterOptions::new(stage::major(args.major)?);
        for (name, value) in play.settings {
            options = options.setting(name, value);
        }
        let start = Cluster::start(options);
        let cluster = board.beside(None, Some(&context.interrupt), start).await??;
        let mut scene = Scene {
            interrupt: &context.interrupt,
            board,
            ear,
            cluster,
            table,
            seconds: Duration::from_secs(args.seconds),
            incident,
            play,
            begun,
            stood: None,
            traffic: None,
            migration: None,
            figures: Vec::new(),
            looks: Vec::new(),
            steps: Vec::new(),
        };
        let (major, url) = (scene.cluster.major(), scene.url());
        scene.board.note(&format!("PostgreSQL {major}, {url}"));
        Ok(scene)
    }

    /// For the superuser.
    pub(super) fn url(&self) -> String {
        self.cluster.url(DATABASE)
    }

    /// Keeps the display alive beside `work`, which may be left at any moment.
    pub(super) async fn beside<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Halt> {
        self.board
            .beside(self.traffic.as_ref(), Some(self.interrupt), work)
            .await
    }

    /// Waits for what may be left at any moment.
    pub(super) async fn wait(&mut self, time: Duration) -> Result<(), Halt> {
        self.beside(tokio::time::sleep(time)).await
    }

    /// Runs statements, one after the other.
    pub(super) async fn run(&mut self, sql: &str) -> Result<(), Halt> {
        let url = self.url();
        let work = async {
            let client = connect(&url).await?;
            client.batch_execute(sql).await.map_err(Fault::from_driver)?;
            Ok::<_, Halt>(())
        };
        self.beside(work).await?
    }

    /// Asks for one row.
    pub(super) async fn ask(
        &mut self,
        sql: &str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<tokio_postgres::Row, Halt> {
        let url = self.url();
        let work = async {
            let client = connect(&url).await?;
            let row = client.query_one(sql, parameters).await;
            Ok::<_, Halt>(row.map_err(Fault::from_driver)?)
        };
        self.beside(work).await?
    }

    /// The application begins to work.
    pub(super) async fn open(&mut self) -> Result<(), Halt> {
        let options = TrafficOptions {
            clients: APPLICATION.clients,
            rate_per_s: Some(APPLICATION.wanted_per_s),
            ..TrafficOptions::new(self.table.clone())
        };
        self.board.begin(&format!(
            "{} clients begin to read and write, {} times a second",
            options.clients,
            grouped(APPLICATION.wanted_per_s as u64)
        ));
        self.board.note(&legend());
        let url = self.url();
        let traffic = self
            .beside(async move { Traffic::start(&url, options).await })
            .await??;
        self.traffic = Some(traffic);
        self.wait(WARM_UP).await
    }

    /// Sets the counter of transactions forward; the server restarts for that. Waits until the clients write again.
    pub(super) async fn set_next_xid(&mut self, xid: u32) -> Result<(), Halt> {
        let (traffic, interrupt) = (self.traffic.as_ref(), Some(self.interrupt));
        let set = self.cluster.reset_wal_next_xid(xid);
        self.board.beside(traffic, interrupt, set).await??;
        if let Some(traffic) = traffic {
            let again = traffic.wait_for_writes(traffic.snapshot().writes + APPLICATION.clients);
            self.board.beside(Some(traffic), interrupt, again).await?;
        }
        // Those who were left without an answer connect anew.
        self.wait(WARM_UP).await
    }

    /// From now on the incident stands.
    pub(super) fn stands(&mut self) -> Instant {
        *self.stood.insert(Instant::now())
    }

    /// Measures a phase for as long as each is.
    pub(super) async fn phase(&mut self, phase: Phase, what: &str) -> Result<(), Halt> {
        self.board.begin_phase(phase, what);
        let from = Instant::now();
        self.wait(self.seconds).await?;
        self.measured(phase, from).await
    }

    /// Takes down what a phase that began at `from` came to.
    pub(super) async fn measured(&mut self, phase: Phase, from: Instant) -> Result<(), Halt> {
        let row = self.ask(self.play.gauges_sql, &[]).await?;
        let gauges = (0..self.play.gauges.len())
            .map(|i| row.get::<_, Option<f64>>(i))
            .collect();
        self.figures.push(Measured {
            phase,
            summary: self.summary(from),
            gauges,
        });
        Ok(())
    }

    fn summary(&self, from: Instant) -> Option<Summary> {
        self.traffic
            .as_ref()
            .map(|traffic| traffic.summary(from, Instant::now()))
    }

    /// A gauge as it was in a phase, by its key.
    pub(super) fn gauge(&self, phase: Phase, key: &str) -> f64 {
        let at = self.play.gauges.iter().position(|gauge| gauge.key == key);
        let of_phase = self.figures.iter().rev().find(|figures| figures.phase == phase);
        of_phase
            .zip(at)
            .and_then(|(figures, at)| figures.gauges.get(at).copied().flatten())
            .unwrap_or(f64::NAN)
    }

    /// The application stops, and every write that was acknowledged is looked for.
    pub(super) async fn end(mut self, claims: Vec<Claim>, is_kept: bool) -> Result<Account, Halt> {
        self.board
            .begin("the application stops; looking for every write that was acknowledged");
        let curve = self.board.curve();
        let traffic = self.traffic.take();
        let Some(traffic) = traffic else {
            return Err(Fault::new(&DEMO, "nobody wrote").into());
        };
        let stood = self.stood.unwrap_or(self.begun);
        let errors = traffic.summary(stood, Instant::now()).errors;
        let ledger: Ledger = self.beside(traffic.stop()).await??;
        let (url, name) = (self.url(), self.table.name.clone());
        let first_error = ledger
            .errors
            .iter()
            .next()
            .map(|(sqlstate, seen)| format!("{sqlstate}: {}", seen.first_message));
        let comparison = self.beside(ledger.compare(&url, &name)).await??;
        let kept = match is_kept {
            true => Some(Kept {
                migration: self.migration.take(),
                place: stage::leave_up(&self.cluster, url)?,
            }),
            false => {
                self.finish().await?;
                None
            }
        };
        let story = self.ear.story();
        let mut account = Account {
            is_proven: false,
            exit: DONE,
            incident: self.incident,
            claims,
            postgres_major: self.cluster.major(),
            rows: self.table.rows,
            application: APPLICATION,
            looks: self.looks,
            steps: self.steps,
            gauges: self.play.gauges,
            phases: self.figures,
            latency_by_second_ms: curve,
            acknowledged_writes: ledger.acknowledged_writes(),
            errors,
            comparison,
            cutover: story.swap,
            verification: story.verification.clone(),
            elapsed_ms: u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX),
            kept,
        };
        drop(story);
        account.judge(first_error.as_deref());
        Ok(account)
    }

    /// Somebody wants to look at what failed.
    pub(super) fn leave_up(&mut self) -> Result<(), Halt> {
        let place = stage::leave_up(&self.cluster, self.url())?;
        self.board.note(&format!("the cluster is left up: {}", place.url));
        for command in place.stop {
            self.board.note(&format!("to end it: {command}"));
        }
        Ok(())
    }
}
