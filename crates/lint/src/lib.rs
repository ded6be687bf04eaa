//! Is this schema change safe, here, now?
//!
//! - [`finding`]: what is said: which rule, which span, with which figures, and the safe way.
//!
//! **Invariant:** no rule says which lock a statement takes. It asks the facts, which are measured on real servers.

pub mod clickhouse;
pub mod finding;
