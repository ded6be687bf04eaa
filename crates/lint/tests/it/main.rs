//! Lint against real servers.

mod facts;
mod measure;
