//! Growth, and when a limit is reached. Pure.
//!
//! 1. `series`: counters are unrolled; what jumped once is taken out; of a series that falls again and again (vacuum,
//!    retention) only the peaks count; what grows by jumps is looked at over several of them.
//! 2. `slope`: the median of the slopes of all pairs of points, of the same hour once there are three days, and of the
//!    same hour of the week once there are fourteen, so that a Sunday does not say "never".
//! 3. `window`: over all of the history, unless the last 30 days say clearly something else, or the last 7 days or the
//!    last day grow faster than ever before: then these.

mod series;
mod slope;
mod window;
#[cfg(test)]
mod years;

use std::fmt;

use serde::Serialize;

use crate::metric::Kind;
use crate::sample::Point;

pub use series::unrolled;

const DAY_S: f64 = 86_400.0;
/// Less than this, and no slope is worth saying: an hour's growth says nothing about a week.
pub const SPAN_MIN_S: f64 = 6.0 * 3_600.0;
/// Fewer points than this are no series.
pub const POINTS_MIN: usize = 6;
/// What lies further ahead than a hundred years is no forecast.
const DAYS_MAX: f64 = 36_525.0;

/// When a limit is reached.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Runway {
    /// Not that kind of limit.
    Unknown,
    /// Too short a history to say.
    NotEnough {
        /// How long it is, in seconds.
        have_s: f64,
        /// How long it must be, in seconds.
        need_s: f64,
    },
    /// It does not grow.
    Never,
    /// Days left.
    Days {
        /// When it grows fast.
        low: f64,
        /// Most likely.
        mid: f64,
        /// When it grows slowly; `None`: perhaps never.
        high: Option<f64>,
    },
    /// It is reached.
    Reached,
}

impl Runway {
    /// The likely number of days, where there is one.
    pub fn days_mid(&self) -> Option<f64> {
        match self {
            Runway::Days { mid, .. } => Some(*mid),
            Runway::Reached => Some(0.0),
            _ => None,
        }
    }
}

/// The part of the history that growth rests on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Window {
    /// The last 24 hours: it grows faster than it ever did.
    Day,
    /// The last 7 days: faster than before.
    Week,
    /// The last 30 days: what was before does not hold any more.
    Month,
    /// All that there is.
    #[default]
    All,
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Window::Day => "the last day",
            Window::Week => "the last 7 days",
            Window::Month => "the last 30 days",
            Window::All => "the whole history",
        })
    }
}

/// Growth with its uncertainty.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Growth {
    /// In the metric's unit per second; 0 when a rise cannot be told from noise.
    pub per_s: f64,
    /// The low end of its range.
    pub low_per_s: f64,
    /// The high end of its range.
    pub high_per_s: f64,
    /// From the first to the last point that it rests on.
    pub span_s: f64,
    /// Which part of the history spoke.
    pub window: Window,
    /// How much higher than now the series regularly stands: the peak of its tooth. Room is less by that.
    pub lift: f64,
    /// How far its points lie from the line.
    pub scatter: f64,
}

impl Growth {
    /// Over what it was seen: `over the last 14 days`.
    pub fn over(&self) -> String {
        match self.window {
            Window::All => format!("over the last {}", crate::probe::words::seconds(self.span_s)),
            window => format!("over {window}"),
        }
    }
}

/// Growth of a series, or how long the series is when that is not enough.
pub fn growth(points: &[Point], kind: Kind) -> Result<Growth, Runway> {
    let points = series::cleaned(points, kind);
    let span_s = series::span_s(&points);
    let not_enough = Runway::NotEnough {
        have_s: span_s,
        need_s: SPAN_MIN_S,
    };
    let last = match points.last() {
        Some(last) if points.len() >= POINTS_MIN && span_s >= SPAN_MIN_S => *last,
        _ => return Err(not_enough),
    };
    let shape = series::shape(points);
    window::growth(&shape, last).ok_or(not_enough)
}

/// When a level that is `used` now reaches `capacity`, at the growth of its series.
pub fn runway(points: &[Point], kind: Kind, used: f64, capacity: f64) -> Runway {
    if used >= capacity {
        return Runway::Reached;
    }
    match growth(points, kind) {
        Err(not_enough) => not_enough,
        Ok(growth) => days_left(capacity - used, &growth),
    }
}

/// How long `room` lasts.
pub fn days_left(room: f64, growth: &Growth) -> Runway {
    if growth.per_s <= 0.0 {
        return Runway::Never;
    }
    let days = |room: f64, per_s: f64| {
        let days = room.max(0.0) / per_s / DAY_S;
        (per_s > 0.0 && days <= DAYS_MAX).then_some(days)
    };
    let at_peak = room - growth.lift;
    match days(at_peak, growth.per_s) {
        None => Runway::Never,
        Some(mid) => Runway::Days {
            low: days(at_peak - growth.scatter, growth.high_per_s.max(growth.per_s)).unwrap_or(mid),
            mid,
            high: days(room + growth.scatter, growth.low_per_s.min(growth.per_s)),
        },
    }
}
