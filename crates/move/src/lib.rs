//! From a wanted shape to a plan, and from a plan to a table that lives in the new shape.
//!
//! - [`shape`]: what the user wants, read from the command line.
//! - [`preflight`]: the thin rim: reads the table, privileges, boundaries and offending rows.
//! - [`mod@plan`]: the pure core: everything that was read goes in, a [`plan::MovePlan`] comes out.
//! - [`carry`]: one kind of object that hangs on a table, one file: how it gets to the new table and back.
//! - [`names`]: every name that the move gives or lends, decided in one place.
//! - [`estimate`]: disk and WAL, by formulas that are shown.
//!
//! **Invariant:** planning does not talk to the server, reads no clock and draws no random number.

pub mod carry;
pub mod estimate;
pub mod fault;
pub mod names;
pub mod plan;
pub mod preflight;
pub mod run;
pub mod shape;

pub use plan::MovePlan;
pub use shape::Shape;
