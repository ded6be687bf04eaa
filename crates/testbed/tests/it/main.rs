//! The testbed on real servers.

mod cluster;
mod traffic;
