//! The median of the slopes of pairs of points (Theil and Sen), and how sure it is. A few wild points do not move it.
//!
//! Where a season is given, only points of the same phase are paired (Hirsch and Slack): Monday with Monday. The
//! interval is Sen's, by the ranks of the slopes, for as many points as are independent of each other.

use crate::sample::Point;

use super::series::thinned;

/// More points than this are thinned: the pairs grow with the square.
const POINTS_MAX: usize = 220;
/// Points of one phase lie so near to a whole number of seasons.
const PHASE_S: f64 = 2.0 * 3_600.0;
/// Fewer pairs of one phase than this say nothing: then all pairs are taken.
const PAIRS_MIN: usize = 24;
/// Growth is told from noise at 95 in 100.
const SURE: f64 = 1.645;
/// The stated range: wider than any noise that is as it should be would need, because it seldom is.
const RANGE: f64 = 3.0;

/// A line through a series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Line {
    pub(super) per_s: f64,
    pub(super) low_per_s: f64,
    pub(super) high_per_s: f64,
    /// It rises, and that is no accident.
    pub(super) is_rising: bool,
    /// Where it is at the time of the last point.
    pub(super) level: f64,
    /// How far points lie from it: nine of ten lie nearer.
    pub(super) scatter: f64,
}

/// The line; `None` for less than two points.
pub(super) fn line(points: &[Point], season_s: Option<f64>) -> Option<Line> {
    let points = thinned(points, POINTS_MAX);
    let last = *points.last().filter(|_| points.len() >= 2)?;
    let (season_s, mut slopes) = match season_s.map(|season_s| (season_s, pairs(&points, Some(season_s)))) {
        Some((season_s, slopes)) if slopes.len() >= PAIRS_MIN => (Some(season_s), slopes),
        _ => (None, pairs(&points, None)),
    };
    let per_s = quantile(&mut slopes, 0.5);
    let levels: Vec<f64> = points
        .iter()
        .map(|p| p.value + per_s * (last.at_s - p.at_s))
        .collect();
    let level = quantile(&mut levels.clone(), 0.5);
    let mut residuals: Vec<f64> = levels.iter().map(|l| l - level).collect();
    let echo = echo(&points, &residuals, season_s);
    for residual in &mut residuals {
        *residual = residual.abs();
    }
    let scatter = quantile(&mut residuals, 0.9);
    // Pairs to a point, then the share of all ranks that one standard error is wide.
    let n = points.len() as f64;
    let phase = 1.0 + 2.0 * slopes.len() as f64 / n;
    let variance = 2.0 * (2.0 * phase + 5.0) / (9.0 * (phase - 1.0).max(0.5) * n);
    let width = (variance * (1.0 + echo) / (1.0 - echo)).sqrt() / 2.0;
    let low = |z: f64, slopes: &mut [f64]| quantile(slopes, 0.5 - z * width);
    let high = |z: f64, slopes: &mut [f64]| quantile(slopes, 0.5 + z * width);
    Some(Line {
        per_s,
        low_per_s: low(RANGE, &mut slopes),
        high_per_s: high(RANGE, &mut slopes),
        is_rising: per_s > 0.0 && low(SURE, &mut slopes) > 0.0,
        level,
        scatter,
    })
}

/// The slopes of all pairs.
pub(super) fn slopes(points: &[Point]) -> Vec<f64> {
    pairs(&thinned(points, POINTS_MAX), None)
}

/// The slopes of all pairs, or of those of the same phase.
fn pairs(points: &[Point], season_s: Option<f64>) -> Vec<f64> {
    let mut slopes = Vec::with_capacity(points.len() * points.len() / 2);
    for (i, a) in points.iter().enumerate() {
        for b in &points[i + 1..] {
            let seconds = b.at_s - a.at_s;
            let is_wanted = season_s.is_none_or(|season_s| {
                let seasons = (seconds / season_s).round();
                seasons >= 1.0 && (seconds - seasons * season_s).abs() <= PHASE_S
            });
            if is_wanted && seconds > 0.0 {
                slopes.push((b.value - a.value) / seconds);
            }
        }
    }
    slopes
}

/// How much of one residual is in the next, 0 to 0.98, with the season taken out of them.
fn echo(points: &[Point], residuals: &[f64], season_s: Option<f64>) -> f64 {
    let mut rest = residuals.to_vec();
    if let Some(season_s) = season_s {
        const PHASES: usize = 42;
        let phase =
            |p: &Point| ((p.at_s.rem_euclid(season_s) / season_s * PHASES as f64) as usize).min(PHASES - 1);
        let mut by_phase = vec![Vec::new(); PHASES];
        for (point, residual) in points.iter().zip(residuals) {
            by_phase[phase(point)].push(*residual);
        }
        let usual: Vec<f64> = by_phase.iter_mut().map(|r| quantile(r, 0.5)).collect();
        for (point, residual) in points.iter().zip(&mut rest) {
            *residual -= usual[phase(point)];
        }
    }
    let all: f64 = rest.iter().map(|r| r * r).sum();
    let next: f64 = rest.windows(2).map(|pair| pair[0] * pair[1]).sum();
    if all > 0.0 {
        (next / all).clamp(0.0, 0.98)
    } else {
        0.0
    }
}

/// The value below which this share of them lies; 0 for none. Changes their order.
pub(super) fn quantile(values: &mut [f64], share: f64) -> f64 {
    let Some(last) = values.len().checked_sub(1) else {
        return 0.0;
    };
    let at = ((last as f64) * share.clamp(0.0, 1.0)).round() as usize;
    *values.select_nth_unstable_by(at, f64::total_cmp).1
}
