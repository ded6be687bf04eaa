//! Carrying a plan out: the worker.
//!
//! One process works on one migration at a time; the lease says which. Inside it:
//!
//! | task | connection | does |
//! |---|---|---|
//! | heart | `heart` | says that the worker lives |
//! | `guard` | `control`, `throttle` | takes requests and settings; measures whether the copy may go on |
//! | `vigil` | `vigil` | finds connections that have gone silent, and ends them |
//! | `apply` | `apply`, `observe` | keeps the target in step, never throttled |
//! | `crew` | `copy`, `verify` | copies or compares, one connection a lane |
//! | `course` | `control` | goes from state to state, and starts the others |
//!
//! Tasks end at checkpoints between transactions, never in the middle of one: a transaction that is abandoned may still
//! commit on the server, and a new refresh must not begin before that is certain (see `seat`).

pub(crate) mod answer;
pub(crate) mod apply;
pub(crate) mod busy;
pub(crate) mod course;
pub(crate) mod crew;
pub(crate) mod deck;
pub(crate) mod fallback;
pub mod fault;
pub mod gauge;
pub(crate) mod guard;
pub mod owner;
pub(crate) mod prepare;
pub(crate) mod proof;
pub mod report;
pub(crate) mod retire;
pub(crate) mod seat;
pub(crate) mod stop;
pub(crate) mod swap;
pub mod verdict;
pub(crate) mod vigil;
mod worker;

pub use corridor_migration::{Order, Outcome};
pub(crate) use deck::mirrors;
pub use fault::RUN_CODES;
pub use report::{Deaf, Progress, Watcher};
pub use worker::{StoredMove, Wish, carry_out, carry_out_asked, carry_out_because, plan, store};

/// The operations of a move, in their order.
pub const OPERATIONS: [&str; 8] = [
    "prepare",
    "copy",
    "index",
    "constrain",
    "verify",
    "cutover",
    "hold",
    "finish",
];
