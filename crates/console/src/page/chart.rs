//! Charts: rate and waiting changes over time, as a picture for those without scripts, and as figures for the script that
//! draws a better one.

use std::fmt::Write;

use corridor_migration::words::number::figure;
use serde_json::json;

use crate::read::pace::Point;

const WIDTH: f64 = 600.0;
const HEIGHT: f64 = 120.0;

/// A chart's figures, and its picture.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Chart {
    /// JSON: `at` in seconds, `rows_per_s`, `pending`, `held`.
    pub(crate) figures: String,
    /// An SVG of the rate. Made from numbers alone.
    pub(crate) rate: String,
    /// An SVG of the waiting changes; empty where there is no log.
    pub(crate) pending: String,
    /// `at most 1,200 rows/s`.
    pub(crate) words: String,
}

/// The chart of a pace; `None` before there are three points: one rate is no line.
pub(crate) fn chart(points: &[Point]) -> Option<Chart> {
    let (first, last) = (points.first()?, points.last()?);
    if points.len() < 3 || last.at_s <= first.at_s {
        return None;
    }
    let at: Vec<f64> = points.iter().skip(1).map(|point| point.at_s).collect();
    let rate: Vec<f64> = points
        .windows(2)
        .map(|pair| {
            let seconds = pair[1].at_s - pair[0].at_s;
            // Fewer rows than before: the copy began again.
            let rows = (pair[1].rows - pair[0].rows).max(0) as f64;
            if seconds > 0.0 {
                (rows / seconds).round()
            } else {
                0.0
            }
        })
        .collect();
    let pending: Vec<Option<i64>> = points.iter().skip(1).map(|point| point.pending).collect();
    let held: Vec<bool> = points.iter().skip(1).map(|point| point.is_held).collect();
    let has_log = pending.iter().any(Option::is_some);
    let top = rate.iter().copied().fold(0.0, f64::max);
    let waiting: Vec<f64> = pending.iter().map(|one| one.unwrap_or(0) as f64).collect();
    Some(Chart {
        figures: json!({ "at": at, "rows_per_s": rate, "pending": pending, "held": held }).to_string(),
        rate: svg(&at, &rate, "rows a second over time"),
        pending: if has_log {
            svg(&at, &waiting, "waiting changes over time")
        } else {
            String::new()
        },
        words: format!("at most {} rows/s", figure(top)),
    })
}

/// An area under a line.
fn svg(at: &[f64], values: &[f64], label: &'static str) -> String {
    let (low, high) = (
        at.first().copied().unwrap_or(0.0),
        at.last().copied().unwrap_or(1.0),
    );
    let span = (high - low).max(0.001);
    let top = values.iter().copied().fold(1.0, f64::max);
    let mut line = String::new();
    for (x, y) in at.iter().zip(values) {
        let (x, y) = ((x - low) / span * WIDTH, HEIGHT - y / top * (HEIGHT - 8.0));
        let _ = write!(line, "{}{x:.1} {y:.1}", if line.is_empty() { "M" } else { "L" });
    }
    format!(
        "<svg class=\"spark\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"{label}\">\
         <path class=\"area\" d=\"{line}L{WIDTH} {HEIGHT}L0 {HEIGHT}Z\"/><path class=\"line\" d=\"{line}\"/></svg>"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_what_lies_between_two_points() {
        let point = |at_s, rows, pending| Point {
            at_s,
            rows,
            pending,
            is_held: false,
        };
        assert_eq!(chart(&[point(0.0, 5, None)]), None);
        assert_eq!(chart(&[]), None);
        assert_eq!(chart(&[point(0.0, 5, None), point(1.0, 6, None)]), None);
        let chart = chart(&[
            point(10.0, 0, Some(1)),
            point(12.0, 100, Some(7)),
            point(14.0, 20, None),
        ])
        .unwrap();
        insta::assert_snapshot!(chart.figures, @r#"{"at":[12.0,14.0],"held":[false,false],"pending":[7,null],"rows_per_s":[50.0,0.0]}"#);
        insta::assert_snapshot!(chart.rate, @r#"<svg class="spark" viewBox="0 0 600 120" preserveAspectRatio="none" role="img" aria-label="rows a second over time"><path class="area" d="M0.0 8.0L600.0 120.0L600 120L0 120Z"/><path class="line" d="M0.0 8.0L600.0 120.0"/></svg>"#);
        assert!(!chart.pending.is_empty());
    }
}
