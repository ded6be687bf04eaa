//! Durable migrations: the engine that keeps week-long work safe from everything that happens in a week.
//!
//! A **migration** is a named, frozen plan of **operations**. Its state lives in the schema `corridor` of the
//! database that it changes, and is written in the same transaction as the data that it describes. This room
//! knows nothing of what an operation *does*: it keeps who may do it, what has been done, and what a person may
//! ask for next.
//!
//! - [`schema`]: the tables, made in versioned steps.
//! - [`state`] and [`mod@step`]: the states, and the one pure function that leads from one to the next.
//! - [`operation`]: the states of one operation of the plan.
//! - [`store`]: create, load, list; transitions inside the caller's transaction; journal, requests, settings.
//! - [`lease`] and [`heart`]: who works on it. An epoch that is *held*, not only read; a heartbeat beside it.
//! - [`order`] and [`errand`]: what is asked of a worker; an order that is left with one that lives.
//! - [`setting`]: every setting in one table: key, range, default, meaning.
//! - [`definition`]: a person's own migration as data: files, parameters, every rule that needs no server.
//! - [`gate`]: which migrations stand in the way of a version of the application; `examples/gate.rs` asks it of files.
//! - [`throttle`]: named signals, their limits, and the pure decision to go on or to hold.
//! - [`words`]: how things are said to a person, on a terminal and on a page.
//! - [`status`]: everything that a person wants to know about one migration, from one snapshot.
//!
//! # Why two workers never both write
//!
//! 1. Each writing transaction holds the lease row `for share` at the worker's epoch
//!    ([`corridor_pg::fence`]). It fails at once when the epoch has moved on.
//! 2. Taking over *updates* the lease row. It waits for every transaction that holds the row at the old epoch,
//!    or ends those backends; afterwards no transaction of the old epoch can begin to write, and none is left.
//! 3. Both are row locks of the server, so they need no session state and work through a transaction pooler.
//!
//! The heartbeat says only when it is *polite* to take over. Clocks, pauses of a process and lost packets can
//! make a living worker look dead; then it loses its lease, its transactions fail with `PG-019`, and no row is
//! lost or written twice.
//!
//! # Traps
//!
//! - Write nothing without [`Lease::fence`](lease::Lease) held in the same transaction.
//! - [`store::apply`] locks the migration's row until the transaction ends: do it late, commit soon.
//! - After an answer that was lost (a commit that may or may not have happened), take the lease again before
//!   looking: only then has the old transaction ended for certain.
//!
//! **Invariant:** this room knows only `corridor-pg`; it names no table of the user.

pub mod data;
pub mod definition;
pub mod errand;
pub mod fault;
pub mod gate;
pub mod heart;
pub mod lease;
pub mod name;
pub mod operation;
pub mod order;
pub mod schema;
pub mod setting;
pub mod silence;
pub mod state;
pub mod status;
pub mod step;
pub mod store;
pub mod throttle;
pub mod words;

pub use fault::CODES;
pub use heart::{Heart, Pulse, Vitals};
pub use lease::Lease;
pub use name::Name;
pub use operation::OperationState;
pub use order::{Order, Outcome};
pub use state::{Course, Side, State, StateName, Swap, Wait};
pub use step::{Action, Event, Refusal, Verb, step};
