//! The real binary against real servers.

// A test that cannot go on says so by panicking; one that takes long says how far it is.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

mod checking;
mod collecting;
mod console;
mod desk;
mod driver;
mod dump;
#[path = "../../../move/tests/it/dump_schema.rs"]
mod dump_schema;
mod durable;
mod explain;
mod faults;
mod hooks;
mod interface;
mod keeping;
mod life;
mod linting;
mod manual;
mod migrations;
mod monitoring;
mod orders;
mod own;
mod own_attack;
mod own_complaints;
mod own_operations;
mod own_ready;
mod own_restart;
mod own_rights;
mod own_silent;
mod own_trace;
mod own_waits;
mod partitioned;
mod pgbench;
mod plan;
mod pooler;
mod properties;
mod rehearsing;
mod roles;
mod rotation;
mod scale;
mod serving;
mod stage;
mod terminal;
mod usage;
mod wanted;
mod watching;
