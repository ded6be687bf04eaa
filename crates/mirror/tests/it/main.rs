//! The mirror on a real server: every known wrong way of the field, one test each, and random concurrency.

#![allow(clippy::unwrap_used, clippy::expect_used)] // a test that cannot go on says so by panicking

mod bench;
mod fencing;
mod keys;
mod mapping;
mod races;
mod random;
mod rotation;
mod truncates;
mod unfit;
mod unique;
mod verification;
