//! One migration, worked on a thread of its own: what a worker does stays on its thread.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use corridor_limits::check::Report;
use corridor_migration::fault::LEASE_HELD;
use corridor_migration::store::{Request, Unworked};
use corridor_migration::{Name, Order, Outcome, data};
use corridor_move::run;
use corridor_pg::{Fault, Result};
use semver::Version;
use tokio::sync::oneshot;

use super::Service;
use super::config::Cluster;
use crate::args;
use crate::command::mover::TableMover;
use crate::command::{Context, collector};
use crate::fault::RUNTIME;
use crate::interrupt::Interrupt;
use crate::output::migration::Ear;

/// How long a worker may take for its checkpoint when the service leaves; its lease runs out by itself.
const FAREWELL: Duration = Duration::from_secs(60);
/// Time between two checks of the collector, as of `corridor watch`.
pub(super) const COLLECT_EVERY_S: u64 = 60;
/// Figures are kept as measured for so long, as of `corridor watch`.
const RETENTION_HOURS: u64 = 48;

/// What is to be done.
#[derive(Debug, Clone)]
pub(super) struct Job {
    pub(super) name: Name,
    kind: String,
    pub(super) order: Order,
    /// Whose order it is, when somebody left it as a request.
    pub(super) asked: Option<Request>,
}

impl Job {
    pub(super) fn new(name: Name, kind: &str, order: Order) -> Self {
        Job {
            name,
            kind: kind.to_owned(),
            order,
            asked: None,
        }
    }

    /// What somebody asked for and nobody alive can take.
    pub(super) fn asked(unworked: Unworked) -> Self {
        Job {
            order: unworked.request.order(),
            name: unworked.name,
            kind: unworked.kind,
            asked: Some(unworked.request),
        }
    }
}

/// How a worker ended.
pub(super) struct Ended {
    /// What is worth a word.
    pub(super) words: Option<String>,
    /// It came to nothing, or to a failure.
    pub(super) is_fault: bool,
}

/// A thread at work.
pub(super) struct Worker {
    ended: oneshot::Receiver<Ended>,
    thread: std::thread::JoinHandle<()>,
}

impl Ended {
    const fn well(words: Option<String>) -> Self {
        Ended {
            words,
            is_fault: false,
        }
    }

    const fn badly(words: String) -> Self {
        Ended {
            words: Some(words),
            is_fault: true,
        }
    }
}

impl Worker {
    /// Begins. It leaves when its cluster does.
    pub(super) fn start(
        service: &Service,
        interrupt: &Interrupt,
        cluster: &Cluster,
        job: Job,
        app_version: Option<Version>,
    ) -> Result<Worker> {
        let context = service.context(cluster.database.clone(), interrupt);
        let prefix = format!("{}: {}", cluster.name, job.name);
        let name = format!("{}/{}", cluster.name, job.name);
        spawn(
            &name,
            async move |output_of: Context| match carry(&output_of, &job, &prefix, app_version).await {
                Ok(Outcome::Ended(state)) => Ended::well(Some(state.words_of(&job.kind))),
                Ok(_) => Ended::well(None),
                // Whoever is at work answers what was asked.
                Err(fault) if job.asked.is_some() && fault.code().id == LEASE_HELD.id => Ended::well(None),
                Err(fault) => Ended::badly(fault.to_string()),
            },
            context,
        )
    }

    pub(super) fn is_over(&self) -> bool {
        self.thread.is_finished()
    }

    /// How it ended, once it is over.
    pub(super) fn ended(mut self) -> Ended {
        match self.ended.try_recv() {
            Ok(ended) => ended,
            Err(_) => Ended::badly("its worker ended badly".to_owned()),
        }
    }

    /// Waits for its checkpoint.
    pub(super) async fn leave(self) {
        if tokio::time::timeout(FAREWELL, self.ended).await.is_err() {
            tracing::warn!("a worker did not come to its checkpoint; its lease runs out by itself");
        }
    }
}

/// Runs `work` on a thread and a runtime of its own.
fn spawn(
    name: &str,
    work: impl AsyncFnOnce(Context) -> Ended + Send + 'static,
    context: Context,
) -> Result<Worker> {
    let refused =
        |error: std::io::Error| Fault::new(&RUNTIME, format!("starting a thread: {error}")).caused_by(error);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(refused)?;
    let (end, ended) = oneshot::channel();
    let thread = std::thread::Builder::new()
        .stack_size(crate::STACK_BYTES)
        .name(name.chars().take(15).collect())
        .spawn(move || {
            let ended = runtime.block_on(work(context));
            // Nobody waits any more when the service has left.
            end.send(ended).ok();
            runtime.shutdown_background();
        })
        .map_err(refused)?;
    Ok(Worker { ended, thread })
}

async fn carry(context: &Context, job: &Job, prefix: &str, app_version: Option<Version>) -> Result<Outcome> {
    let connect = corridor_pg::ConnectOptions::from_process(context.database.as_deref())?;
    let ear = Arc::new(Ear::named(&context.output, prefix));
    let interrupt = context.interrupt.watch();
    if job.kind != data::KIND {
        return match &job.asked {
            Some(request) => run::carry_out_asked(&connect, &job.name, request, ear, interrupt).await,
            None => run::carry_out(&connect, job.name.as_str(), job.order, ear, interrupt).await,
        };
    }
    let mover = TableMover::of(context)?;
    let call = data::Call {
        connect: &connect,
        name: &job.name,
        order: job.order,
        asked: job.asked.as_ref(),
        why: "",
        parameters: &BTreeMap::new(),
        app_version: app_version.as_ref(),
        mover: Some(&mover),
        listener: ear,
        interrupt,
    };
    data::carry_out(&call).await
}

/// Keeps the history of a cluster, as `corridor watch` does; one collector at a time, wherever it runs.
pub(super) fn collect(service: &Service, interrupt: &Interrupt, cluster: &Cluster) -> Collecting {
    let context = service.context(cluster.database.clone(), interrupt);
    let (name, every_s) = (cluster.name.clone(), service.collect_every_s);
    let (reports, own) = (Arc::clone(&service.reports), cluster.name.clone());
    let listener = move |report: Option<Report>| {
        let mut all = reports.lock().unwrap_or_else(PoisonError::into_inner);
        match report {
            Some(report) => drop(all.insert(own.clone(), Arc::new(report))),
            None => drop(all.remove(&own)),
        }
    };
    let started = spawn(
        &format!("collect {}", cluster.name),
        async move |context: Context| {
            let args = args::Watch {
                interval: every_s,
                retention: RETENTION_HOURS,
                once: false,
                webhook: None,
                only: Vec::new(),
                disk_size: None,
                disk_path: None,
            };
            loop {
                match collector::run(&context, &args, Some(&listener)).await {
                    Ok(_) => return Ended::well(None),
                    Err(fault) => {
                        context.output.say(&format!("{name}: collecting: {fault}"));
                        let pause = tokio::time::sleep(Duration::from_secs(every_s));
                        if context.interrupt.or(pause).await.is_none() {
                            return Ended::well(None);
                        }
                    }
                }
            }
        },
        context,
    );
    Collecting(started.ok())
}

/// A collector at work.
pub(super) struct Collecting(Option<Worker>);

impl Collecting {
    pub(super) async fn leave(self) {
        if let Some(worker) = self.0 {
            worker.leave().await;
        }
    }
}
