//! The console on real servers, asked over HTTP as browsers and programs ask.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)] // a test that cannot go on says so by panicking

mod access;
mod house;
mod pages;
mod prepared;
mod stage;

/// Waits until it has come true, looking again every 50 ms; a cache holds an answer for two seconds.
pub(crate) async fn until(mut is_true: impl AsyncFnMut() -> bool) {
    for _ in 0..200 {
        if is_true().await {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("never true");
}
