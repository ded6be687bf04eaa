//! The testbed on real servers.

mod cluster;
