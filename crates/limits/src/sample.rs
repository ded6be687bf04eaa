//! The past: figures by metric, object and time.

pub mod store;

use std::collections::BTreeMap;

use serde::Serialize;

use crate::metric::Metric;

/// One figure of one object, now.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// What.
    pub metric: &'static Metric,
    /// Of which object; empty for the cluster as a whole. Stable over time: a name, not an id.
    pub object: String,
    /// The figure, in the metric's unit.
    pub value: f64,
}

impl Sample {
    /// A sample.
    pub fn new(metric: &'static Metric, object: impl Into<String>, value: f64) -> Self {
        Sample {
            metric,
            object: object.into(),
            value,
        }
    }
}

/// A figure at a time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Point {
    /// Seconds since 1970, by the server's clock.
    pub at_s: f64,
    /// The figure, in the metric's unit.
    pub value: f64,
}

/// What was kept, as far as a check needs it. Series are in the order of time.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Past {
    series: BTreeMap<(String, String), Vec<Point>>,
}

impl Past {
    /// Adds a point at its place in time.
    pub fn push(&mut self, metric: &str, object: &str, point: Point) {
        let series = self
            .series
            .entry((metric.to_owned(), object.to_owned()))
            .or_default();
        let at = series.partition_point(|p| p.at_s <= point.at_s);
        series.insert(at, point);
    }

    /// Puts a whole series, which must be in the order of time, in the place of what was there.
    pub fn put(&mut self, metric: &str, object: &str, points: Vec<Point>) {
        self.series.insert((metric.to_owned(), object.to_owned()), points);
    }

    /// The series of one object, oldest first; empty when nothing was kept.
    pub fn series(&self, metric: &Metric, object: &str) -> &[Point] {
        self.series
            .get(&(metric.name.to_owned(), object.to_owned()))
            .map_or(&[], Vec::as_slice)
    }

    /// The series with the figure of now at its end.
    pub fn with_now(&self, metric: &Metric, object: &str, now: Point) -> Vec<Point> {
        let mut points = self.series(metric, object).to_vec();
        points.retain(|p| p.at_s < now.at_s);
        points.push(now);
        points
    }

    /// True when nothing was kept at all.
    pub fn is_empty(&self) -> bool {
        self.series.is_empty()
    }
}
