//! The service: workers for migrations that nobody works, what is due by itself, alerts, and an HTTP address that tells.
//!
//! It has no state of its own. What is to be done stands in the databases, and who does it is a lease there; so several
//! services may run beside each other and beside people who type commands, and any of them may be killed.
//!
//! - [`config`]: settings and where each came from.
//! - [`cluster`]: what is looked at again and again, one task for each cluster.
//! - [`beside`]: a service in a process that does something else.
//! - [`stored`]: settings that are kept in the home cluster, which is the first one.
//! - [`pace`]: how far the work is, over time.
//! - [`host`]: the service as the console sees it.
//! - [`worker`]: one migration on a thread of its own.
//! - [`alert`]: who is told, and when.
//! - [`metrics`]: what it measures. Everything else over HTTP is the console's.
//! - [`window`]: times of the day in which something may be started.

mod alert;
pub(crate) mod beside;
mod cluster;
pub(crate) mod config;
mod host;
mod metrics;
mod pace;
pub(crate) mod stored;
mod window;
mod worker;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use corridor_console::Console;
use corridor_console::host::{Host, Seen};
use corridor_console::server::{self, Tls};
use corridor_limits::check::Report;
use corridor_pg::{Fault, Result};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use self::config::{Config, Flags, Sources, Stored};
use crate::command::{Context, DONE};
use crate::fault::RUNTIME;
use crate::interrupt::Interrupt;
use crate::output::Output;

/// How long the home cluster is waited for before the service goes on without what is kept there.
const HOME_MAX: Duration = Duration::from_secs(5);

/// The newest check of each cluster that this service checks.
type Reports = Arc<Mutex<BTreeMap<String, Arc<Report>>>>;

/// What the settings are made of.
#[derive(Clone)]
struct Basis {
    sources: Sources,
    stored: Stored,
}

/// What came of reading the settings again.
struct Renewed {
    changed: Vec<String>,
    /// It holds from a restart on.
    waiting: Vec<String>,
}

/// What all parts share.
pub(crate) struct Service {
    config: watch::Sender<Config>,
    basis: Mutex<Basis>,
    /// What was kept in the home cluster and does not hold; said once.
    unfit: Mutex<Option<Stored>>,
    reports: Reports,
    output: Arc<Output>,
    interrupt: Interrupt,
    /// What each cluster looked like last.
    seen: Mutex<BTreeMap<String, Arc<Seen>>>,
    /// Between two checks of a cluster.
    collect_every_s: u64,
}

impl Service {
    fn new(sources: Sources, config: Config, output: &Arc<Output>, interrupt: &Interrupt) -> Service {
        Service {
            config: watch::Sender::new(config),
            basis: Mutex::new(Basis {
                sources,
                stored: Stored::new(),
            }),
            unfit: Mutex::default(),
            reports: Reports::default(),
            output: Arc::clone(output),
            interrupt: interrupt.clone(),
            seen: Mutex::default(),
            collect_every_s: worker::COLLECT_EVERY_S,
        }
    }

    fn config(&self) -> Config {
        self.config.borrow().clone()
    }

    fn note(&self, cluster: &config::Cluster, seen: Seen) {
        if !self.config.borrow().clusters.contains(cluster) {
            // It was forgotten while it was looked at.
            return;
        }
        let mut all = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(cluster.name.clone(), Arc::new(seen));
    }

    fn forget(&self, cluster: &str) {
        let mut all = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        all.remove(cluster);
        self.forget_report(cluster);
    }

    fn seen(&self) -> BTreeMap<String, Arc<Seen>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn reports(&self) -> BTreeMap<String, Arc<Report>> {
        self.reports
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn forget_report(&self, cluster: &str) {
        let mut all = self.reports.lock().unwrap_or_else(PoisonError::into_inner);
        all.remove(cluster);
    }

    fn sources(&self) -> Sources {
        let basis = self.basis.lock().unwrap_or_else(PoisonError::into_inner);
        basis.sources.clone()
    }

    /// The first cluster: what concerns all of them is kept there.
    fn is_home(&self, cluster: &config::Cluster) -> bool {
        self.config.borrow().clusters.first() == Some(cluster)
    }

    /// Settles the settings anew; returns what has changed, and what waits for a restart. What makes no sense changes nothing.
    fn renew(&self, change: impl FnOnce(&mut Basis)) -> Result<Renewed> {
        let mut basis = self.basis.lock().unwrap_or_else(PoisonError::into_inner);
        let mut next = basis.clone();
        change(&mut next);
        let mut now = Config::read(&next.sources, &next.stored)?;
        let before = self.config();
        let waiting = now.hold_until_restart(&before);
        *basis = next;
        let changed = before.differences(&now);
        self.config.send_replace(now);
        Ok(Renewed { changed, waiting })
    }

    /// Holds what is kept in the home cluster, and says what that changes.
    fn take_stored(&self, stored: Stored) {
        let mut unfit = self.unfit.lock().unwrap_or_else(PoisonError::into_inner);
        let is_known = {
            let basis = self.basis.lock().unwrap_or_else(PoisonError::into_inner);
            basis.stored == stored
        };
        if is_known || unfit.as_ref() == Some(&stored) {
            return;
        }
        match self.renew(|basis| basis.stored = stored.clone()) {
            Ok(renewed) => {
                *unfit = None;
                for difference in renewed.changed {
                    self.output.say(&format!("setting {difference}"));
                }
            }
            Err(fault) => {
                self.output
                    .say(&format!("the settings stay as they are: {fault}"));
                *unfit = Some(stored);
            }
        }
    }

    /// As a command of this process would be given it.
    fn context(&self, database: Option<String>, interrupt: &Interrupt) -> Context {
        Context {
            output: Arc::clone(&self.output),
            interrupt: interrupt.clone(),
            database,
        }
    }
}

/// Serves until it is asked to leave; then the workers checkpoint.
pub(crate) async fn run(context: &Context, flags: &Flags) -> Result<u8> {
    let sources = Sources::load(flags)?;
    let config = Config::read(&sources, &Stored::new())?;
    let refused =
        |error: std::io::Error| Fault::new(&RUNTIME, format!("{}: {error}", config.listen)).caused_by(error);
    let listener = tokio::net::TcpListener::bind(config.listen)
        .await
        .map_err(refused)?;
    let address = listener.local_addr().map_err(refused)?;
    let tls = match &config.access.tls {
        Some((cert, key)) => Some(Arc::new(Tls::load(cert, key)?)),
        None => None,
    };
    let service = Arc::new(Service::new(sources, config, &context.output, &context.interrupt));
    let scheme = if tls.is_some() { "https" } else { "http" };
    service.output.say(&format!("listening on {scheme}://{address}"));
    ask_home(&service).await;
    let options = options(&service.config());
    let console = Console::new(
        Arc::clone(&service) as Arc<dyn Host>,
        options,
        context.interrupt.watch(),
    );
    let http = tokio::spawn(answer(listener, console, tls.clone()));
    let mut tasks: BTreeMap<String, (config::Cluster, JoinHandle<()>)> = BTreeMap::new();
    let mut leaving = Vec::new();
    let mut hangup = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup())
        .map_err(|error| Fault::new(&RUNTIME, format!("listening for signals: {error}")))?;
    loop {
        leaving.retain(|task: &JoinHandle<()>| !task.is_finished());
        leaving.extend(follow(&service, &mut tasks));
        tokio::select! {
            () = context.interrupt.wait() => break,
            _ = hangup.recv() => {
                reload(&service, flags);
                if let Some(tls) = &tls {
                    service.output.say(&match tls.reload() {
                        Ok(true) => "read the certificate anew: new connections are shown another one".to_owned(),
                        Ok(false) => "read the certificate anew: it is the same".to_owned(),
                        Err(fault) => format!("the certificate stays as it is: {fault}"),
                    });
                }
            }
        }
    }
    service.output.say("checkpointing, then leaving");
    for task in tasks.into_values().map(|(_, task)| task).chain(leaving) {
        if let Err(error) = task.await {
            tracing::warn!(%error, "the task of a cluster ended badly");
        }
    }
    // A client that never ends its request does not keep us.
    http.abort();
    Ok(DONE)
}

/// How people come in.
fn options(config: &Config) -> corridor_console::Options {
    let access = &config.access;
    corridor_console::Options {
        sign_in_hours: i32::try_from(access.sign_in_hours).unwrap_or(i32::MAX),
        proxy_header: access.proxy_header.clone(),
        proxy_from: access.proxy_from.clone(),
        is_secure: access.tls.is_some(),
    }
}

async fn answer(listener: tokio::net::TcpListener, console: Arc<Console>, tls: Option<Arc<Tls>>) {
    if let Err(error) = server::serve(listener, console, tls).await {
        tracing::warn!(%error, "the HTTP service ended");
    }
}

/// What is kept in the home cluster, before anything is begun. Without it the service goes on; its looks ask again.
async fn ask_home(service: &Service) {
    let Some(home) = service.config().clusters.into_iter().next() else {
        return;
    };
    let asked = tokio::time::timeout(HOME_MAX, stored::fetch(home.database.as_deref()));
    let why = match service.interrupt.or(asked).await {
        None => return,
        Some(Ok(Ok(stored))) => return service.take_stored(stored),
        Some(Ok(Err(fault))) => fault.to_string(),
        Some(Err(_)) => format!("no answer within {} s", HOME_MAX.as_secs()),
    };
    let name = home.name;
    service
        .output
        .say(&format!("what is kept in {name} is not known yet: {why}"));
}

/// One task for each cluster of the settings, and none for others. Returns those that were not wanted any more: they leave.
fn follow(
    service: &Arc<Service>,
    tasks: &mut BTreeMap<String, (config::Cluster, JoinHandle<()>)>,
) -> Vec<JoinHandle<()>> {
    let wanted = service.config().clusters;
    let gone: Vec<String> = tasks
        .iter()
        .filter(|(_, (cluster, task))| !wanted.contains(cluster) || task.is_finished())
        .map(|(name, _)| name.clone())
        .collect();
    let mut leaving = Vec::new();
    for name in gone {
        // It looks by itself whether its cluster is still wanted, and asks its workers to leave.
        service.forget(&name);
        leaving.extend(tasks.remove(&name).map(|(_, task)| task));
    }
    for cluster in wanted {
        if !tasks.contains_key(&cluster.name) {
            let task = tokio::spawn(cluster::watch(Arc::clone(service), cluster.clone()));
            tasks.insert(cluster.name.clone(), (cluster, task));
        }
    }
    leaving
}

/// SIGHUP: the settings again. What cannot be read changes nothing.
fn reload(service: &Service, flags: &Flags) {
    let renewed = Sources::load(flags).and_then(|sources| service.renew(|basis| basis.sources = sources));
    match renewed {
        Ok(Renewed { changed, waiting }) if changed.is_empty() && waiting.is_empty() => {
            service.output.say("read the settings again: none has changed");
        }
        Ok(Renewed { changed, waiting }) => {
            for difference in changed.into_iter().chain(waiting) {
                service.output.say(&format!("setting {difference}"));
            }
        }
        Err(fault) => service
            .output
            .say(&format!("the settings stay as they are: {fault}")),
    }
}
