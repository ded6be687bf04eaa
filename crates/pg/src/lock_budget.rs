//! Waiting for locks within a budget: the application wins.
//!
//! A session that waits for a strong lock makes everybody behind it wait too, so the time that it may wait is what the
//! application can bear, not what we would like. [`lock_tables`] waits at most its budget *in total*; when that is not
//! enough the transaction is rolled back, [`holders`] says who stood in the way, and the next try comes after one of
//! [`LockBudget::pauses`].
//!
//! Traps: `lock_timeout` counts anew for each lock, and `lock table` on a partitioned table takes one lock per partition.
//! So the statement as a whole is bounded too, by `statement_timeout`. And `lock_timeout = 0` means *for ever*: when no
//! time is left, the lock is taken with `nowait`.

mod holder;
mod mode;

use std::time::{Duration, Instant};

use tokio_postgres::Transaction;

pub use holder::{Holder, blockers, holders};
pub use mode::LockMode;

use crate::fault::{CANCELLED, Fault, FaultContext, LOCK_TIMEOUT, Result};
use crate::ident::{Literal, QualifiedName};

/// How long to wait for a lock, how often to try, and how long to leave the application alone in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LockBudget {
    /// How long one try may wait, all its locks together. 100 ms: below what a person notices.
    pub wait_ms_max: u32,
    /// The shortest pause between two tries.
    pub pause_ms_min: u32,
    /// The longest pause between two tries.
    pub pause_ms_max: u32,
    /// After so many tries it is given up.
    pub attempts_max: u32,
}

impl Default for LockBudget {
    /// 100 ms per try; 30 tries in about three and a half minutes.
    fn default() -> Self {
        LockBudget {
            wait_ms_max: 100,
            pause_ms_min: 250,
            pause_ms_max: 10_000,
            attempts_max: 30,
        }
    }
}

impl LockBudget {
    /// The pauses between the tries, one fewer than tries: doubling up to the longest, each shortened by up to a half at
    /// random (never below the shortest), so that two who wait for each other do not keep step.
    pub fn pauses(&self, seed: u64) -> impl Iterator<Item = Duration> + use<> {
        let mut random = fastrand::Rng::with_seed(seed);
        let shortest = u64::from(self.pause_ms_min);
        let longest = u64::from(self.pause_ms_max).max(shortest);
        let mut full = shortest;
        (1..self.attempts_max).map(move |_| {
            full = full.saturating_mul(2).min(longest);
            Duration::from_millis(random.u64((full / 2).max(shortest)..=full))
        })
    }
}

/// Locks the tables of `wanted` in the given order, waiting at most `budget_ms` in total.
///
/// Fails with `PG-009` when that is not enough; the message names the table that was not free. The transaction must then
/// be rolled back, which gives the locks taken so far free again. The timeouts that were in force are in force again
/// after each lock.
///
/// Locks: what `wanted` says, on each table and on its partitions and children (as `lock table` does).
pub async fn lock_tables(
    tx: &Transaction<'_>,
    wanted: &[(QualifiedName, LockMode)],
    budget_ms: u32,
) -> Result<()> {
    let row = tx
        .query_one(include_str!("../sql/lock/timeouts.sql"), &[])
        .await
        .doing(|| "reading the timeouts in force")?;
    let restore = format!(
        "set local lock_timeout = {}; set local statement_timeout = {}",
        Literal(row.get("lock_timeout")),
        Literal(row.get("statement_timeout")),
    );
    let budget = Duration::from_millis(u64::from(budget_ms));
    let start = Instant::now();
    for (table, mode) in wanted {
        let left = budget.saturating_sub(start.elapsed());
        let left_ms = left.as_millis();
        let take = match left_ms {
            0 => format!("lock table {table} in {mode} mode nowait"),
            _ => format!(
                "set local lock_timeout = {left_ms}; set local statement_timeout = {left_ms}; \
                 lock table {table} in {mode} mode"
            ),
        };
        let asked = Instant::now();
        // One message: giving the timeouts back costs no round trip under the lock.
        tx.batch_execute(&format!("{take}; {restore}"))
            .await
            .map_err(|error| {
                let fault = Fault::from_driver(error);
                let is_ours = asked.elapsed().as_millis() >= left_ms;
                let is_late =
                    fault.code().id == LOCK_TIMEOUT.id || (fault.code().id == CANCELLED.id && is_ours);
                match is_late {
                    true => {
                        let detail =
                            format!("{mode} on {table}: {left_ms} ms of {budget_ms} ms were left for it");
                        Fault::new(&LOCK_TIMEOUT, detail).caused_by(fault)
                    }
                    false => fault.doing(format!("locking {table} in {mode} mode")),
                }
            })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_are_one_fewer_than_tries_and_stay_within_their_limits() {
        let budget = LockBudget::default();
        let pauses: Vec<_> = budget.pauses(7).collect();
        assert_eq!(pauses.len(), 29);
        assert!(pauses.iter().all(|p| (250..=10_000).contains(&p.as_millis())));
        assert!(pauses[28] >= Duration::from_secs(5), "they grow");
        assert_eq!(pauses, budget.pauses(7).collect::<Vec<_>>());
        assert_ne!(pauses, budget.pauses(8).collect::<Vec<_>>());
    }

    #[test]
    fn odd_limits_do_no_harm() {
        let budget = |pause_ms_min, pause_ms_max, attempts_max| LockBudget {
            wait_ms_max: 1,
            pause_ms_min,
            pause_ms_max,
            attempts_max,
        };
        assert_eq!(budget(0, 0, 3).pauses(1).count(), 2);
        assert_eq!(
            budget(9, 1, 2).pauses(1).collect::<Vec<_>>(),
            [Duration::from_millis(9)]
        );
        assert_eq!(budget(1, u32::MAX, 0).pauses(1).count(), 0);
        assert_eq!(budget(u32::MAX, u32::MAX, 2).pauses(1).count(), 1);
    }
}
