//! The testbed on real servers.

mod cluster;
mod faults;
mod replica;
mod toast;
mod traffic;
