//! The console: web pages and the HTTP interface of the service.
//!
//! Everything that can be seen or asked for on the command line can be seen or asked for here, by people and programs that
//! have an account. The room has no state that matters: accounts, sign-ins and what was asked for are rows of the schema
//! `corridor`, so several services answer beside each other.
//!
//! - [`host`]: what the process that serves knows and can do; the binary implements it.
//! - [`access`]: accounts, roles, sign-ins, tokens; who a request comes from.
//! - `read`: what is asked of the databases, over a few connections, once for all who ask at the same time.
//! - [`page`]: what a signed-in person sees, one file for each page; `live`: the same while it changes.
//!
//! **Invariant:** this room carries nothing out. It leaves orders as rows, and a worker takes them; what a page says of a
//! state was read from the database.
//! **Invariant:** what may be done is decided on the server, by one table of routes; a page that hides a button is only polite.

pub mod access;
pub mod fault;
pub mod host;
pub mod page;

mod live;
mod read;

use std::sync::Arc;

use corridor_pg::{Fault, Result};
use tokio::sync::watch;

/// What all handlers share.
pub struct Console {
    host: Arc<dyn host::Host>,
    reader: Arc<read::Reader>,
    live: live::Topics,
    /// Becomes true when the process shuts down: streams end then, or its server would wait for them for ever.
    leaving: watch::Receiver<bool>,
}

impl Console {
    /// A console of this host; `leaving` becomes true when the process shuts down.
    pub fn new(host: Arc<dyn host::Host>, leaving: watch::Receiver<bool>) -> Console {
        Console {
            host,
            reader: Arc::default(),
            live: live::Topics::default(),
            leaving,
        }
    }

    /// The cluster of this name, as it looked last.
    pub(crate) fn cluster(&self, name: &str) -> Result<host::Cluster> {
        let found = self
            .host
            .clusters()
            .into_iter()
            .find(|cluster| cluster.name == name);
        found.ok_or_else(|| {
            Fault::new(
                &fault::NO_SUCH_PAGE,
                format!("no cluster {name:?} in the settings"),
            )
        })
    }

    /// Pages that are asked for from now on see what has just been changed on this cluster.
    pub fn has_changed(&self, cluster: &str) {
        self.reader.forget(cluster);
    }
}
