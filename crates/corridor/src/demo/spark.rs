//! A latency over time in one line of text. Pure.

use crate::output::density::LEVELS;
use crate::output::text::{Paint, paint};

/// The lowest level ends here.
pub(super) const LOW_MS: f64 = 1.0;
/// The highest level begins here.
pub(super) const HIGH_MS: f64 = 500.0;
/// From this level on it is painted as bad, when it is painted.
const BAD_LEVEL: usize = 5;

/// The level of a latency: each level is about two and a half times the one before, since a collapse is one of decades.
fn level(ms: f64) -> usize {
    let last = (LEVELS.len() - 1) as f64;
    let share = (ms.max(LOW_MS) / LOW_MS).ln() / (HIGH_MS / LOW_MS).ln();
    (share * last).round().clamp(0.0, last) as usize
}

/// One character for each latency.
pub(super) fn line(latencies_ms: &[f64], is_painted: bool) -> String {
    let mut shown = String::new();
    let mut rest = latencies_ms;
    while let Some(first) = rest.first() {
        let is_bad = level(*first) >= BAD_LEVEL;
        let end = rest
            .iter()
            .position(|ms| (level(*ms) >= BAD_LEVEL) != is_bad)
            .unwrap_or(rest.len());
        let (run, later) = rest.split_at(end);
        let text: String = run.iter().filter_map(|ms| LEVELS.get(level(*ms))).collect();
        match (is_painted, is_bad) {
            (false, _) => shown.push_str(&text),
            (true, true) => shown.push_str(&paint(Paint::Bad, &text)),
            (true, false) => shown.push_str(&paint(Paint::Good, &text)),
        }
        rest = later;
    }
    shown
}

/// The line under it: each phase's name where it begins. `marks` are positions, ascending; a name that has no room
/// before the next one is cut.
pub(super) fn ruler(marks: &[(usize, &str)], columns: usize) -> String {
    let mut shown = String::new();
    for (i, (at, name)) in marks.iter().enumerate() {
        let end = marks.get(i + 1).map_or(columns, |(next, _)| *next).min(columns);
        let room = end.saturating_sub(*at);
        shown.push_str(&" ".repeat(at.saturating_sub(shown.chars().count())));
        shown.extend(format!("|{name}").chars().take(room));
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collapse_is_seen() {
        let latencies = [0.0, 0.4, 1.0, 2.0, 20.0, 400.0, 5_000.0, f64::INFINITY, 1.2];
        assert_eq!(line(&latencies, false), "▁▁▁▂▄███▁");
        assert_eq!(line(&[], true), "");
        assert_eq!(
            line(&[1.0, 900.0], true),
            "\u{1b}[32m▁\u{1b}[0m\u{1b}[1;31m█\u{1b}[0m"
        );
        assert_eq!(level(f64::NAN), 0);
    }

    #[test]
    fn phases_stand_where_they_begin() {
        let marks = [(0, "before"), (10, "during"), (14, "move"), (30, "after")];
        assert_eq!(ruler(&marks, 33), "|before   |dur|move           |af");
        assert_eq!(ruler(&[], 10), "");
    }
}
