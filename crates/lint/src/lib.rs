//! Is this schema change safe, here, now?
//!
//! - [`script`], [`parse`], [`ir`]: a file into statements with spans.
//! - [`finding`]: what is said: which rule, which span, with which figures, and the safe way.
//! - [`rehearse`]: a file tried out on a clone, and what was observed beside what was predicted.
//!
//! **Invariant:** no rule says which lock a statement takes. It asks the facts, which are measured on real servers.

pub mod baseline;
pub mod clickhouse;
pub mod config;
pub mod evidence;
pub mod facts;
pub mod fault;
pub mod finding;
pub mod ir;
pub mod judge;
pub mod mend;
pub mod parse;
pub mod plan;
pub mod policy;
pub mod rehearse;
pub mod rules;
pub mod script;
pub mod session;
pub mod source;
pub mod threads;
pub mod usage;
pub mod world;
