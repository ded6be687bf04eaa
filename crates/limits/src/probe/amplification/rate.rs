//! Blocks for each write, between samples of counters. Pure.

use crate::metric::Kind;
use crate::sample::Point;

/// So many blocks for a write are worth a word when they are unusual.
pub const BLOCKS_MIN: f64 = 50.0;
/// So many times as usual are unusual.
pub const TIMES_USUAL: f64 = 10.0;
/// So many blocks for one write are too many whatever is usual: 8 MiB for a row of a few kilobytes.
pub const BLOCKS_BAD: f64 = 1_000.0;
/// Fewer writes than this say nothing.
const WRITES_MIN: f64 = 20.0;
/// Fewer intervals than this are no habit.
const HABIT_MIN: usize = 5;
/// What is usual is what was so in the last seven days.
const HABIT_S: f64 = 7.0 * 86_400.0;
/// The present is no longer than this.
const PRESENT_S: f64 = 86_400.0;

/// What happened between two samples.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// Its end, in seconds since 1970.
    pub end_s: f64,
    /// Its length.
    pub seconds: f64,
    /// Blocks touched.
    pub blocks: f64,
    /// Rows written.
    pub writes: f64,
}

/// Blocks for each write now, and what is usual.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// Now: since the last samples.
    pub now: f64,
    /// Median of the intervals before, where there are enough.
    pub usual: Option<f64>,
    /// Over how long *now* reaches, in seconds; `None`: since the counters were reset.
    pub seconds: Option<f64>,
}

/// How bad a rate is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alarm {
    /// Far more than it used to be.
    Unusual,
    /// Far more than it used to be, and megabytes for each write.
    UnusualAndBad,
    /// Megabytes for each write; what is usual is not known, or it is usual.
    Bad,
}

/// Intervals between samples that were taken together. `writes` are counters of which the largest growth counts: a
/// statement that writes no row has been called all the same.
pub fn intervals(blocks: &[Point], writes: &[&[Point]]) -> Vec<Interval> {
    let blocks = crate::forecast::unrolled(blocks, Kind::Counter);
    let writes: Vec<Vec<Point>> = writes
        .iter()
        .map(|series| crate::forecast::unrolled(series, Kind::Counter))
        .collect();
    let mut joined: Vec<(Point, Vec<f64>)> = Vec::new();
    for point in blocks {
        let same: Vec<f64> = writes
            .iter()
            .filter_map(|series| {
                let at = series.partition_point(|p| p.at_s < point.at_s - 1.0);
                series
                    .get(at)
                    .filter(|p| p.at_s <= point.at_s + 1.0)
                    .map(|p| p.value)
            })
            .collect();
        if same.len() == writes.len() {
            joined.push((point, same));
        }
    }
    joined
        .windows(2)
        .map(|pair| Interval {
            end_s: pair[1].0.at_s,
            seconds: pair[1].0.at_s - pair[0].0.at_s,
            blocks: pair[1].0.value - pair[0].0.value,
            writes: pair[0]
                .1
                .iter()
                .zip(&pair[1].1)
                .map(|(before, after)| after - before)
                .fold(0.0, f64::max),
        })
        .collect()
}

/// The rate of now and the usual one. `None` when too little was written lately.
pub fn rate(intervals: &[Interval]) -> Option<Rate> {
    let end_s = intervals.last()?.end_s;
    let (mut blocks, mut writes, mut seconds) = (0.0, 0.0, 0.0);
    let mut from = intervals.len();
    // Samples that lie seconds apart are too little each; together they are the present.
    while writes < WRITES_MIN {
        from = from.checked_sub(1)?;
        let interval = intervals[from];
        if end_s - interval.end_s > PRESENT_S {
            return None;
        }
        blocks += interval.blocks;
        writes += interval.writes;
        seconds += interval.seconds;
    }
    let mut before: Vec<f64> = intervals[..from]
        .iter()
        .filter(|i| i.writes >= WRITES_MIN && end_s - i.end_s <= HABIT_S)
        .map(|i| i.blocks / i.writes)
        .collect();
    before.sort_by(f64::total_cmp);
    Some(Rate {
        now: blocks / writes,
        usual: (before.len() >= HABIT_MIN).then(|| before[before.len() / 2]),
        seconds: Some(seconds),
    })
}

/// Whether a rate is too much.
pub fn alarm(rate: &Rate) -> Option<Alarm> {
    let is_unusual = rate
        .usual
        .is_some_and(|usual| rate.now > TIMES_USUAL * usual && rate.now > BLOCKS_MIN);
    match (is_unusual, rate.now >= BLOCKS_BAD) {
        (true, true) => Some(Alarm::UnusualAndBad),
        (true, false) => Some(Alarm::Unusual),
        (false, true) => Some(Alarm::Bad),
        (false, false) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(values: &[f64]) -> Vec<Point> {
        values
            .iter()
            .enumerate()
            .map(|(i, value)| Point {
                at_s: i as f64 * 3_600.0,
                value: *value,
            })
            .collect()
    }

    /// Ten quiet hours with `usual` blocks for each of 100 writes, then one hour with `now`.
    fn day(usual: f64, now: f64) -> Rate {
        let mut blocks: Vec<f64> = (0..=10).map(|i| f64::from(i) * usual * 100.0).collect();
        blocks.push(blocks[10] + now * 100.0);
        let writes: Vec<f64> = (0..=11).map(|i| f64::from(i) * 100.0).collect();
        rate(&intervals(&series(&blocks), &[&series(&writes)])).unwrap()
    }

    #[test]
    fn ten_times_the_usual_and_fifty_blocks_are_an_alarm() {
        assert_eq!(day(5.0, 5.0).usual, Some(5.0));
        assert_eq!(alarm(&day(5.0, 50.0)), None);
        assert_eq!(alarm(&day(5.0, 51.0)), Some(Alarm::Unusual));
        assert_eq!(alarm(&day(4.0, 49.0)), None); // twelve times, but little
        assert_eq!(alarm(&day(6.0, 59.0)), None); // much, but not ten times
        assert_eq!(alarm(&day(5.0, 1_920.0)), Some(Alarm::UnusualAndBad));
        assert_eq!(alarm(&day(900.0, 999.0)), None);
        assert_eq!(alarm(&day(900.0, 1_000.0)), Some(Alarm::Bad));
    }

    #[test]
    fn a_reset_in_between_is_no_alarm() {
        let blocks = [
            0.0, 500.0, 1_000.0, 1_500.0, 2_000.0, 2_500.0, 3_000.0, 100.0, 600.0,
        ];
        let writes = [0.0, 100.0, 200.0, 300.0, 400.0, 500.0, 600.0, 20.0, 120.0];
        let rate = rate(&intervals(&series(&blocks), &[&series(&writes)])).unwrap();
        assert_eq!((rate.now, rate.usual), (5.0, Some(5.0)));
    }

    #[test]
    fn without_enough_writes_nothing_is_said_and_without_a_past_nothing_is_usual() {
        let few = intervals(&series(&[0.0, 90_000.0]), &[&series(&[0.0, 19.0])]);
        assert_eq!(rate(&few), None);
        let enough = intervals(&series(&[0.0, 90_000.0]), &[&series(&[0.0, 20.0])]);
        let rate = rate(&enough).unwrap();
        assert_eq!((rate.now, rate.usual), (4_500.0, None));
        assert_eq!(alarm(&rate), Some(Alarm::Bad));
    }

    #[test]
    fn calls_count_where_no_row_was_written_and_unpaired_samples_do_not() {
        let calls = series(&[0.0, 50.0, 100.0]);
        let rows = series(&[0.0, 0.0, 0.0]);
        let all = intervals(&series(&[0.0, 100.0, 200.0]), &[&rows, &calls]);
        assert_eq!(all[1].writes, 50.0);
        assert!(intervals(&series(&[0.0, 100.0, 200.0]), &[&rows[..1]]).is_empty());
    }
}
