//! Lint against real servers.

mod facts;
mod live;
mod measure;
