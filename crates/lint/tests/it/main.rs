//! Lint against real servers.

mod facts;
mod live;
mod measure;
mod rivals;
mod torn;
