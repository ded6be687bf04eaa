//! Which part of the history is to be believed.

use crate::sample::Point;

use super::series::{Form, Shape, span_s};
use super::slope::{Line, line, quantile};
use super::{DAY_S, Growth, POINTS_MIN, Window};

/// Faster than ever by less than this is no news.
const FASTER: f64 = 1.25;
/// And by fewer scatters of earlier windows than this.
const FASTER_SCATTERS: f64 = 4.0;
/// The last month says something else when it ends as far from where it was expected.
const OTHER_SCATTERS: f64 = 3.0;
/// Earlier windows that are looked at.
const EARLIER_MAX: usize = 28;

/// Growth of a shape. `last` is the newest point as it was measured.
pub(super) fn growth(shape: &Shape, last: Point) -> Option<Growth> {
    let points = &shape.points;
    let base = line(points, season_s(points))?;
    let mut growth = Growth {
        span_s: span_s(points),
        ..of(&base, Window::All)
    };
    if let Form::Plain { steps_per_s } = shape.form {
        // What happened once may happen again.
        growth.high_per_s += steps_per_s;
    }
    if shape.form == Form::Peaks {
        growth.lift = (base.level - last.value).max(0.0);
        // Two or three peaks are no law.
        if points.len() < 4 {
            growth.low_per_s = growth.low_per_s.min(0.5 * growth.per_s);
            growth.high_per_s = growth.high_per_s.max(2.0 * growth.per_s);
        }
    }
    let shortest_s = match shape.form {
        Form::Stepped { every_s } => 3.0 * every_s,
        _ => 0.0,
    };
    if shortest_s <= 30.0 * DAY_S
        && let Some(month) = month(points, last.at_s, &base)
    {
        growth = Growth {
            lift: growth.lift,
            ..month
        };
    }
    for (window, width_s, lag) in [(Window::Week, 7.0 * DAY_S, 4), (Window::Day, DAY_S, 7)] {
        if shortest_s <= width_s
            && let Some(recent) = faster(points, last.at_s, width_s, lag, growth.per_s)
        {
            growth = Growth {
                window,
                scatter: growth.scatter,
                lift: growth.lift,
                ..recent
            };
        }
    }
    Some(growth)
}

fn of(line: &Line, window: Window) -> Growth {
    Growth {
        per_s: if line.is_rising { line.per_s } else { 0.0 },
        low_per_s: line.low_per_s,
        high_per_s: line.high_per_s,
        span_s: 0.0,
        window,
        lift: 0.0,
        scatter: line.scatter,
    }
}

/// The season that so long a history can show.
fn season_s(points: &[Point]) -> Option<f64> {
    match span_s(points) / DAY_S {
        days if days >= 14.0 => Some(7.0 * DAY_S),
        days if days >= 3.0 => Some(DAY_S),
        _ => None,
    }
}

/// The last 30 days, when they say clearly something else than the whole, faster or slower.
fn month(points: &[Point], now_s: f64, all: &Line) -> Option<Growth> {
    let from = points.partition_point(|p| p.at_s < now_s - 30.0 * DAY_S);
    let part = &points[from..];
    if from == 0 || part.len() < 2 * POINTS_MIN || span_s(part) < 20.0 * DAY_S {
        return None;
    }
    let line = line(part, season_s(part))?;
    // Beyond its range by as much again, and by more than its points scatter.
    let off = all.per_s - line.per_s;
    let is_other = off > 2.0 * (line.high_per_s - line.per_s) || off < 2.0 * (line.low_per_s - line.per_s);
    let is_other = is_other && off.abs() * span_s(part) > OTHER_SCATTERS * line.scatter;
    is_other.then(|| Growth {
        span_s: span_s(part),
        ..of(&line, Window::Month)
    })
}

/// The last window, when it grew by more than any earlier one of its width. Windows are whole days wide, so that the
/// hour of the day is the same at both ends of all of them; those a week back know the day of the week.
fn faster(points: &[Point], now_s: f64, width_s: f64, lag: usize, usual_per_s: f64) -> Option<Growth> {
    let grown = |back: usize| {
        let end = now_s - back as f64 * width_s;
        Some(value_at(points, end, width_s)? - value_at(points, end - width_s, width_s)?)
    };
    let now = grown(0)?;
    let earlier = |from: usize| -> Vec<f64> { (from..EARLIER_MAX).map_while(grown).collect() };
    // What began some days ago is no reason to believe it less: older ones are the measure, where there are any.
    let mut measure = earlier(lag);
    if measure.len() < lag {
        measure = earlier(1);
    }
    if measure.len() < 3 {
        return None;
    }
    let most = measure.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let median = quantile(&mut measure, 0.5);
    let mut off: Vec<f64> = measure.iter().map(|grown| (grown - median).abs()).collect();
    let scatter = 1.4826 * quantile(&mut off, 0.5);
    let is_faster = now > FASTER * most.max(usual_per_s * width_s)
        && now > median + FASTER_SCATTERS * scatter
        && now > 0.0;
    let is_dense = points.iter().filter(|p| p.at_s >= now_s - width_s).count() >= POINTS_MIN;
    (is_faster && is_dense).then(|| Growth {
        per_s: now / width_s,
        low_per_s: (now - 2.5 * scatter).max(median) / width_s,
        high_per_s: (now + 2.5 * scatter) / width_s,
        span_s: width_s,
        ..Growth::default()
    })
}

/// The value at a time, between its neighbours; `None` where they lie too far apart, or there are none.
fn value_at(points: &[Point], at_s: f64, width_s: f64) -> Option<f64> {
    let next = points.partition_point(|p| p.at_s < at_s);
    let b = points.get(next)?;
    if b.at_s == at_s {
        return Some(b.value);
    }
    let a = points.get(next.checked_sub(1)?)?;
    let between_s = b.at_s - a.at_s;
    (between_s <= width_s).then(|| a.value + (b.value - a.value) * (at_s - a.at_s) / between_s)
}
