//! The real binary against real servers.

// A test that cannot go on says so by panicking; one that takes long says how far it is.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

mod driver;
mod explain;
mod faults;
mod life;
mod migrations;
mod pgbench;
mod plan;
mod scale;
mod stage;
mod usage;
