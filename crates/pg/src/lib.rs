//! PostgreSQL as Corridor sees it.
//!
//! This room is the floor that every other room stands on:
//!
//! - [`ident`]: names and literals; the only way that text gets into dynamic SQL.
//! - [`fault`]: one error type with a stable code and the two failure facts; one table of codes per room.
//! - [`conninfo`], [`connect`](mod@connect) and [`session`]: connections made as libpq makes them.
//! - [`fence`]: the row lock that proves that a writing transaction still owns its work.
//! - [`failpoint`](mod@failpoint): ending the process at a durable step, in tests.
//! - [`lock_budget`]: waiting for a lock within a budget, stepping back, trying again.
//! - [`near`](mod@near): what a person may have meant with a name that does not exist.
//! - [`catalog`]: a table and everything that hangs on it, read as plain data.
//!
//! **Invariant:** this room knows nothing of moves, mirrors or migrations.

pub mod catalog;
pub mod connect;
pub mod conninfo;
pub mod failpoint;
pub mod fault;
pub mod fence;
pub mod ident;
pub mod lock_budget;
pub mod near;
pub mod session;
pub mod value;

pub use connect::{Canceller, Severer};
pub use conninfo::ConnectOptions;
pub use fault::{Code, Exit, Fault, FaultContext, Result, Retry};
pub use ident::{Ident, Literal, QualifiedName};
pub use lock_budget::{Holder, LockBudget, LockMode};
pub use session::{ApplicationName, Isolation, Session};
pub use value::{Lsn, Oid, Snapshot, Xid};
