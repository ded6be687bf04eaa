//! Moves on real servers: what is carried, and the whole life of a move under live traffic.
#![allow(clippy::unwrap_used, clippy::expect_used)] // a test that cannot go on says so by panicking

mod carry_check;
mod carry_comment;
mod carry_default;
mod carry_everything;
mod carry_foreign_key;
mod carry_generated;
mod carry_grant;
mod carry_identity;
mod carry_index;
mod carry_not_null;
mod carry_owner;
mod carry_reloption;
mod carry_sequence;
mod carry_storage;
mod carry_trigger;
mod carry_unique;
mod carry_view;
mod catalog;
mod preflight;
mod refused;
mod run_faults;
mod run_journey;
mod run_life;
mod scene;
