//! The console: web pages and the HTTP interface of the service.
//!
//! Everything that can be seen or asked for on the command line can be seen or asked for here, by people and programs that
//! have an account. The room has no state that matters: accounts, sign-ins and what was asked for are rows of the schema
//! `corridor`, so several services answer beside each other.
//!
//! - [`host`]: what the process that serves knows and can do; the binary implements it.
//! - [`access`]: accounts, roles, sign-ins, tokens; who a request comes from.
//! - `read`: what is asked of the databases, over a few connections, once for all who ask at the same time.
//!
//! **Invariant:** this room carries nothing out. It leaves orders as rows, and a worker takes them; what a page says of a
//! state was read from the database.
//! **Invariant:** what may be done is decided on the server, by one table of routes; a page that hides a button is only polite.

pub mod access;
pub mod fault;
pub mod host;

mod read;

use std::sync::Arc;

/// What all handlers share.
pub struct Console {
    host: Arc<dyn host::Host>,
    reader: read::Reader,
}
