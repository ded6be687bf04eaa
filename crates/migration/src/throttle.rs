//! The throttle: named signals, their limits, and the decision to go on or to hold.
//!
//! Any one signal can hold the copy, none can force it. Catching up is not asked: a mirror that falls behind
//! only makes everything worse. Whoever asks [`decide`] gets the reasons, each with figure, limit and unit.
//!
//! Three things can be wrong with a signal, and they are not the same:
//!
//! - **above its limit**: hold.
//! - **failed** or **stale** (the query failed, timed out, or the last sample is too old): hold, because
//!   nobody knows. A throttle that fails open is none.
//! - **absent** (this server cannot tell: a missing privilege, a missing extension): said in a word, and passed
//!   over when the limit is only a default. A limit that a person has set is never passed over: hold.

mod sampler;
mod statements;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::Serialize;

use crate::setting::Unit;

pub use sampler::{Sampler, probe};

/// A named signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Signal {
    /// Greatest replay lag of a streaming replica. Source: `pg_stat_replication.replay_lag`; needs `pg_monitor`.
    ReplicaLagMs,
    /// Sessions of this database, ours left out, that wait for a heavyweight lock. Source: `pg_locks`.
    LockWaiters,
    /// Sessions, ours left out, that run a statement, per core. Source: `pg_stat_activity`; needs `pg_monitor` to
    /// see the sessions of other roles.
    ActivePerCore,
    /// Age of the oldest transaction, ours left out, prepared ones included. Source: `pg_stat_activity`,
    /// `pg_prepared_xacts`; needs `pg_monitor` to see the sessions of other roles.
    OldestTransactionS,
    /// WAL that the whole server wrote per second since the last sample. Source: `pg_current_wal_insert_lsn()`.
    WalBytesPerS,
    /// The most WAL that one replication slot retains. Source: `pg_replication_slots`.
    SlotRetainedBytes,
    /// Mean time of the application's statements since the last sample. Source: `pg_stat_statements`.
    StatementMeanMs,
    /// What the user's own query returned.
    Custom,
}

impl Signal {
    /// All of them.
    pub const ALL: [Signal; 8] = [
        Signal::ReplicaLagMs,
        Signal::LockWaiters,
        Signal::ActivePerCore,
        Signal::OldestTransactionS,
        Signal::WalBytesPerS,
        Signal::SlotRetainedBytes,
        Signal::StatementMeanMs,
        Signal::Custom,
    ];

    /// The name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Signal::ReplicaLagMs => "replica_lag_ms",
            Signal::LockWaiters => "lock_waiters",
            Signal::ActivePerCore => "active_per_core",
            Signal::OldestTransactionS => "oldest_transaction_s",
            Signal::WalBytesPerS => "wal_bytes_per_s",
            Signal::SlotRetainedBytes => "slot_retained_bytes",
            Signal::StatementMeanMs => "statement_mean_ms",
            Signal::Custom => "custom",
        }
    }

    /// The key of its limit among the settings.
    pub const fn key(self) -> &'static str {
        match self {
            Signal::ReplicaLagMs => "throttle.replica_lag_ms",
            Signal::LockWaiters => "throttle.lock_waiters",
            Signal::ActivePerCore => "throttle.active_per_core",
            Signal::OldestTransactionS => "throttle.oldest_transaction_s",
            Signal::WalBytesPerS => "throttle.wal_bytes_per_s",
            Signal::SlotRetainedBytes => "throttle.slot_retained_bytes",
            Signal::StatementMeanMs => "throttle.statement_mean_ms",
            Signal::Custom => "throttle.custom",
        }
    }

    /// The unit of figure and limit.
    pub const fn unit(self) -> Unit {
        match self {
            Signal::ReplicaLagMs | Signal::StatementMeanMs => Unit::Ms,
            Signal::LockWaiters | Signal::ActivePerCore | Signal::Custom => Unit::Number,
            Signal::OldestTransactionS => Unit::Seconds,
            Signal::WalBytesPerS => Unit::BytesPerSecond,
            Signal::SlotRetainedBytes => Unit::Bytes,
        }
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What one sample says of one signal.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Reading {
    /// A figure in the signal's unit.
    Measured {
        /// The figure.
        figure: f64,
    },
    /// This server cannot tell, or not yet.
    Absent {
        /// Why, and what would help.
        why: String,
    },
    /// It should have been measured, and could not be.
    Failed {
        /// What came back.
        why: String,
    },
}

/// What one sample says. A signal that is not in it was not asked for.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Readings {
    by_signal: BTreeMap<Signal, Reading>,
}

impl Readings {
    /// Adds or replaces one reading.
    pub fn put(&mut self, signal: Signal, reading: Reading) {
        self.by_signal.insert(signal, reading);
    }

    /// One reading.
    pub fn get(&self, signal: Signal) -> Option<&Reading> {
        self.by_signal.get(&signal)
    }

    /// All of them, in the order of [`Signal`].
    pub fn iter(&self) -> impl Iterator<Item = (Signal, &Reading)> {
        self.by_signal.iter().map(|(signal, reading)| (*signal, reading))
    }

    /// Every signal failed for the same reason (no connection).
    pub fn all_failed(why: &str) -> Self {
        let mut readings = Readings::default();
        for signal in Signal::ALL {
            readings.put(signal, Reading::Failed { why: why.to_owned() });
        }
        readings
    }
}

/// One limit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Limit {
    /// In the signal's unit. At the limit is still allowed.
    pub figure: f64,
    /// True when a person has set it; false for a default.
    pub is_explicit: bool,
}

/// The limits that are on.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Limits {
    by_signal: BTreeMap<Signal, Limit>,
}

impl Limits {
    /// Everything off.
    pub fn none() -> Self {
        Limits::default()
    }

    /// Turns one limit on.
    pub fn set(&mut self, signal: Signal, limit: Limit) {
        self.by_signal.insert(signal, limit);
    }

    /// One limit; `None` when it is off.
    pub fn get(&self, signal: Signal) -> Option<Limit> {
        self.by_signal.get(&signal).copied()
    }

    /// The limits that are on.
    pub fn iter(&self) -> impl Iterator<Item = (Signal, Limit)> {
        self.by_signal.iter().map(|(signal, limit)| (*signal, *limit))
    }

    /// Every limit lowered to `ratio` of itself, for the way back below it.
    fn lowered(&self, ratio: f64) -> Self {
        let by_signal = self
            .iter()
            .map(|(signal, limit)| {
                (
                    signal,
                    Limit {
                        figure: limit.figure * ratio,
                        ..limit
                    },
                )
            })
            .collect();
        Limits { by_signal }
    }
}

/// Why the copy holds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Reason {
    /// The signal.
    pub signal: Signal,
    /// Its figure; `None` when there is none.
    pub figure: Option<f64>,
    /// Its limit.
    pub limit: f64,
    /// The unit of both.
    pub unit: Unit,
    /// When there is no figure: why not.
    pub why: Option<String>,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = match self.unit.as_str() {
            "" => String::new(),
            unit => format!(" {unit}"),
        };
        match (self.figure, &self.why) {
            (Some(figure), _) => {
                write!(
                    f,
                    "{} is {}{unit}, limit {}{unit}",
                    self.signal,
                    Figure(figure),
                    Figure(self.limit)
                )
            }
            (None, Some(why)) => write!(
                f,
                "{} is not known: {why}; limit {}{unit}",
                self.signal,
                Figure(self.limit)
            ),
            (None, None) => write!(
                f,
                "{} is not known; limit {}{unit}",
                self.signal,
                Figure(self.limit)
            ),
        }
    }
}

/// A figure as a person reads it: whole when it is large, two decimals when it is small.
struct Figure(f64);

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.abs() >= 100.0 || self.0.fract() == 0.0 {
            write!(f, "{:.0}", self.0)
        } else {
            write!(f, "{:.2}", self.0)
        }
    }
}

/// The throttle's answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "leave", rename_all = "snake_case")]
pub enum Leave {
    /// Go on.
    Go,
    /// Hold, for every one of these reasons.
    Hold {
        /// At least one.
        reasons: Vec<Reason>,
    },
}

impl Leave {
    /// True when the copy may go on.
    pub fn is_go(&self) -> bool {
        matches!(self, Leave::Go)
    }
}

/// Decides from one sample of `age`, which may be at most `age_max` old.
pub fn decide(readings: &Readings, limits: &Limits, age: Duration, age_max: Duration) -> Leave {
    let mut reasons = Vec::new();
    for (signal, limit) in limits.iter() {
        let (figure, why) = if age > age_max {
            let why = format!("the last sample is {:.1} s old", age.as_secs_f64());
            (None, Some(why))
        } else {
            match readings.get(signal) {
                // Written so that NaN holds.
                Some(Reading::Measured { figure }) if *figure <= limit.figure => continue,
                Some(Reading::Measured { figure }) => (Some(*figure), None),
                Some(Reading::Absent { .. }) if !limit.is_explicit => continue,
                Some(Reading::Absent { why } | Reading::Failed { why }) => (None, Some(why.clone())),
                None => (None, Some("it was not measured".to_owned())),
            }
        };
        reasons.push(Reason {
            signal,
            figure,
            limit: limit.figure,
            unit: signal.unit(),
            why,
        });
    }
    if reasons.is_empty() {
        Leave::Go
    } else {
        Leave::Hold { reasons }
    }
}

/// How far below its limit a signal must fall before a hold ends.
const RELEASE_RATIO: f64 = 0.9;

/// Keeps a hold until every signal is clearly below its limit, or has been at or below it for a second, so that the copy does not
/// start and stop with every sample. Pure: the caller passes the time.
#[derive(Debug, Clone, Default)]
pub struct Hysteresis {
    /// The last hold, and since when the figures have been within their limits.
    held: Option<(Vec<Reason>, Option<Duration>)>,
}

impl Hysteresis {
    /// How long figures between the release ratio and the limit keep a hold.
    pub const GRACE: Duration = Duration::from_secs(1);

    /// As [`decide`]; `now` is the time since any fixed point.
    pub fn decide(
        &mut self,
        readings: &Readings,
        limits: &Limits,
        age: Duration,
        age_max: Duration,
        now: Duration,
    ) -> Leave {
        let leave = decide(readings, limits, age, age_max);
        if let Leave::Hold { reasons } = &leave {
            self.held = Some((reasons.clone(), None));
            return leave;
        }
        let Some((_, since)) = &mut self.held else {
            return Leave::Go;
        };
        let since = *since.get_or_insert(now);
        let near = decide(readings, &limits.lowered(RELEASE_RATIO), age, age_max);
        if near.is_go() || now.saturating_sub(since) >= Self::GRACE {
            self.held = None;
            return Leave::Go;
        }
        // Still the old reasons' signals, but with today's figures and the true limits.
        let Leave::Hold { mut reasons } = near else {
            return Leave::Go;
        };
        for reason in &mut reasons {
            if let Some(limit) = limits.get(reason.signal) {
                reason.limit = limit.figure;
            }
        }
        Leave::Hold { reasons }
    }
}

#[cfg(test)]
mod tests;
