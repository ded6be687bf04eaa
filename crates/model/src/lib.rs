//! The protocol of a move as a model, and a checker that goes through every order of events.
//!
//! A test on a real server takes one order of events, or some thousands of random ones. This crate takes *all* of them, in
//! a world that is small enough: two or three keys, one to three lanes' worth of chunks, a handful of writes, a fault or
//! two. It is for whoever changes the protocol, and for whoever does not believe it. Nothing of it is in the binary.
//!
//! # What the world consists of
//!
//! | module | holds |
//! |---|---|
//! | [`database`] | a small PostgreSQL: rows, locks, snapshots, transactions that become visible at one instant |
//! | [`application`] | writers: insert, update, delete and insert again, key change, exchange of unique values, truncate |
//! | [`copier`] | look, claim, read, insert, ledger, commit: each a step |
//! | [`applier`] | rounds: snapshot, judgement and refresh, commit: each a step; the replay of a truncate |
//! | [`course`] | verification, the swap in both directions, the look-up after a lost answer, the ends |
//! | [`world`] | lost connections whose commit may still happen, dead workers, workers that come back, a server that dies |
//! | [`protocol`] | the list of what can happen, and the properties |
//! | [`setup`] | a bounded world, and the ways to break the protocol on purpose |
//! | [`story`] | going through a setup; a counterexample as a story |
//!
//! Three decisions are not modelled but called, in the product's own code: what a round does with a change
//! ([`corridor_mirror::judgement::fate`]), what a swap's lost answer means
//! ([`corridor_move::run::owner::after_lost_answer`]), and the way from state to state ([`corridor_migration::step()`] and
//! [`corridor_migration::step::duties`]).
//!
//! # What is shown
//!
//! In every state that can be reached: the table that has the name holds exactly what was committed
//! ([`protocol::NOTHING_LOST`]); a copied key that differs has a pending change, and a key that is not copied is not in the
//! target ([`protocol::EXPLAINED`]); no chunk meets its own rows, no swap is out of place ([`protocol::NO_ACCIDENT`]). In every
//! end: nothing is missing and nothing is there that should not be ([`protocol::WHOLE`]). And from every state an end can
//! be reached without any further fault ([`story::every_state_can_end`]).
//!
//! Each [`setup::WrongWay`] breaks one of these, and the test prints the shortest story in which it does.
//!
//! # Traps
//!
//! - A property that holds in a small world may fail in a larger one. What speaks against it: nothing in the protocol
//!   counts beyond two, every key is judged by itself, and each wrong way shows with one or two keys.
//! - The model is not the product. What it assumes of the product's SQL is held together by the tests on real servers.
//! - `every_state_can_end` says that a way exists, not that it is taken: retries that lose every race for ever are not
//!   excluded, by no protocol with locks that give up.

pub mod application;
pub mod applier;
pub mod copier;
pub mod course;
pub mod database;
pub mod protocol;
pub mod reader;
pub mod setup;
pub mod story;
pub mod world;
