//! How fast something goes, how long it will still take, and how it went: from figures that are seen again and again. Pure;
//! the clock is the caller's.

use std::collections::VecDeque;
use std::time::Duration;

/// From low to high.
const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// What counts for the rate: shorter follows every chunk, longer every throttling.
const WINDOW: Duration = Duration::from_secs(30);
/// A rate from less than this is a guess.
const MEASURED_MIN: Duration = Duration::from_secs(10);
/// Both halves of the window may differ by this factor; else the rate is still changing, and an estimate would jump.
const STEADY_FACTOR: f64 = 2.0;
/// Below this the end can come at any moment.
const DUE_S: f64 = 1.0;

/// When something will be done.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Eta {
    /// Too little was seen, or the rate is not steady.
    Measuring,
    /// In about so many seconds.
    Ready {
        /// From now.
        seconds: f64,
    },
    /// The estimate is reached or passed.
    Due,
}

/// A figure that only grows, seen over time.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    seen: VecDeque<(Duration, u64)>,
}

impl Pace {
    /// `figure` at `at`, a time that only grows. A figure that falls begins anew (a truncate, another operation).
    pub(crate) fn note(&mut self, at: Duration, figure: u64) {
        if self.seen.back().is_some_and(|(_, last)| figure < *last) {
            self.seen.clear();
        }
        self.seen.push_back((at, figure));
        while self.seen.len() > 2
            && self
                .seen
                .get(1)
                .is_some_and(|(then, _)| at.saturating_sub(*then) >= WINDOW)
        {
            self.seen.pop_front();
        }
    }

    /// Nothing that was seen counts any more: it was held, or something else is at work.
    pub(crate) fn forget(&mut self) {
        self.seen.clear();
    }

    /// How fast it goes over the window; `None` before two figures were seen.
    pub(crate) fn per_s(&self) -> Option<f64> {
        rate(*self.seen.front()?, *self.seen.back()?)
    }

    /// When `whole` will be reached.
    pub(crate) fn eta(&self, whole: u64) -> Eta {
        let (Some(first), Some(last)) = (self.seen.front(), self.seen.back()) else {
            return Eta::Measuring;
        };
        if last.1 >= whole {
            return Eta::Due;
        }
        if last.0.saturating_sub(first.0) < MEASURED_MIN {
            return Eta::Measuring;
        }
        let middle = first.0 + (last.0 - first.0) / 2;
        let Some(half) = self.seen.iter().find(|(at, _)| *at >= middle) else {
            return Eta::Measuring;
        };
        let (Some(early), Some(late), Some(all)) = (rate(*first, *half), rate(*half, *last), self.per_s())
        else {
            return Eta::Measuring;
        };
        let is_steady = early <= late * STEADY_FACTOR && late <= early * STEADY_FACTOR;
        if all <= 0.0 || !is_steady {
            return Eta::Measuring;
        }
        match (whole - last.1) as f64 / all {
            seconds if seconds < DUE_S => Eta::Due,
            seconds => Eta::Ready { seconds },
        }
    }
}

fn rate(from: (Duration, u64), to: (Duration, u64)) -> Option<f64> {
    let seconds = to.0.saturating_sub(from.0).as_secs_f64();
    (seconds > 0.0).then(|| to.1.saturating_sub(from.1) as f64 / seconds)
}

/// The last values of a figure, as a line of text.
#[derive(Debug)]
pub(crate) struct Trend {
    values: VecDeque<f64>,
    columns: usize,
    /// The top of the scale is at least this, so that noise near zero stays low.
    top_min: f64,
}

impl Trend {
    /// Shows so many values, one column each.
    pub(crate) fn new(columns: usize, top_min: f64) -> Self {
        Trend {
            values: VecDeque::new(),
            columns,
            top_min,
        }
    }

    /// The newest value.
    pub(crate) fn note(&mut self, value: f64) {
        self.values.push_back(value.max(0.0));
        while self.values.len() > self.columns {
            self.values.pop_front();
        }
    }

    /// One character for each value, the newest at the right.
    pub(crate) fn line(&self) -> String {
        let top = self.values.iter().copied().fold(self.top_min, f64::max);
        let last = (LEVELS.len() - 1) as f64;
        let level = |value: &f64| LEVELS.get((value / top * last).round() as usize);
        self.values.iter().filter_map(level).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(number: u64) -> Duration {
        Duration::from_secs(number)
    }

    #[test]
    fn an_estimate_is_made_only_when_it_means_something() {
        let mut pace = Pace::default();
        assert_eq!((pace.per_s(), pace.eta(10)), (None, Eta::Measuring));
        for at in 0..10 {
            pace.note(second(at), at * 100);
            assert_eq!(pace.eta(10_000), Eta::Measuring, "{at} s");
        }
        pace.note(second(10), 1_000);
        assert_eq!(pace.eta(10_000), Eta::Ready { seconds: 90.0 });
        assert_eq!(pace.per_s(), Some(100.0));
        // Nearly there, there, and beyond an estimate that was too low.
        assert_eq!(pace.eta(1_050), Eta::Due);
        assert_eq!(pace.eta(1_000), Eta::Due);
        assert_eq!(pace.eta(900), Eta::Due);
    }

    #[test]
    fn a_rate_that_changes_is_measured_anew() {
        let mut pace = Pace::default();
        for at in 0..=20 {
            pace.note(second(at), at * 100);
        }
        // It stands still: no estimate, until the old rate has left the window.
        for at in 21..=50 {
            pace.note(second(at), 2_000);
        }
        assert_eq!((pace.per_s(), pace.eta(10_000)), (Some(0.0), Eta::Measuring));
        for at in 51..=81 {
            pace.note(second(at), 2_000 + (at - 50) * 10);
        }
        assert!(matches!(pace.eta(10_000), Eta::Ready { seconds } if (760.0..780.0).contains(&seconds)));
        // A truncate: what was before means nothing.
        pace.note(second(82), 0);
        assert_eq!((pace.per_s(), pace.eta(10_000)), (None, Eta::Measuring));
    }

    #[test]
    fn a_trend_keeps_to_its_columns_and_its_scale() {
        let mut trend = Trend::new(4, 10.0);
        assert_eq!(trend.line(), "");
        for value in [900.0, 0.0, 1.0, 5.0, 10.0] {
            trend.note(value);
        }
        assert_eq!(trend.line(), "▁▂▅█");
        trend.note(1_000.0);
        assert_eq!(trend.line(), "▁▁▁█");
    }
}
