//! Arithmetic of the id space of one TOAST relation. Pure.
//!
//! A value that is stored out of line gets an object id that its TOAST relation does not use. The server takes the
//! next one of a counter that the whole cluster shares and looks it up in the relation's index, until one is free
//! (`GetNewOidWithIndex`). So one look-up for each value is the least; with a share `p` of the ids in use it is
//! `1 / (1 - p)` on average over a lap of the counter, and the worst single write pays for the longest run of used ids.

use serde::Serialize;

/// The counter begins here again after `2^32 - 1`.
pub const FIRST_ID: u32 = 16_384;
/// As many ids as one TOAST relation can have.
pub const IDS: f64 = 4_294_950_912.0;

/// `id` moved on by `by`, round the space.
pub fn ahead(id: u32, by: u64) -> u32 {
    let place = u64::from(id.max(FIRST_ID) - FIRST_ID) + by;
    FIRST_ID + (place % IDS as u64) as u32
}

/// How many ids the counter takes from `from` to `to`.
pub fn distance(from: u32, to: u32) -> u64 {
    let (from, to) = (u64::from(from.max(FIRST_ID)), u64::from(to.max(FIRST_ID)));
    if to >= from {
        to - from
    } else {
        IDS as u64 - (from - to)
    }
}

/// One random id in each of `count` equal parts of the space, in order. `random` yields numbers from 0 to 1.
///
/// Stratified: the estimate is as unbiased as that of free points, and closer where used ids lie in runs.
pub fn points(count: u32, mut random: impl FnMut() -> f64) -> Vec<u32> {
    let width = IDS / f64::from(count);
    (0..count)
        .map(|n| {
            let place = (f64::from(n) + random().clamp(0.0, 0.999_999_999)) * width;
            FIRST_ID + place.min(IDS - 1.0) as u32
        })
        .collect()
}

/// Ids ahead of the counter that grow further apart: 64 at each spacing of 256, 1,024, 4,096 … 1,048,576 ids. What is
/// ahead within 89 million ids and longer than a sixteenth of its distance has one of them inside.
pub fn near_points(counter: u32) -> Vec<u32> {
    let mut at = 0u64;
    let mut ids = Vec::with_capacity(448);
    for level in 0..7 {
        for _ in 0..64 {
            ids.push(ahead(counter, at));
            at += 256 << (2 * level);
        }
    }
    ids
}

/// A share and its standard error.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Estimate {
    /// 0 to 1.
    pub share: f64,
    /// One standard error, 0 to 1; for few hits it is that of two more of each (Agresti and Coull), so that none at all
    /// does not claim to be certain.
    pub standard_error: f64,
}

/// `hits` of `points` that were used.
pub fn estimate(hits: u32, points: u32) -> Estimate {
    let n = f64::from(points) + 4.0;
    let p = (f64::from(hits) + 2.0) / n;
    Estimate {
        share: if points == 0 {
            0.0
        } else {
            f64::from(hits) / f64::from(points)
        },
        standard_error: (p * (1.0 - p) / n).sqrt(),
    }
}

/// Look-ups for each value on average over a lap of the counter: `1 / (1 - p)`.
pub fn lookups_per_value(share: f64) -> f64 {
    1.0 / (1.0 - share.clamp(0.0, 0.999_999))
}

/// Look-ups for each value in a window of time: used ids that were met and chunks of fresh values are both counted by
/// the index's statistics.
///
/// A look-up that meets a used id fetches one row; one that finds a free id fetches none. Reading a value is one scan
/// that fetches all of its chunks. So of `fetches`, as many as `reads` chunks are not ours to count; reads are told from
/// the scans: `scans = values + walked + reads`, `fetches = walked + reads * chunks`. Two equations, two unknowns.
pub fn walked(values: f64, scans: f64, fetches: f64, chunks_per_value: f64) -> f64 {
    let beyond = (scans - values).max(0.0);
    if chunks_per_value <= 1.001 {
        // Then a read looks like a used id that is met, and nothing here tells them apart: this is the most that it can be.
        return beyond;
    }
    let reads = ((fetches - beyond) / (chunks_per_value - 1.0)).clamp(0.0, beyond);
    beyond - reads
}

/// A stretch of ids that are (nearly) all used.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Stretch {
    /// The first id of it.
    pub first: u32,
    /// How many.
    pub ids: u64,
    /// How far the counter is from it; 0 when it is inside.
    pub distance: u64,
}

/// In which of `parts` equal parts of the space an id is.
pub fn part(id: u32, parts: usize) -> usize {
    let place = f64::from(id.saturating_sub(FIRST_ID)) / IDS;
    ((place * parts as f64) as usize).min(parts.saturating_sub(1))
}

/// How the share of used ids lies over the space: `parts` equal parts, each with the share of its points that hit.
pub fn map(points: &[u32], is_used: &[bool], parts: usize) -> Vec<f64> {
    let mut hits = vec![(0u32, 0u32); parts];
    for (id, used) in points.iter().zip(is_used) {
        let slot = &mut hits[part(*id, parts)];
        slot.0 += u32::from(*used);
        slot.1 += 1;
    }
    hits.into_iter()
        .map(|(hit, of)| {
            if of == 0 {
                0.0
            } else {
                f64::from(hit) / f64::from(of)
            }
        })
        .collect()
}

/// Partitions so that each has at most a quarter of its ids in use after `years`: a power of two, at least 16.
pub fn partitions(used_now: f64, growth_per_year: f64, years: f64) -> u32 {
    let then = used_now + growth_per_year.max(0.0) * years;
    let mut partitions = 16u32;
    while f64::from(partitions) * IDS / 4.0 < then && partitions < 4_096 {
        partitions *= 2;
    }
    partitions
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_counter_goes_round() {
        assert_eq!(ahead(u32::MAX, 1), FIRST_ID);
        assert_eq!(distance(u32::MAX, FIRST_ID), 1);
        assert_eq!(distance(FIRST_ID, u32::MAX), IDS as u64 - 1);
        assert_eq!(ahead(5, 0), FIRST_ID);
    }

    proptest! {
        #[test]
        fn ahead_and_distance_are_inverse(from in FIRST_ID..=u32::MAX, by in 0u64..4_294_950_912) {
            prop_assert_eq!(distance(from, ahead(from, by)), by);
        }

        #[test]
        fn points_are_one_in_each_part(count in 1u32..5_000, at in 0.0f64..1.0) {
            let ids = points(count, || at);
            prop_assert_eq!(ids.len(), count as usize);
            prop_assert!(ids.windows(2).all(|pair| pair[0] < pair[1]));
            prop_assert!(ids.iter().all(|id| *id >= FIRST_ID));
        }

        /// What walked counts is what was walked, whatever was read beside it.
        #[test]
        fn reads_are_not_taken_for_used_ids(
            values in 0u32..10_000, met in 0u32..1_000_000, reads in 0u32..100_000, chunks in 2u32..9,
        ) {
            let scans = f64::from(values + met + reads);
            let fetches = f64::from(met) + f64::from(reads) * f64::from(chunks);
            let found = walked(f64::from(values), scans, fetches, f64::from(chunks));
            prop_assert!((found - f64::from(met)).abs() < 1e-6 * f64::from(met.max(1)) + 1e-6);
        }
    }

    #[test]
    fn near_points_reach_far_and_miss_no_long_run() {
        let ids = near_points(u32::MAX - 1_000);
        let reach = distance(ids[0], *ids.last().unwrap());
        assert!((80_000_000..100_000_000).contains(&reach), "{reach}");
        for pair in ids.windows(2) {
            let (at, gap) = (distance(ids[0], pair[0]), distance(pair[0], pair[1]));
            assert!(gap <= 256 || gap * 16 <= at, "a gap of {gap} at {at}");
        }
    }

    #[test]
    fn no_hit_is_not_certainty() {
        let none = estimate(0, 3_072);
        assert_eq!(none.share, 0.0);
        assert!(none.standard_error > 0.0003 && none.standard_error < 0.001);
        let half = estimate(1_536, 3_072);
        assert!((half.standard_error - 0.009).abs() < 0.0005);
    }

    #[test]
    fn partitions_hold_for_the_years_asked_for() {
        assert_eq!(partitions(1e6, 0.0, 5.0), 16);
        // 3 billion used, 1 billion more a year: 8 billion after five years, a quarter of 2^32 each: 8 would do; 16 at least.
        assert_eq!(partitions(3e9, 1e9, 5.0), 16);
        assert_eq!(partitions(4e9, 12e9, 5.0), 64);
    }

    #[test]
    fn the_map_shows_where_the_used_ids_lie() {
        let ids = points(1_024, || 0.5);
        let used: Vec<bool> = ids.iter().map(|id| *id < FIRST_ID + (IDS / 4.0) as u32).collect();
        assert_eq!(map(&ids, &used, 8), [1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
    }
}
