//! The demo, in a binary of its own: it measures latencies, and other tests beside it would be measured too.

#![allow(clippy::unwrap_used, clippy::expect_used, dead_code)] // a test that cannot go on says so by panicking; the driver is shared

mod console;
#[path = "../it/driver.rs"]
mod driver;
mod incident;
mod incidents;
