//! The limits of the engine: how near they are, what drives them, how many days are left, and the right way out.
//!
//! ```text
//!  server ──probe──▶ facts ──┬──samples──▶ corridor.sample ──past──┐
//!                            │                                     ▼
//!                            └──────────────judge (pure)◀──── forecast (pure)
//!                                              │
//!                                           finding ◀──walk── tree (data)
//! ```
//!
//! - [`probe`]: one file for each group of limits. Each has *facts* (what was read, plain data), the *samples* that are
//!   kept of them, and *judge*, a pure function from facts and past to findings.
//! - [`reader`]: the session that probes read through: time-boxed, read-only, without a lock that a writer could wait for;
//!   what it may not see it says in a word ([`Degraded`]).
//! - [`metric`]: what is measured: name, unit, meaning, each once. History, OpenMetrics, alert rules and the dashboard
//!   are made from it.
//! - [`sample`]: the past, in `corridor.sample`; [`collector`]: who keeps it; [`forecast`]: growth and [`Runway`], pure.
//! - [`tree`]: from facts to one recommended way, as data, with the facts that chose it and the ways that were rejected.
//! - [`alert`]: when somebody is told of it.
//! - [`finding`]: what comes out. [`check`] runs all of it. [`apply`] does what is one safe statement, when told to.
//!
//! **Invariant:** arithmetic is pure. No function but those that take a [`reader::Reader`] or a session talks to a
//! server; clock and random numbers are handed in.
//! **Invariant:** a check writes nothing; only [`apply`] changes something, and only what its plan has shown. Samples are written by the collector, into the schema `corridor` alone.
//! **Invariant:** no probe reads more pages of a relation than a constant says, whatever the relation's size.

pub mod alert;
pub mod apply;
pub mod check;
pub mod collector;
pub mod exposition;
pub mod fault;
pub mod finding;
pub mod forecast;
pub mod metric;
pub mod probe;
pub mod reader;
pub mod sample;
pub mod tree;

pub use finding::{Advice, Fact, Finding, Rejected, Remedy, Severity};
pub use forecast::Runway;
pub use metric::{Kind, Metric, Unit};
pub use reader::Degraded;
pub use sample::{Past, Point, Sample};
