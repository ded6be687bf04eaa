//! A service in a process that does something else: the demo's console. It says nothing itself, and reads no settings but those
//! that it is given.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use corridor_console::Console;
use corridor_console::access::{self, Role, account};
use corridor_console::host::Host;
use corridor_migration::lease::this_process;
use corridor_migration::schema;
use corridor_pg::{ApplicationName, ConnectOptions, Fault, Result};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::config::{Config, Flags, Sources, Stored};
use super::{Service, answer, cluster, options};
use crate::fault::RUNTIME;
use crate::interrupt::Interrupt;
use crate::output::Output;

/// A show is short: its limits are looked at again and again.
const COLLECT_EVERY_S: u64 = 3;

/// It leaves when it is dropped; [`Beside::leave`] waits until it has.
pub(crate) struct Beside {
    service: Arc<Service>,
    url: String,
    address: SocketAddr,
    leave: watch::Sender<bool>,
    looking: JoinHandle<()>,
    http: JoinHandle<()>,
}

impl Beside {
    /// On a free port of this machine, for one cluster. It works nothing: whoever works there goes on.
    pub(crate) async fn start(interrupt: &Interrupt, url: &str) -> Result<Beside> {
        let sources = sources(url, 0);
        let config = Config::read(&sources, &Stored::new())?;
        let refused = |error: std::io::Error| {
            Fault::new(&RUNTIME, format!("the console's address: {error}")).caused_by(error)
        };
        let listener = tokio::net::TcpListener::bind(config.listen)
            .await
            .map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        let (leave, interrupt) = interrupt.branch();
        let output = Arc::new(Output::mute());
        let mut service = Service::new(sources, config, &output, &interrupt);
        service.collect_every_s = COLLECT_EVERY_S;
        let service = Arc::new(service);
        let host = Arc::clone(&service) as Arc<dyn Host>;
        let console = Console::new(host, options(&service.config()), interrupt.watch());
        let http = tokio::spawn(answer(listener, console, None));
        let looking = async {
            let home = service.config().clusters.into_iter().next();
            let home = home.ok_or_else(|| Fault::new(&RUNTIME, "the console has no cluster"))?;
            Ok::<_, Fault>(tokio::spawn(cluster::watch(Arc::clone(&service), home)))
        };
        Ok(Beside {
            looking: looking.await?,
            service,
            url: url.to_owned(),
            address,
            leave,
            http,
        })
    }

    /// Where it answers.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Makes an account that may do everything; returns its password.
    pub(crate) async fn invite(&self, name: &str) -> Result<String> {
        let connect = ConnectOptions::from_process(Some(&self.url))?;
        let mut session = connect.connect(&ApplicationName::new("control", "-")).await?;
        schema::ensure(&mut session).await?;
        let password = access::drawn_password()?;
        let by = this_process(connect.user());
        account::add(&mut session, name, Role::Admin, Some(&password), &by).await?;
        Ok(password)
    }

    /// Nobody else works there any more: it does from now on.
    pub(crate) fn take_over(&self) -> Result<()> {
        let sources = sources(&self.url, 4);
        self.service.renew(|basis| basis.sources = sources).map(drop)
    }

    /// Leaves, its workers at their checkpoints.
    pub(crate) async fn leave(self) {
        self.leave.send_replace(true);
        if let Err(error) = self.looking.await {
            tracing::warn!(%error, "the task of the console ended badly");
        }
        self.http.abort();
    }
}

fn sources(url: &str, workers: u32) -> Sources {
    let text = format!(
        "listen = \"127.0.0.1:0\"\nworkers = {workers}\n[[clusters]]\nname = \"demo\"\ndatabase = \"{url}\"\n"
    );
    Sources::of("the demo", &text, BTreeMap::new(), Flags::default())
}
