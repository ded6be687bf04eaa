//! What is measured. Each figure is defined once; history, OpenMetrics, alert rules and the dashboard come from here.

use serde::Serialize;

/// In what a figure is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Of things: ids, rows, partitions.
    Count,
    /// Of bytes.
    Bytes,
    /// From 0 to 1.
    Ratio,
    /// Of seconds.
    Seconds,
}

impl Unit {
    /// As OpenMetrics wants it at the end of a name; empty for a count.
    pub fn suffix(self) -> &'static str {
        match self {
            Unit::Count => "",
            Unit::Bytes => "bytes",
            Unit::Ratio => "ratio",
            Unit::Seconds => "seconds",
        }
    }
}

/// How a figure moves.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Up and down: a level, a share, a size.
    Gauge,
    /// Only up, until it is reset to about nothing (statistics that are reset, a server that was made anew).
    Counter,
    /// Only up, and after this many it begins again: object ids, 32-bit offsets.
    Wrapping(f64),
}

/// One figure of one object.
#[derive(Debug, PartialEq)]
pub struct Metric {
    /// Stable; snake case; with its unit at the end: `toast_used_ratio`. OpenMetrics shows it as `corridor_` and this.
    pub name: &'static str,
    /// In what.
    pub unit: Unit,
    /// How it moves.
    pub kind: Kind,
    /// What it says, one sentence.
    pub help: &'static str,
    /// Shown as OpenMetrics. Not where every table of a database would be a series.
    pub is_exported: bool,
}

impl Metric {
    /// A level that is exported.
    pub const fn gauge(name: &'static str, unit: Unit, help: &'static str) -> Self {
        Metric {
            name,
            unit,
            kind: Kind::Gauge,
            help,
            is_exported: true,
        }
    }

    /// A counter that is exported.
    pub const fn counter(name: &'static str, unit: Unit, help: &'static str) -> Self {
        Metric {
            name,
            unit,
            kind: Kind::Counter,
            help,
            is_exported: true,
        }
    }

    /// A counter that begins again after `modulus`.
    pub const fn wrapping(name: &'static str, unit: Unit, modulus: f64, help: &'static str) -> Self {
        Metric {
            name,
            unit,
            kind: Kind::Wrapping(modulus),
            help,
            is_exported: true,
        }
    }

    /// The same, kept in the history only.
    pub const fn kept(self) -> Self {
        Metric {
            is_exported: false,
            ..self
        }
    }
}
