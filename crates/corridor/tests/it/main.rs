//! The real binary against real servers.

#![allow(clippy::unwrap_used, clippy::expect_used)] // a test that cannot go on says so by panicking

mod demo;
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
