//! Connecting to a server that goes away and comes back.

use std::time::{Duration, Instant};

use crate::conninfo::ConnectOptions;
use crate::fault::{CANNOT_CONNECT, Fault, Result, Retry};
use crate::session::{ApplicationName, Session};

/// The first pause. A restart with nothing to recover takes a few of these.
const PAUSE_FIRST: Duration = Duration::from_millis(100);

/// The longest pause: a server that is back is noticed soon, and one that is down is not flooded.
const PAUSE_MAX: Duration = Duration::from_secs(5);

impl ConnectOptions {
    /// Connects, and tries again until `deadline` (counted from now) while the server is away.
    ///
    /// Before each pause `on_wait` is told why and for how long. A refused login, a missing database, failing TLS and an
    /// unsupported version are never tried again. When the time is up, the last fault comes back.
    pub async fn connect_with_retry(
        &self,
        name: &ApplicationName,
        deadline: Duration,
        mut on_wait: impl FnMut(&Fault, Duration),
    ) -> Result<Session> {
        let end = Instant::now() + deadline;
        let mut last: Option<Fault> = None;
        for pause in pauses(fastrand::u64(..)) {
            let left = end.saturating_duration_since(Instant::now());
            let fault = match tokio::time::timeout(left, self.connect(name)).await {
                Ok(Ok(session)) => return Ok(session),
                Ok(Err(fault)) => fault,
                Err(_) => {
                    let why = format!("no answer until the deadline of {} s", deadline.as_secs_f64());
                    return Err(last.unwrap_or_else(|| Fault::new(&CANNOT_CONNECT, why)));
                }
            };
            let left = end.saturating_duration_since(Instant::now());
            if fault.code().retry == Retry::Never || left < PAUSE_FIRST {
                return Err(fault);
            }
            // The last pause is cut, so that the last try falls just before the deadline and not far before it.
            let pause = pause.min(left.mul_f64(0.9));
            on_wait(&fault, pause);
            last = Some(fault);
            tokio::time::sleep(pause).await;
        }
        // The pauses never end; this is what the compiler asks for.
        Err(last.unwrap_or_else(|| Fault::new(&CANNOT_CONNECT, "never tried")))
    }
}

/// Doubling pauses, each shortened by up to a half at random, so that many workers do not come back in step.
fn pauses(seed: u64) -> impl Iterator<Item = Duration> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut full = PAUSE_FIRST;
    std::iter::from_fn(move || {
        let pause = full.mul_f64(1.0 - random.f64() / 2.0);
        full = (full * 2).min(PAUSE_MAX);
        Some(pause)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_limit_and_differ() {
        let first: Vec<_> = pauses(1).take(12).collect();
        assert!(first[0] >= PAUSE_FIRST / 2 && first[0] <= PAUSE_FIRST);
        assert!(first.iter().all(|p| *p <= PAUSE_MAX));
        assert!(first[11] >= PAUSE_MAX / 2);
        assert_eq!(first, pauses(1).take(12).collect::<Vec<_>>());
        assert_ne!(first, pauses(2).take(12).collect::<Vec<_>>());
    }
}
