//! The real binary against real servers.

mod driver;
mod explain;
mod faults;
mod migrations;
mod usage;
