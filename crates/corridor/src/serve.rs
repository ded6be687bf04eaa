//! The service: workers for migrations that nobody works, what is due by itself, alerts, and an HTTP address that tells.
//!
//! It has no state of its own. What is to be done stands in the databases, and who does it is a lease there; so several
//! services may run beside each other and beside people who type commands, and any of them may be killed.
//!
//! - [`config`]: settings and where each came from.
//! - [`cluster`]: what is looked at again and again, one task for each cluster.
//! - [`worker`]: one migration on a thread of its own.
//! - [`alert`]: who is told, and when.
//! - [`http`]: health, readiness, metrics, the gate, what migrations there are.
//! - [`window`]: times of the day in which something may be started.

mod alert;
mod cluster;
pub(crate) mod config;
mod http;
mod window;
mod worker;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use corridor_pg::{Fault, Result};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use self::cluster::Seen;
use self::config::{Config, Flags};
use crate::command::{Context, DONE};
use crate::fault::RUNTIME;
use crate::interrupt::Interrupt;
use crate::output::Output;

/// What all parts share.
pub(crate) struct Service {
    config: watch::Sender<Config>,
    output: Arc<Output>,
    interrupt: Interrupt,
    /// What each cluster looked like last.
    seen: Mutex<BTreeMap<String, Seen>>,
}

impl Service {
    fn config(&self) -> Config {
        self.config.borrow().clone()
    }

    fn note(&self, cluster: &config::Cluster, seen: Seen) {
        if !self.config.borrow().clusters.contains(cluster) {
            // It was forgotten while it was looked at.
            return;
        }
        let mut all = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(cluster.name.clone(), seen);
    }

    fn forget(&self, cluster: &str) {
        let mut all = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        all.remove(cluster);
    }

    fn seen(&self) -> BTreeMap<String, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
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
    let config = Config::load(flags)?;
    let refused =
        |error: std::io::Error| Fault::new(&RUNTIME, format!("{}: {error}", config.listen)).caused_by(error);
    let listener = tokio::net::TcpListener::bind(config.listen)
        .await
        .map_err(refused)?;
    let address = listener.local_addr().map_err(refused)?;
    let service = Arc::new(Service {
        config: watch::Sender::new(config),
        output: Arc::clone(&context.output),
        interrupt: context.interrupt.clone(),
        seen: Mutex::default(),
    });
    service.output.say(&format!("listening on http://{address}"));
    let http = tokio::spawn(http::serve(listener, Arc::clone(&service)));
    let mut tasks: BTreeMap<String, (config::Cluster, JoinHandle<()>)> = BTreeMap::new();
    let mut leaving = Vec::new();
    let mut hangup = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup())
        .map_err(|error| Fault::new(&RUNTIME, format!("listening for signals: {error}")))?;
    loop {
        leaving.retain(|task: &JoinHandle<()>| !task.is_finished());
        leaving.extend(follow(&service, &mut tasks));
        tokio::select! {
            () = context.interrupt.wait() => break,
            _ = hangup.recv() => reload(&service, flags),
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
    let now = match Config::load(flags) {
        Ok(now) => now,
        Err(fault) => {
            service
                .output
                .say(&format!("the settings stay as they are: {fault}"));
            return;
        }
    };
    let before = service.config();
    let differences = before.differences(&now);
    if differences.is_empty() {
        service.output.say("read the settings again: nothing has changed");
    }
    for difference in differences {
        service.output.say(&format!("setting {difference}"));
    }
    if before.listen != now.listen {
        service.output.say("another address to listen on needs a restart");
    }
    service.config.send_replace(now);
}
