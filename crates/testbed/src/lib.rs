//! What Corridor is tested and shown on: throwaway PostgreSQL clusters.
//!
//! - [`servers`]: which PostgreSQL majors this machine has.
//! - [`cluster`]: a cluster of one of them, in a directory of its own, that ends with the process that started it.
//! - [`replica`]: a hot standby that follows such a cluster.
//! - [`traffic`]: clients that write all the time and keep a ledger of what was acknowledged.
//! - [`faults`]: connections that are cut at the worst instant, processes that are killed.
//! - [`browser`]: a Chromium that looks at pages as a person would.
//! - [`toast`]: an incident to flee from: a TOAST relation whose ids run out near the counter.
//!
//! Everything here is real: a real server, real crashes. Nothing is mocked.
//!
//! **Invariant:** this room knows no other room of Corridor. What it says about a table it found out by itself, so
//! that a fault in Corridor cannot hide in its own test.
//!
//! **Trap:** a [`Cluster`] belongs to the process, not to a runtime: every test may have its own runtime and share
//! one cluster. A [`tokio_postgres::Client`] belongs to the runtime that made it.

pub mod browser;
mod checkpoint;
pub mod cluster;
pub mod error;
pub mod faults;
mod guardian;
pub mod oid_counter;
pub mod pooler;
pub mod prometheus;
pub mod replica;
mod server;
pub mod servers;
mod system;
pub mod toast;
pub mod traffic;

pub use browser::{Browser, Key};
pub use cluster::{Auth, Cluster, ClusterOptions, Database, Mode};
pub use error::{Error, Result};
pub use pooler::{PoolMode, Pooler};
pub use prometheus::Prometheus;
pub use replica::Replica;
pub use servers::{Installation, Servers};
