//! A series made fit for a slope: in order, unrolled, without single steps; saw-teeth as their peaks.

use crate::metric::Kind;
use crate::sample::Point;

/// A jump is this much of the whole range at least.
const JUMP_SHARE: f64 = 0.03;
/// And this many times what points scatter from one to the next.
const JUMP_SCATTERS: f64 = 8.0;
/// And this many times what its neighbours do.
const JUMP_SCATTERS_NEAR: f64 = 4.0;
/// Neighbours on each side that a jump is compared with.
const NEIGHBOURS: usize = 5;
/// Up to so many jumps happened once; more of them are how this series grows.
const SINGLE_MAX: usize = 2;

/// A counter as one that never falls: what was reset begins anew from where it was, what wraps goes on.
///
/// A wrapping counter that falls by less than half of its lap was set back by somebody; that is no growth.
pub fn unrolled(points: &[Point], kind: Kind) -> Vec<Point> {
    let mut offset = 0.0;
    let mut last: Option<f64> = None;
    points
        .iter()
        .map(|point| {
            if let Some(before) = last
                && point.value < before
            {
                match kind {
                    Kind::Gauge => {}
                    Kind::Counter => offset += before,
                    Kind::Wrapping(modulus) if before - point.value > modulus / 2.0 => offset += modulus,
                    Kind::Wrapping(_) => offset += before - point.value,
                }
            }
            last = Some(point.value);
            Point {
                at_s: point.at_s,
                value: point.value + offset,
            }
        })
        .collect()
}

/// In the order of time, one point at a time, nothing that is no number; unrolled.
pub(super) fn cleaned(points: &[Point], kind: Kind) -> Vec<Point> {
    let mut points: Vec<Point> = points
        .iter()
        .copied()
        .filter(|p| p.at_s.is_finite() && p.value.is_finite())
        .collect();
    points.sort_by(|a, b| a.at_s.total_cmp(&b.at_s));
    // Of two at one time the later one was measured later.
    points.reverse();
    points.dedup_by(|a, b| a.at_s == b.at_s);
    points.reverse();
    unrolled(&points, kind)
}

/// Fewer points, evenly, with the newest among them.
pub(super) fn thinned(points: &[Point], most: usize) -> Vec<Point> {
    let step = points.len().div_ceil(most).max(1);
    let mut thin: Vec<Point> = points.iter().rev().copied().step_by(step).collect();
    thin.reverse();
    thin
}

/// Teeth that say how long one lasts.
const TEETH_RECENT: usize = 7;

/// How a series moves, once its jumps are understood.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Shape {
    /// What the slope is taken of.
    pub(super) points: Vec<Point>,
    /// How it was come by.
    pub(super) form: Form,
}

/// Kinds of shapes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Form {
    /// As it was measured, single steps taken out; how much they added per second over the whole span.
    Plain {
        /// 0 where there were none.
        steps_per_s: f64,
    },
    /// It grows by jumps; between two of them lie so many seconds.
    Stepped {
        /// The median.
        every_s: f64,
    },
    /// Only the peaks of its teeth.
    Peaks,
}

/// Looks for jumps and makes of the series what the slope is to be taken of.
pub(super) fn shape(points: Vec<Point>) -> Shape {
    let jumps = jumps(&points);
    let falls: Vec<usize> = jumps.iter().filter(|j| j.by < 0.0).map(|j| j.after).collect();
    if falls.len() >= 2 {
        return teeth(points, &falls);
    }
    if jumps.len() > SINGLE_MAX {
        let mut gaps: Vec<f64> = jumps
            .windows(2)
            .map(|pair| points[pair[1].after].at_s - points[pair[0].after].at_s)
            .collect();
        let every_s = super::slope::quantile(&mut gaps, 0.5);
        return Shape {
            points,
            form: Form::Stepped { every_s },
        };
    }
    let span_s = span_s(&points);
    let rises: f64 = jumps.iter().map(|j| j.by.max(0.0)).sum();
    let level = levelled(points, &jumps);
    Shape {
        points: level,
        form: Form::Plain {
            steps_per_s: if span_s > 0.0 { rises / span_s } else { 0.0 },
        },
    }
}

/// As if the jumps had not happened: each part between two of them is moved by as much as it lies off the last one, at
/// the slope that they have in common.
fn levelled(mut points: Vec<Point>, jumps: &[Jump]) -> Vec<Point> {
    if jumps.is_empty() {
        return points;
    }
    let mut ends: Vec<usize> = jumps.iter().map(|jump| jump.after + 1).collect();
    ends.push(points.len());
    let (mut slopes, mut from) = (Vec::new(), 0);
    for end in &ends {
        slopes.extend(super::slope::slopes(&points[from..*end]));
        from = *end;
    }
    let per_s = super::slope::quantile(&mut slopes, 0.5);
    let last_s = points.last().map_or(0.0, |p| p.at_s);
    let level = |part: &[Point]| {
        let mut levels: Vec<f64> = part.iter().map(|p| p.value + per_s * (last_s - p.at_s)).collect();
        super::slope::quantile(&mut levels, 0.5)
    };
    let now = level(&points[ends[ends.len() - 2]..]);
    let mut from = 0;
    for end in ends {
        let off = now - level(&points[from..end]);
        for point in &mut points[from..end] {
            point.value += off;
        }
        from = end;
    }
    points
}

/// From the first to the last point.
pub(super) fn span_s(points: &[Point]) -> f64 {
    match (points.first(), points.last()) {
        (Some(first), Some(last)) => last.at_s - first.at_s,
        _ => 0.0,
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Jump {
    /// The last point before it.
    after: usize,
    by: f64,
}

/// Where it moves far more than around it. Jumps in a row are one.
fn jumps(points: &[Point]) -> Vec<Jump> {
    let slopes: Vec<f64> = points
        .windows(2)
        .map(|pair| (pair[1].value - pair[0].value) / (pair[1].at_s - pair[0].at_s))
        .collect();
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    for point in points {
        low = low.min(point.value);
        high = high.max(point.value);
    }
    let beyond: Vec<f64> = (0..slopes.len())
        .map(|i| {
            let from = i.saturating_sub(NEIGHBOURS);
            let to = (i + NEIGHBOURS + 1).min(slopes.len());
            let mut around: Vec<f64> = slopes[from..to].to_vec();
            let usual = super::slope::quantile(&mut around, 0.5);
            (slopes[i] - usual) * (points[i + 1].at_s - points[i].at_s)
        })
        .collect();
    let sizes: Vec<f64> = beyond.iter().map(|by| by.abs()).collect();
    let scatter = |part: &[f64]| 1.4826 * super::slope::quantile(&mut part.to_vec(), 0.5);
    let least = (JUMP_SHARE * (high - low)).max(JUMP_SCATTERS * scatter(&sizes));
    let mut jumps: Vec<Jump> = Vec::new();
    for (after, by) in beyond.into_iter().enumerate() {
        if by.abs() <= least {
            continue;
        }
        // Where all around move as much it is no jump: a day and its night, looked at every four hours.
        let around = &sizes[after.saturating_sub(NEIGHBOURS)..(after + NEIGHBOURS + 1).min(sizes.len())];
        if by.abs() <= JUMP_SCATTERS_NEAR * scatter(around) {
            continue;
        }
        match jumps.last_mut() {
            Some(last) if last.after + 1 == after && last.by * by > 0.0 => {
                last.after = after;
                last.by += by;
            }
            _ => jumps.push(Jump { after, by }),
        }
    }
    jumps
}

/// The highest point of each tooth. The tooth of now counts once it is higher than the one before it; when it has
/// lasted three times as long as the last ones and is higher than all, then what used to cut it does so no more, and it
/// alone counts.
fn teeth(points: Vec<Point>, falls: &[usize]) -> Shape {
    let highest = |part: &[Point]| part.iter().copied().max_by(|a, b| a.value.total_cmp(&b.value));
    let (mut peaks, mut lengths_s, mut from) = (Vec::new(), Vec::new(), 0);
    for fall in falls {
        let tooth = &points[from..=*fall];
        peaks.extend(highest(tooth));
        lengths_s.push(span_s(tooth));
        from = fall + 1;
    }
    let now = &points[from..];
    let recent = lengths_s.len().saturating_sub(TEETH_RECENT);
    let usual_s = super::slope::quantile(&mut lengths_s[recent..], 0.5);
    let top = peaks.iter().map(|p| p.value).fold(f64::NEG_INFINITY, f64::max);
    if let Some(high) = highest(now) {
        if high.value > top && now.len() >= 6 && span_s(now) > 3.0 * usual_s {
            return Shape {
                points: now.to_vec(),
                form: Form::Plain { steps_per_s: 0.0 },
            };
        }
        if peaks.last().is_some_and(|last| high.value > last.value) {
            peaks.push(high);
        }
    }
    Shape {
        points: peaks,
        form: Form::Peaks,
    }
}
