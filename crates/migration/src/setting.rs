//! Every setting of a migration, in one table: key, kind, range, default, meaning.
//!
//! Settings are kept as text, as a person typed them (in the unit of the setting), and can be changed while a
//! worker runs: it reads them again with every sample of the throttle.

mod resolved;
mod value;

use serde::Serialize;

pub use resolved::Settings;
pub(crate) use value::time_with_unit_ms;
pub use value::{definition, normalise};

/// What a number counts; the unit that a bare number has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// A plain number.
    Number,
    /// Milliseconds; `5s`, `30min` and `2h` are understood too.
    Ms,
    /// Seconds; `500ms`, `30min` and `2h` are understood too.
    Seconds,
    /// Bytes; `64kB`, `16MiB`, `10GiB` are understood too (1024 to the next, as PostgreSQL counts).
    Bytes,
    /// Bytes per second; sizes as for bytes.
    BytesPerSecond,
}

impl Unit {
    /// Behind a figure.
    pub const fn as_str(self) -> &'static str {
        match self {
            Unit::Number => "",
            Unit::Ms => "ms",
            Unit::Seconds => "s",
            Unit::Bytes => "bytes",
            Unit::BytesPerSecond => "bytes/s",
        }
    }
}

/// What a value may be.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Kind {
    /// A whole number between two bounds.
    Whole {
        /// Least.
        min: u64,
        /// Most.
        max: u64,
        /// Unit of a bare number.
        unit: Unit,
    },
    /// A number between two bounds.
    Figure {
        /// Least.
        min: f64,
        /// Most.
        max: f64,
        /// Unit of a bare number.
        unit: Unit,
    },
    /// A limit of the throttle: a number from 0, or `off`.
    Limit {
        /// Unit of a bare number.
        unit: Unit,
    },
    /// A number between two bounds, or `auto`.
    Auto {
        /// Least.
        min: f64,
        /// Most.
        max: f64,
    },
    /// `on` or `off`.
    Switch,
    /// One SQL query, at most 10,000 bytes; may be empty.
    Query,
}

/// One setting.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Definition {
    /// The key, as `corridor set NAME key=value` takes it.
    pub key: &'static str,
    /// What a value may be.
    pub kind: Kind,
    /// What holds when nobody has set it.
    pub default: &'static str,
    /// What it does, and why the default is what it is.
    pub doc: &'static str,
}

const fn whole(
    key: &'static str,
    min: u64,
    max: u64,
    unit: Unit,
    default: &'static str,
    doc: &'static str,
) -> Definition {
    Definition {
        key,
        kind: Kind::Whole { min, max, unit },
        default,
        doc,
    }
}

const fn limit(key: &'static str, unit: Unit, default: &'static str, doc: &'static str) -> Definition {
    Definition {
        key,
        kind: Kind::Limit { unit },
        default,
        doc,
    }
}

/// All settings, sorted by key.
pub static DEFINITIONS: &[Definition] = &[
    whole(
        "chunk.max_bytes",
        65_536,
        1 << 30,
        Unit::Bytes,
        "16777216",
        "Most bytes of one chunk. Bounds memory and the burst of WAL of one transaction.",
    ),
    whole(
        "chunk.target_ms",
        10,
        60_000,
        Unit::Ms,
        "500",
        "How long one chunk should take. Short enough that a pause, a lock or a throttle is felt within a second.",
    ),
    whole(
        "cutover.attempts",
        1,
        100_000,
        Unit::Number,
        "100",
        "How often the swap is tried before the migration waits for a person again.",
    ),
    Definition {
        key: "cutover.auto",
        kind: Kind::Switch,
        default: "off",
        doc: "Cut over as soon as everything is copied, verified and in step, without waiting for `cutover`.",
    },
    whole(
        "cutover.lock_budget_ms",
        1,
        10_000,
        Unit::Ms,
        "100",
        "How long one attempt at the swap may wait for its locks. Everyone who comes to the table meanwhile waits \
         behind it, so this is the longest pause that the application can feel before Corridor steps back.",
    ),
    whole(
        "lanes",
        1,
        256,
        Unit::Number,
        "8",
        "Into how many disjoint key ranges the copy is cut when it begins. More lanes than workers keep all \
         workers busy when rows are spread unevenly.",
    ),
    whole(
        "lease.ttl_ms",
        1_000,
        300_000,
        Unit::Ms,
        "10000",
        "How long a worker may be silent before another one may take over. It beats four times in that time.",
    ),
    whole(
        "log.slot_max_bytes",
        65_536,
        1 << 40,
        Unit::Bytes,
        "8388608",
        "At this size of its rows a slot of the change log is full; the log goes on in another one, and the full one is \
         truncated as soon as it is empty. Some 100,000 changes by default: what a round then has to read past stays \
         within milliseconds. Each turn replaces the three capture functions (an event trigger of yours sees it). Set it high \
         to leave the log to vacuum.",
    ),
    Definition {
        key: "nice",
        kind: Kind::Figure {
            min: 0.0,
            max: 1.0,
            unit: Unit::Number,
        },
        default: "0",
        doc: "Sleep per unit of work: 0 works without a pause, 0.5 sleeps half as long as each chunk took, 1 as long.",
    },
    limit(
        "throttle.active_per_core",
        Unit::Number,
        "4",
        "Hold while more sessions of the application run a statement than this many per core of the server. At \
         four per core they already queue for the processor.",
    ),
    Definition {
        key: "throttle.cores",
        kind: Kind::Auto {
            min: 1.0,
            max: 4_096.0,
        },
        default: "auto",
        doc: "Cores of the server. A server does not tell: `auto` takes the cores of this machine when the server \
              is on it, else 4. Set it for a remote server.",
    },
    limit(
        "throttle.custom",
        Unit::Number,
        "off",
        "Hold while the number that `throttle.custom.query` returns is above this.",
    ),
    Definition {
        key: "throttle.custom.query",
        kind: Kind::Query,
        default: "",
        doc: "A query that returns one number. Runs once per sample, read-only, within one second, with \
              search_path = pg_catalog: qualify names.",
    },
    whole(
        "throttle.interval_ms",
        100,
        60_000,
        Unit::Ms,
        "1000",
        "Time between two samples. Readings older than five intervals count as failed.",
    ),
    limit(
        "throttle.lock_waiters",
        Unit::Number,
        "10",
        "Hold while more sessions of this database, ours left out, wait for heavyweight locks. A few waiters are \
         normal; more than ten at once are a pile-up that Corridor must not add to.",
    ),
    limit(
        "throttle.oldest_transaction_s",
        Unit::Seconds,
        "off",
        "Hold while the oldest transaction, ours left out, is older. Off, because a nightly dump would stop the \
         copy for hours; set it where long transactions mean trouble, for example 1800.",
    ),
    limit(
        "throttle.replica_lag_ms",
        Unit::Ms,
        "5000",
        "Hold while a replica replays more than this behind. Five seconds are above the noise of a checkpoint, and \
         below what users of a read replica notice.",
    ),
    limit(
        "throttle.slot_retained_bytes",
        Unit::Bytes,
        "10737418240",
        "Hold while a replication slot retains more WAL than this: the disk fills up by what Corridor writes while \
         its consumer is behind. 10 GiB by default.",
    ),
    limit(
        "throttle.statement_mean_ms",
        Unit::Ms,
        "off",
        "Hold while the application's statements took longer on average in the last interval (pg_stat_statements). \
         Off, because only you know what is healthy: set it to about twice the usual figure.",
    ),
    limit(
        "throttle.wal_bytes_per_s",
        Unit::BytesPerSecond,
        "off",
        "Hold while the server writes more WAL than this, from all sessions. Off, because the healthy rate \
         depends on disks and archive; lag and slots already guard its consequences.",
    ),
    whole(
        "workers",
        1,
        32,
        Unit::Number,
        "2",
        "How many chunks are copied at the same time, each in a session of its own.",
    ),
];

#[cfg(test)]
mod tests;
