//! How often somebody may try to sign in: each failure of a name or of an address makes the next try wait.
//!
//! Kept in memory, bounded: it slows guessing down, and another service beside this one slows it down as well.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Failures that cost nothing: people mistype.
const FREE: u32 = 5;
/// The wait behind the first failure that costs; each further one doubles it.
const WAIT_FIRST: Duration = Duration::from_secs(2);
/// And at the most so long.
const WAIT_MAX: Duration = Duration::from_secs(15 * 60);
/// Failures are forgotten after so long.
const MEMORY: Duration = Duration::from_secs(60 * 60);
/// Names and addresses that are remembered. Beyond it the oldest are forgotten.
const KNOWN_MAX: usize = 10_000;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Who {
    Name(String),
    Address(IpAddr),
}

#[derive(Debug, Clone, Copy)]
struct Failures {
    count: u32,
    last: Instant,
}

impl Failures {
    fn wait(self) -> Duration {
        match self.count.checked_sub(FREE) {
            None | Some(0) => Duration::ZERO,
            Some(beyond) => (WAIT_FIRST * 2u32.saturating_pow((beyond - 1).min(16))).min(WAIT_MAX),
        }
    }
}

/// What was tried.
#[derive(Debug, Default)]
pub(crate) struct Attempts(Mutex<HashMap<Who, Failures>>);

impl Attempts {
    /// How long whoever tries has still to wait; zero when he may.
    pub(crate) fn wait(&self, name: &str, address: Option<IpAddr>, now: Instant) -> Duration {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let left = |who: &Who| {
            known.get(who).map_or(Duration::ZERO, |failures| {
                (failures.last + failures.wait()).saturating_duration_since(now)
            })
        };
        let by_address = address.map_or(Duration::ZERO, |address| left(&Who::Address(address)));
        left(&Who::Name(name.to_owned())).max(by_address)
    }

    /// A try failed.
    pub(crate) fn failed(&self, name: &str, address: Option<IpAddr>, now: Instant) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, failures| now.duration_since(failures.last) < MEMORY);
        let whos = [
            Some(Who::Name(name.chars().take(100).collect())),
            address.map(Who::Address),
        ];
        for who in whos.into_iter().flatten() {
            if known.len() >= KNOWN_MAX
                && !known.contains_key(&who)
                && let Some(oldest) = known
                    .iter()
                    .min_by_key(|(_, failures)| failures.last)
                    .map(|(who, _)| who.clone())
            {
                known.remove(&oldest);
            }
            let failures = known.entry(who).or_insert(Failures { count: 0, last: now });
            failures.count = failures.count.saturating_add(1);
            failures.last = now;
        }
    }

    /// Whoever came in is forgiven, by name. Of the address, which may be that of a whole office, only this try is.
    pub(crate) fn succeeded(&self, name: &str, address: Option<IpAddr>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.remove(&Who::Name(name.to_owned()));
        if let Some(failures) = address.and_then(|address| known.get_mut(&Who::Address(address))) {
            failures.count = failures.count.saturating_sub(1);
        }
    }

    /// A try that nobody could look at was none.
    pub(crate) fn forgotten(&self, name: &str, address: Option<IpAddr>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let whos = [Some(Who::Name(name.to_owned())), address.map(Who::Address)];
        for who in whos.into_iter().flatten() {
            if let Some(failures) = known.get_mut(&who) {
                failures.count = failures.count.saturating_sub(1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guessing_becomes_slow_by_name_and_by_address() {
        let (attempts, begun) = (Attempts::default(), Instant::now());
        let here = Some(IpAddr::from([127, 0, 0, 1]));
        for _ in 0..FREE {
            assert_eq!(attempts.wait("anna", here, begun), Duration::ZERO);
            attempts.failed("anna", here, begun);
        }
        assert_eq!(attempts.wait("anna", here, begun), Duration::ZERO);
        attempts.failed("anna", here, begun);
        assert_eq!(attempts.wait("anna", None, begun), WAIT_FIRST);
        assert_eq!(
            attempts.wait("otto", here, begun),
            WAIT_FIRST,
            "another name from there"
        );
        assert_eq!(attempts.wait("otto", None, begun), Duration::ZERO);
        attempts.failed("anna", here, begun);
        assert_eq!(attempts.wait("anna", None, begun), WAIT_FIRST * 2);
        assert_eq!(
            attempts.wait("anna", None, begun + WAIT_FIRST * 2),
            Duration::ZERO
        );
        for _ in 0..40 {
            attempts.failed("anna", here, begun);
        }
        assert_eq!(attempts.wait("anna", None, begun), WAIT_MAX);
        attempts.succeeded("anna", None);
        assert_eq!(attempts.wait("anna", None, begun), Duration::ZERO);
    }

    #[test]
    fn who_signs_in_often_locks_nobody_out() {
        let (attempts, now) = (Attempts::default(), Instant::now());
        let office = Some(IpAddr::from([127, 0, 0, 1]));
        for _ in 0..50 {
            attempts.failed("anna", office, now);
            attempts.succeeded("anna", office);
            attempts.failed("otto", office, now);
            attempts.forgotten("otto", office);
        }
        assert_eq!(attempts.wait("vera", office, now), Duration::ZERO);
        assert_eq!(attempts.wait("otto", None, now), Duration::ZERO);
    }

    #[test]
    fn it_remembers_no_more_than_it_has_room_for() {
        let (attempts, begun) = (Attempts::default(), Instant::now());
        for n in 0..KNOWN_MAX + 50 {
            attempts.failed(&format!("n{n}"), None, begun + Duration::from_millis(n as u64));
        }
        assert_eq!(attempts.0.lock().unwrap().len(), KNOWN_MAX);
        attempts.failed("late", None, begun + MEMORY * 2);
        assert_eq!(attempts.0.lock().unwrap().len(), 1);
    }
}
