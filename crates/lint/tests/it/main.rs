//! Lint against real servers.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod facts;
mod live;
mod measure;
mod rehearsal;
mod rivals;
mod torn;
mod usage;
