//! How much of a relation is of use. Pure.
//!
//! Rows of random pages: what they take is summed as the server lays them out (header, alignment, line pointer), so that
//! the only error is that of the sample, which is stated. Two things are left open: values that stand out of line, which
//! before PostgreSQL 17 are told from others by their size, and the room at the end of a page that no row fits into,
//! which is taken as for rows of the average size.
//!
//! Indexes: by their past, or by the planner's statistics. The formula knows nothing of equal entries that a btree keeps
//! once (PostgreSQL 13 and later): for those it would say less than nothing, so it says nothing.

use serde::Serialize;

/// Of a page of 8 kB, what rows may take.
const PAGE: f64 = 8_192.0;
/// Header of a heap page.
const PAGE_HEADER: f64 = 24.0;
/// Header and the end of a btree page.
const BTREE_HEADER: f64 = 40.0;

/// Rows in random pages, as they were found.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Pages {
    /// Bytes of live rows in each page that was looked at, with their line pointers; 0 for an empty one.
    pub live_bytes: Vec<f64>,
    /// Live rows in all of them.
    pub rows: f64,
    /// How many pages the relation has.
    pub of: f64,
}

/// A share with its error.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Share {
    /// Dead or free, of all.
    pub bloat: f64,
    /// One standard error.
    pub standard_error: f64,
}

/// The share of a heap that is dead or free, beyond what its `fillfactor` keeps free.
pub fn heap(pages: &Pages, fill_factor: f64) -> Option<Share> {
    let n = pages.live_bytes.len() as f64;
    if n < 2.0 {
        return None;
    }
    let mean = pages.live_bytes.iter().sum::<f64>() / n;
    let variance = pages
        .live_bytes
        .iter()
        .map(|bytes| (bytes - mean).powi(2))
        .sum::<f64>()
        / (n - 1.0);
    let room = PAGE - PAGE_HEADER - PAGE * (100.0 - fill_factor) / 100.0;
    let row = if pages.rows > 0.0 {
        mean * n / pages.rows
    } else {
        0.0
    };
    // No page takes half a row.
    let full = if row > 0.0 && row <= room {
        (room / row).floor() * row
    } else {
        room
    };
    // When all pages were looked at, nothing is left to chance.
    let unseen = (1.0 - n / pages.of.max(n)).max(0.0);
    Some(Share {
        bloat: (1.0 - mean / full).clamp(0.0, 1.0),
        standard_error: (variance / n * unseen).sqrt() / full,
    })
}

/// A column of an index, as the planner's statistics have it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Column {
    /// Average width; `None` without statistics.
    pub width: Option<f64>,
    /// Share of nulls.
    pub null_share: f64,
    /// Different values.
    pub distinct_values: f64,
    /// Its values have different lengths.
    pub is_variable: bool,
}

/// The share of a btree that is bloat, by the formula. `None` where it would mislead: without statistics, and where
/// equal entries are kept once.
pub fn btree(
    pages: f64,
    entries: f64,
    fill_factor: f64,
    columns: &[Column],
    are_equal_merged: bool,
) -> Option<f64> {
    if entries < 1_000.0 || pages < 1.0 || columns.is_empty() {
        return None;
    }
    let distinct = columns.iter().map(|c| c.distinct_values).fold(0.0, f64::max);
    if are_equal_merged && distinct < 0.9 * entries {
        return None;
    }
    let mut width = 0.0;
    for column in columns {
        // Nulls are equal to each other: they are kept once, too.
        if are_equal_merged && column.null_share > 0.05 {
            return None;
        }
        width += column.width? * (1.0 - column.null_share);
    }
    let aligned = if columns.iter().any(|c| c.is_variable) {
        width + 8.0 + 3.5
    } else {
        ((width + 8.0) / 8.0).ceil() * 8.0
    };
    let room = PAGE - BTREE_HEADER - PAGE * (100.0 - fill_factor) / 100.0;
    let leaves = entries / (room / (aligned + 4.0)).floor().max(1.0);
    // Inner pages are one in a hundred to one in three hundred.
    let expected = leaves * 1.005 + 2.0;
    Some((1.0 - expected / pages).clamp(0.0, 1.0))
}

/// The share that a relation is larger for each row than it was at its best.
pub fn against_best(now: f64, past: impl Iterator<Item = f64>) -> Option<f64> {
    let best = past.filter(|v| *v > 0.0).fold(f64::INFINITY, f64::min);
    (best.is_finite() && now > 0.0).then(|| (1.0 - best / now).max(0.0))
}

/// The share of a btree that is bloat, from what `pgstatindex` counted.
pub fn counted(leaves: f64, density: f64, empty: f64, deleted: f64, fill_factor: f64) -> f64 {
    let all = leaves + empty + deleted;
    if all <= 0.0 {
        return 0.0;
    }
    (1.0 - leaves * density / (all * fill_factor)).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_empty_pages_are_half_bloat_and_the_fill_factor_is_none() {
        let pages = |each: &[f64], rows: f64| Pages {
            live_bytes: each.to_vec(),
            rows,
            of: 1_000.0,
        };
        // 40 bytes a row: 204 fit into 8,168 bytes, 8,160.
        let share = heap(&pages(&[8_160.0, 0.0, 8_160.0, 0.0], 408.0), 100.0).unwrap();
        assert!((share.bloat - 0.5).abs() < 1e-9, "{share:?}");
        assert!((share.standard_error - 0.288).abs() < 0.001, "{share:?}");
        let share = heap(&pages(&[4_080.0; 10], 1_020.0), 50.0).unwrap();
        assert!(share.bloat < 0.01, "{share:?}");
        // Three rows of 2,600 bytes are a full page: a fourth does not fit.
        let share = heap(&pages(&[7_800.0; 10], 30.0), 100.0).unwrap();
        assert_eq!((share.bloat, share.standard_error), (0.0, 0.0));
        assert_eq!(heap(&pages(&[0.0; 5], 0.0), 100.0).unwrap().bloat, 1.0);
        assert_eq!(heap(&pages(&[], 0.0), 100.0), None);
    }

    fn key(distinct_values: f64) -> Column {
        Column {
            width: Some(8.0),
            distinct_values,
            ..Column::default()
        }
    }

    #[test]
    fn the_formula_is_silent_where_equal_entries_are_kept_once() {
        // A fresh index of a million int8: 2,745 pages.
        let fresh = btree(2_745.0, 1e6, 90.0, &[key(1e6)], true).unwrap();
        assert!(fresh < 0.01, "{fresh}");
        let half = btree(5_490.0, 1e6, 90.0, &[key(1e6)], true).unwrap();
        assert!((half - 0.5).abs() < 0.01, "{half}");
        assert_eq!(btree(5_490.0, 1e6, 90.0, &[key(8.9e5)], true), None);
        assert!(btree(5_490.0, 1e6, 90.0, &[key(8.9e5)], false).is_some());
        let unknown = Column {
            width: None,
            ..key(1e6)
        };
        assert_eq!(btree(5_490.0, 1e6, 90.0, &[unknown], true), None);
        assert_eq!(btree(5_490.0, 999.0, 90.0, &[key(1e6)], true), None);
    }

    #[test]
    fn against_its_best_and_as_counted() {
        assert_eq!(against_best(40.0, [20.0, 30.0].into_iter()), Some(0.5));
        assert_eq!(against_best(40.0, std::iter::empty()), None);
        assert_eq!(against_best(20.0, [30.0].into_iter()), Some(0.0));
        assert!((counted(100.0, 45.0, 0.0, 0.0, 90.0) - 0.5).abs() < 1e-9);
        assert!((counted(50.0, 90.0, 10.0, 40.0, 90.0) - 0.5).abs() < 1e-9);
    }
}
