//! The testbed on real servers.

mod cluster;
mod faults;
mod toast;
mod traffic;
