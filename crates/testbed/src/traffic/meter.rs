//! How fast the traffic goes: latencies per second, errors by code.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use serde::Serialize;

/// Seconds that are kept one by one; older ones are forgotten.
const SECONDS_KEPT: usize = 3600;
/// Parts that each doubling of the latency is divided into: a quantile is right within 6 %.
const PARTS: u64 = 16;
const PARTS_LOG2: u32 = PARTS.ilog2();
const BUCKETS: usize = 600;

/// Latencies in buckets whose width grows with the latency.
#[derive(Debug, Clone)]
pub struct Histogram {
    counts: Vec<u32>,
    total: u64,
    max_us: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Histogram {
            counts: vec![0; BUCKETS],
            total: 0,
            max_us: 0,
        }
    }
}

impl Histogram {
    /// Counts one latency.
    pub fn record(&mut self, latency: Duration) {
        let us = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        if let Some(count) = self.counts.get_mut(bucket(us)) {
            *count = count.saturating_add(1);
        }
        self.total += 1;
        self.max_us = self.max_us.max(us);
    }

    /// Adds all of another one.
    pub fn merge(&mut self, other: &Histogram) {
        for (mine, theirs) in self.counts.iter_mut().zip(&other.counts) {
            *mine = mine.saturating_add(*theirs);
        }
        self.total += other.total;
        self.max_us = self.max_us.max(other.max_us);
    }

    /// How many were counted.
    pub fn count(&self) -> u64 {
        self.total
    }

    /// The largest, exactly. 0 when there is none.
    pub fn max_us(&self) -> u64 {
        self.max_us
    }

    /// The latency that the share `q` (0 to 1) stays at or below, within 6 %. 0 when there is none.
    pub fn quantile_us(&self, q: f64) -> u64 {
        let wanted = ((self.total as f64 * q).ceil() as u64).max(1);
        let mut seen = 0;
        for (i, count) in self.counts.iter().enumerate() {
            seen += u64::from(*count);
            if seen >= wanted {
                return upper_bound_us(i).min(self.max_us);
            }
        }
        self.max_us
    }
}

fn bucket(us: u64) -> usize {
    if us < PARTS {
        return us as usize;
    }
    let doublings = us.ilog2() - PARTS_LOG2;
    let part = (us >> doublings) - PARTS;
    let at = u64::from(doublings + 1) * PARTS + part;
    (at as usize).min(BUCKETS - 1)
}

fn upper_bound_us(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < PARTS {
        return bucket;
    }
    let doublings = bucket / PARTS - 1;
    ((PARTS + bucket % PARTS + 1) << doublings) - 1
}

/// One second of traffic.
#[derive(Debug, Clone, Default)]
struct Second {
    number: u64,
    writes: Histogram,
    reads: Histogram,
    errors: u64,
}

/// Errors of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ErrorCount {
    /// How many.
    pub count: u64,
    /// What the first one said.
    pub first_message: String,
    /// When the first one came, since the traffic started.
    pub first_ms: u64,
}

/// How the traffic went over a stretch of time. A write is one transaction that was acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Summary {
    /// The stretch, in whole seconds that traffic was measured in.
    pub seconds: u64,
    /// Acknowledged transactions that wrote.
    pub writes: u64,
    /// Answered reads.
    pub reads: u64,
    /// Errors of all kinds.
    pub errors: u64,
    /// Writes per second.
    pub writes_per_s: f64,
    /// Half of the writes took at most this long.
    pub write_p50_ms: f64,
    /// Of 100 writes, 99 took at most this long.
    pub write_p99_ms: f64,
    /// The slowest write.
    pub write_max_ms: f64,
    /// Half of the reads took at most this long.
    pub read_p50_ms: f64,
    /// Of 100 reads, 99 took at most this long.
    pub read_p99_ms: f64,
}

/// Collects. Seconds are counted from `started`.
#[derive(Debug)]
pub(crate) struct Meter {
    started: Instant,
    seconds: VecDeque<Second>,
    pub(crate) writes: u64,
    pub(crate) reads: u64,
    pub(crate) errors: BTreeMap<String, ErrorCount>,
}

impl Meter {
    pub(crate) fn new(started: Instant) -> Meter {
        Meter {
            started,
            seconds: VecDeque::new(),
            writes: 0,
            reads: 0,
            errors: BTreeMap::new(),
        }
    }

    fn second_of(&self, at: Instant) -> u64 {
        at.saturating_duration_since(self.started).as_secs()
    }

    fn second(&mut self, at: Instant) -> Option<&mut Second> {
        let number = self.second_of(at);
        if self.seconds.back().is_none_or(|s| s.number < number) {
            self.seconds.push_back(Second {
                number,
                ..Second::default()
            });
            if self.seconds.len() > SECONDS_KEPT {
                self.seconds.pop_front();
            }
        }
        self.seconds.back_mut()
    }

    pub(crate) fn record(&mut self, at: Instant, latency: Duration, is_read: bool) {
        if is_read {
            self.reads += 1;
        } else {
            self.writes += 1;
        }
        if let Some(second) = self.second(at) {
            match is_read {
                true => second.reads.record(latency),
                false => second.writes.record(latency),
            }
        }
    }

    pub(crate) fn record_error(&mut self, at: Instant, code: &str, message: &str) {
        let first_ms = at.saturating_duration_since(self.started).as_millis() as u64;
        self.errors
            .entry(code.to_owned())
            .and_modify(|e| e.count += 1)
            .or_insert_with(|| ErrorCount {
                count: 1,
                first_message: message.to_owned(),
                first_ms,
            });
        if let Some(second) = self.second(at) {
            second.errors += 1;
        }
    }

    /// The whole seconds that begin in `from..to`.
    pub(crate) fn summary(&self, from: Instant, to: Instant) -> Summary {
        let (from, to) = (self.second_of(from), self.second_of(to));
        let mut writes = Histogram::default();
        let mut reads = Histogram::default();
        let mut errors = 0;
        for second in self.seconds.iter().filter(|s| (from..to).contains(&s.number)) {
            writes.merge(&second.writes);
            reads.merge(&second.reads);
            errors += second.errors;
        }
        let seconds = to - from.min(to);
        let ms = |us: u64| us as f64 / 1000.0;
        Summary {
            seconds,
            writes: writes.count(),
            reads: reads.count(),
            errors,
            writes_per_s: writes.count() as f64 / seconds.max(1) as f64,
            write_p50_ms: ms(writes.quantile_us(0.5)),
            write_p99_ms: ms(writes.quantile_us(0.99)),
            write_max_ms: ms(writes.max_us()),
            read_p50_ms: ms(reads.quantile_us(0.5)),
            read_p99_ms: ms(reads.quantile_us(0.99)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_right_within_six_percent() {
        let mut histogram = Histogram::default();
        for us in 1..=100_000 {
            histogram.record(Duration::from_micros(us));
        }
        for (q, exact) in [(0.5, 50_000.0), (0.99, 99_000.0), (1.0, 100_000.0)] {
            let found = histogram.quantile_us(q) as f64;
            assert!((exact..=exact * 1.0625).contains(&found), "{q}: {found}");
        }
        assert_eq!(histogram.max_us(), 100_000);
        assert_eq!(Histogram::default().quantile_us(0.5), 0);
    }

    #[test]
    fn buckets_join_without_a_gap() {
        let mut last = 0;
        for us in 0..1_000_000 {
            let b = bucket(us);
            assert!(b == last || b == last + 1, "{us}");
            assert!(us <= upper_bound_us(b), "{us}");
            last = b;
        }
        assert!(bucket(u64::MAX) < BUCKETS);
    }

    #[test]
    fn a_summary_takes_the_seconds_it_was_asked_for() {
        let start = Instant::now();
        let mut meter = Meter::new(start);
        for second in 0..4 {
            meter.record(
                start + Duration::from_millis(second * 1000 + 5),
                Duration::from_millis(second + 1),
                false,
            );
        }
        meter.record_error(start + Duration::from_secs(5), "40001", "no luck");
        let summary = meter.summary(start + Duration::from_secs(1), start + Duration::from_secs(3));
        assert_eq!((summary.writes, summary.errors, summary.seconds), (2, 0, 2));
        assert_eq!(summary.write_max_ms, 3.0);
        assert_eq!(meter.errors["40001"].first_ms, 5000);
    }
}
