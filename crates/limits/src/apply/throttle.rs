//! How fast the counter may be moved: as fast as the application's writes do not feel it.
//!
//! [`Watch`] measures: a small write of its own while a step runs (what the step costs), the age of the application's
//! writes, the sessions that wait for the counter. [`Throttle`] decides, and is pure: what has become worse than it was
//! before the first step makes the steps shorter and the pauses longer. When it is as bad during the pauses, it is not our
//! doing: then that becomes the measure, within a minute, so that the way goes on.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use corridor_pg::{FaultContext, Result, Session};

use crate::probe::words::{grouped, seconds};

/// Ids in one step: about 50 ms.
pub(super) const STEP: u64 = 50_000;
/// And in the shortest.
const STEP_MIN: u64 = 2_000;
const PAUSE_MIN: Duration = Duration::from_millis(20);
const PAUSE_MAX: Duration = Duration::from_secs(2);
/// Small writes while a step runs.
const WRITES_APART: Duration = Duration::from_millis(20);
/// Looks before the first step, which say what is usual.
const LOOKS_BEFORE: usize = 10;
/// A small write may take twice as long as before, and this.
const WRITE_MARGIN_MS: f64 = 10.0;
/// The application's slowest write three times as long, and this: it is looked at once a step, so that it jumps about.
const SLOWEST_MARGIN_MS: f64 = 100.0;
/// So many more sessions may wait for the counter.
const WAITING_MARGIN: f64 = 2.0;
/// So many looks without a sign, and the way is free.
const WELL: u32 = 4;
/// After pauses of so long in all, what is seen in them counts for two thirds of what is usual.
const LEARN_S: f64 = 60.0;

/// What writes feel.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Reading {
    /// A small write of our own, the median.
    pub(super) write_ms: f64,
    /// The oldest of the application's short writes that are at work.
    pub(super) slowest_ms: f64,
    /// Sessions that wait for the counter.
    pub(super) waiting: f64,
}

/// What comes after a step.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Pause {
    /// How long.
    pub(super) length: Duration,
    /// Why it is longer than usual; `None`: it is not.
    pub(super) why: Option<String>,
}

/// The pace. Pure.
#[derive(Debug)]
pub(super) struct Throttle {
    usual: Reading,
    step: u64,
    holds: u32,
    /// Readings without a sign since the last one that had one.
    well: u32,
    /// That sign.
    last: String,
}

impl Throttle {
    pub(super) fn new(before: Reading) -> Self {
        Throttle {
            usual: before,
            step: STEP,
            holds: 0,
            well: 0,
            last: String::new(),
        }
    }

    /// Ids in the next step.
    pub(super) fn step(&self) -> u64 {
        self.step
    }

    /// What has become worse, if anything has.
    fn worse(&self, now: &Reading) -> Option<String> {
        let usual = &self.usual;
        let ms = |ms: f64| match ms {
            ms if ms < 10.0 => format!("{ms:.1} ms"),
            ms => seconds(ms / 1_000.0),
        };
        if now.write_ms > 2.0 * usual.write_ms + WRITE_MARGIN_MS {
            let (now, usual) = (ms(now.write_ms), ms(usual.write_ms));
            return Some(format!("a small write takes {now}, {usual} are usual"));
        }
        if now.slowest_ms > 3.0 * usual.slowest_ms + SLOWEST_MARGIN_MS {
            let (now, usual) = (ms(now.slowest_ms), ms(usual.slowest_ms));
            return Some(format!(
                "the application's slowest write is at work for {now}, {usual} are usual"
            ));
        }
        (now.waiting > usual.waiting + WAITING_MARGIN)
            .then(|| format!("{} sessions wait for the counter", grouped(now.waiting)))
    }

    /// After a step that took so long, with what was seen meanwhile.
    pub(super) fn after(&mut self, now: &Reading, took: Duration) -> Pause {
        match self.worse(now) {
            Some(why) => {
                self.holds = (self.holds + 1).min(8);
                self.step = (self.step / 2).max(STEP_MIN);
                self.well = 0;
                self.last.clone_from(&why);
                self.pause(took, Some(why))
            }
            None if self.holds == 0 => self.pause(took, None),
            // A look may fall between two slow writes.
            None if self.well + 1 < WELL => {
                self.well += 1;
                self.pause(took, Some(format!("a moment ago {}", self.last)))
            }
            None => {
                self.holds -= 1;
                self.step = (self.step * 2).min(STEP);
                self.pause(took, None)
            }
        }
    }

    fn pause(&self, took: Duration, why: Option<String>) -> Pause {
        let longer = took.max(PAUSE_MIN) * 2u32.pow(self.holds);
        let length = match why {
            Some(_) => longer.min(PAUSE_MAX),
            None => took,
        };
        Pause { length, why }
    }

    /// What was seen at the end of a pause of that length: it is not our doing.
    pub(super) fn learn(&mut self, quiet: &Reading, pause: Duration) {
        let weight = 1.0 - (-pause.as_secs_f64() / LEARN_S).exp();
        let toward = |usual: f64, seen: f64| usual + weight * (seen - usual);
        self.usual = Reading {
            write_ms: toward(self.usual.write_ms, quiet.write_ms),
            slowest_ms: toward(self.usual.slowest_ms, quiet.slowest_ms),
            waiting: toward(self.usual.waiting, quiet.waiting),
        };
    }
}

/// Measures, on a session of its own.
#[derive(Debug)]
pub(super) struct Watch {
    session: Session,
}

impl Watch {
    pub(super) fn new(session: Session) -> Self {
        Watch { session }
    }

    async fn small_write_ms(&self) -> Result<f64> {
        let begun = Instant::now();
        self.session
            .query_one(include_str!("../../sql/apply/small_write.sql"), &[])
            .await
            .doing(|| "measuring a small write")?;
        Ok(begun.elapsed().as_secs_f64() * 1_000.0)
    }

    /// One look.
    pub(super) async fn look(&self) -> Result<Reading> {
        let write_ms = self.small_write_ms().await?;
        self.reading(vec![write_ms]).await
    }

    async fn reading(&self, mut writes_ms: Vec<f64>) -> Result<Reading> {
        let row = self
            .session
            .query_one(include_str!("../../sql/apply/writers.sql"), &[])
            .await
            .doing(|| "looking at the application's writes")?;
        Ok(Reading {
            write_ms: median(&mut writes_ms),
            slowest_ms: row.get("slowest_ms"),
            waiting: row.get("waiting"),
        })
    }

    /// What is usual: before the first step.
    pub(super) async fn before(&self) -> Result<Reading> {
        let (mut writes_ms, mut usual) = (Vec::new(), Reading::default());
        for _ in 0..LOOKS_BEFORE {
            let seen = self.look().await?;
            writes_ms.push(seen.write_ms);
            usual.slowest_ms = usual.slowest_ms.max(seen.slowest_ms);
            usual.waiting = usual.waiting.max(seen.waiting);
            tokio::time::sleep(WRITES_APART).await;
        }
        usual.write_ms = median(&mut writes_ms);
        Ok(usual)
    }

    /// What is seen while a step runs.
    pub(super) async fn during(&self, step: impl Future<Output = Result<()>>) -> Result<Reading> {
        let is_done = AtomicBool::new(false);
        let step = async {
            let done = step.await;
            is_done.store(true, Ordering::Relaxed);
            done
        };
        let look = async {
            let mut writes_ms = Vec::new();
            loop {
                writes_ms.push(self.small_write_ms().await?);
                if is_done.load(Ordering::Relaxed) {
                    break;
                }
                tokio::time::sleep(WRITES_APART).await;
            }
            self.reading(writes_ms).await
        };
        let (done, seen) = tokio::join!(step, look);
        done?;
        seen
    }
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOOK: Duration = Duration::from_millis(50);

    fn usual() -> Reading {
        Reading {
            write_ms: 2.0,
            slowest_ms: 10.0,
            waiting: 1.0,
        }
    }

    #[test]
    fn nothing_worse_is_a_pause_as_long_as_the_step() {
        let mut throttle = Throttle::new(usual());
        let small = Reading {
            write_ms: 14.0,
            slowest_ms: 130.0,
            waiting: 3.0,
        };
        let pause = throttle.after(&small, TOOK);
        assert_eq!((pause.length, pause.why), (TOOK, None));
        assert_eq!(throttle.step(), STEP);
    }

    #[test]
    fn each_sign_makes_it_slower_and_says_why() {
        let signs = [
            (
                Reading {
                    write_ms: 14.2,
                    ..usual()
                },
                "a small write takes 14 ms, 2.0 ms are usual",
            ),
            (
                Reading {
                    slowest_ms: 400.0,
                    ..usual()
                },
                "the application's slowest write is at work for 400 ms, 10 ms are usual",
            ),
            (
                Reading {
                    waiting: 3.5,
                    ..usual()
                },
                "4 sessions wait for the counter",
            ),
        ];
        for (bad, said) in signs {
            let mut throttle = Throttle::new(usual());
            let pause = throttle.after(&bad, TOOK);
            assert_eq!(pause.why.as_deref(), Some(said));
            assert_eq!((pause.length, throttle.step()), (TOOK * 2, STEP / 2));
            for _ in 0..10 {
                throttle.after(&bad, TOOK);
            }
            let longest = throttle.after(&bad, TOOK);
            assert_eq!((longest.length, throttle.step()), (PAUSE_MAX, STEP_MIN));
            // One good look may be luck; after four it is better again: back to full pace, step by step.
            for _ in 0..3 {
                let pause = throttle.after(&usual(), TOOK);
                assert_eq!(pause.why, Some(format!("a moment ago {said}")));
                assert_eq!((pause.length, throttle.step()), (PAUSE_MAX, STEP_MIN));
            }
            let pause = throttle.after(&usual(), TOOK);
            assert_eq!(
                (pause.length, pause.why, throttle.step()),
                (TOOK, None, 2 * STEP_MIN)
            );
        }
    }

    /// Slow for another reason: it is so in the pauses too, and in the end the way goes on.
    #[test]
    fn what_is_as_bad_without_us_does_not_hold_for_ever() {
        let mut throttle = Throttle::new(usual());
        let bad = Reading {
            write_ms: 40.0,
            ..usual()
        };
        let mut paused = Duration::ZERO;
        loop {
            let pause = throttle.after(&bad, TOOK);
            if pause.why.is_none() {
                break;
            }
            throttle.learn(&bad, pause.length);
            paused += pause.length;
        }
        let paused_s = paused.as_secs_f64();
        assert!((20.0..60.0).contains(&paused_s), "{paused_s}");
    }
}
