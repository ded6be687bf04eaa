//! The console: web pages and the HTTP interface of the service.
//!
//! Everything that can be seen or asked for on the command line can be seen or asked for here, by people and programs that
//! have an account. The room has no state that matters: accounts, sign-ins and what was asked for are rows of the schema
//! `corridor`, so several services answer beside each other.
//!
//! - [`host`]: what the process that serves knows and can do; the binary implements it.
//! - [`access`]: accounts, roles, sign-ins, tokens; who a request comes from.
//! - [`route`]: every address in one table, with who may use it.
//! - `page`, `post`: for people: pages, one file each, and the forms on them; `live`: the same while it changes.
//! - `api`: for programs.
//! - `act`: what is asked for, left as a row and answered.
//! - `home`: the database that accounts are in.
//! - [`server`]: the socket, TLS.
//! - `read`: what is asked of the databases, over a few connections, once for all who ask at the same time.
//!
//! **Invariant:** this room carries nothing out. It leaves orders as rows, and a worker takes them; what a page says of a
//! state was read from the database.
//! **Invariant:** what may be done is decided on the server, by one table of routes; a page that hides a button is only polite.

pub mod access;
mod act;
mod api;
pub mod fault;
mod home;
pub mod host;
mod live;
mod page;
mod post;
mod read;
mod refusal;
pub mod route;
pub mod server;

use std::net::IpAddr;
use std::sync::Arc;

use corridor_pg::near::{did_you_mean, near};
use corridor_pg::{Fault, Result};
use tokio::sync::{Semaphore, watch};

/// Connections of programs and orders at a time, over all clusters.
const VISITS_MAX: usize = 8;

/// What all handlers share.
pub struct Console {
    host: Arc<dyn host::Host>,
    reader: Arc<read::Reader>,
    live: live::Topics,
    home: home::Home,
    attempts: access::Attempts,
    failures: access::Failures,
    /// Connections that programs and orders have at a time; the application needs its own.
    visits: Arc<Semaphore>,
    options: Options,
    /// Becomes true when the process shuts down: streams end then, or its server would wait for them for ever.
    leaving: watch::Receiver<bool>,
}

/// How people come in.
#[derive(Debug, Clone)]
pub struct Options {
    /// How long a sign-in lasts.
    pub sign_in_hours: i32,
    /// The header in which a trusted proxy names the account; `None`: no proxy is trusted.
    pub proxy_header: Option<String>,
    /// Who is trusted to send it.
    pub proxy_from: Vec<IpAddr>,
    /// People come over TLS: cookies are never sent without.
    pub is_secure: bool,
}

impl Console {
    /// Ready to answer; `leaving` becomes true when the process shuts down.
    pub fn new(host: Arc<dyn host::Host>, options: Options, leaving: watch::Receiver<bool>) -> Arc<Console> {
        Arc::new(Console {
            host,
            reader: Arc::default(),
            live: live::Topics::default(),
            home: home::Home::default(),
            attempts: access::Attempts::default(),
            failures: access::Failures::default(),
            visits: Arc::new(Semaphore::new(VISITS_MAX)),
            options,
            leaving,
        })
    }

    /// The cluster of this name, as it looked last. `CON-019`.
    pub(crate) fn cluster(&self, name: &str) -> Result<host::Cluster> {
        let clusters = self.host.clusters();
        let known = clusters.iter().map(|cluster| cluster.name.as_str());
        let suggestions = did_you_mean(&near(name, known));
        let missing = Fault::new(&fault::NO_SUCH_CLUSTER, format!("{name}{suggestions}"));
        clusters
            .into_iter()
            .find(|cluster| cluster.name == name)
            .ok_or(missing)
    }
}
