//! How much disk and write-ahead log a move needs, and by which formula.

use serde::{Deserialize, Serialize};

/// Rows, bytes, disk and WAL of a move.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The planner's estimate of the table's rows; below zero when it was never analysed.
    pub row_estimate: f64,
    /// The source's main fork.
    pub heap_bytes: i64,
    /// The source's TOAST table with its index.
    pub toast_bytes: i64,
    /// The source's indexes.
    pub index_bytes: i64,
    /// Disk that the move needs beside the source until `finish`.
    pub disk_needed_bytes: i64,
    /// Write-ahead log that the copy and the index builds write.
    pub wal_needed_bytes: i64,
}

impl Estimate {
    /// The formulas, for people.
    pub const FORMULA: &str = "disk = heap + TOAST + indexes, and 10 % for the change log and free space; \
        WAL = 1.25 x (heap + TOAST) for the copy (a full row and its headers) + indexes x 1.05";

    /// Estimates from the source's sizes. Bloat in the source makes the figures too high, never too low by much: the
    /// copy has none.
    pub fn of(row_estimate: f64, heap_bytes: i64, toast_bytes: i64, index_bytes: i64) -> Self {
        let data = heap_bytes.saturating_add(toast_bytes);
        let all = data.saturating_add(index_bytes);
        Estimate {
            row_estimate,
            heap_bytes,
            toast_bytes,
            index_bytes,
            disk_needed_bytes: all.saturating_add(all / 10),
            wal_needed_bytes: data
                .saturating_add(data / 4)
                .saturating_add(index_bytes)
                .saturating_add(index_bytes / 20),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_estimate_follows_its_formula() {
        let e = Estimate::of(1e6, 1000, 400, 200);
        assert_eq!((e.disk_needed_bytes, e.wal_needed_bytes), (1760, 1960));
        let huge = Estimate::of(1e18, i64::MAX, i64::MAX, i64::MAX);
        assert_eq!(huge.disk_needed_bytes, i64::MAX);
    }
}
