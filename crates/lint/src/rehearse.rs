//! A file tried out on a clone of the schema, and what was seen there beside what was predicted.
//!
//! - [`clone`], [`statistics`], [`dump`]: a schema without its rows in another database, with what the planner knows of them.
//! - [`course`]: the files, statement by statement, in their transactions.
//! - [`observe`]: what the server shows of a statement. The facts are measured with the same.
//! - [`prediction`], [`catalogue`], [`compare`], [`boundary`]: plain data, and pure.
//! - [`report`]: what came of it, and the findings in it.
//!
//! **Invariant:** nothing here starts a process or a server: the binary does, and hands in sessions and dumps.
//! **Invariant:** a source is only read, in transactions that can only read.

pub mod boundary;
pub mod catalogue;
pub mod clone;
pub mod compare;
pub mod course;
pub mod dump;
pub mod observe;
pub mod prediction;
pub mod report;
pub mod statistics;

pub use report::{Cause, Played, RULES, State, Step, findings};
