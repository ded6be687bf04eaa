//! Chunk sizes, steered by time and by bytes. Pure: the caller brings the measurements.

/// Smallest chunk. One row would make progress too, but the transaction's own cost would dominate.
const ROWS_MIN: u64 = 10;
/// Largest chunk: bounds what one statement can hold up, whatever the measurements say.
const ROWS_MAX: u64 = 1_000_000;
/// The first chunk is small: nothing is known yet about the rows or the server.
const ROWS_FIRST: u64 = 1_000;

/// Finds the number of rows that takes the wanted time and stays under the wanted bytes.
///
/// It grows by at most half a step, so that one lucky chunk does not lead to a slow one, and shrinks at once and in
/// proportion, because a chunk that is far over holds snapshots and replicas up.
#[derive(Debug, Clone)]
pub struct Sizer {
    rows: u64,
    target_ms: u64,
    bytes_max: u64,
}

impl Sizer {
    /// `target_ms`: wanted duration of a chunk; `bytes_max`: wanted upper bound of its stored bytes.
    pub fn new(target_ms: u64, bytes_max: u64) -> Self {
        Sizer {
            rows: ROWS_FIRST,
            target_ms: target_ms.max(1),
            bytes_max: bytes_max.max(1),
        }
    }

    /// New targets while it runs; the size follows with the next measurements.
    pub fn set_targets(&mut self, target_ms: u64, bytes_max: u64) {
        self.target_ms = target_ms.max(1);
        self.bytes_max = bytes_max.max(1);
    }

    /// Rows for the next chunk. `row_bytes` is the mean stored size of rows sampled at its start (0: unknown).
    pub fn next_rows(&self, row_bytes: u64) -> u64 {
        let by_bytes = self.bytes_max.checked_div(row_bytes).unwrap_or(ROWS_MAX);
        self.rows.min(by_bytes).clamp(ROWS_MIN, ROWS_MAX)
    }

    /// Takes note of a finished chunk.
    pub fn observe(&mut self, rows: u64, elapsed_ms: u64) {
        if rows == 0 {
            return;
        }
        let fitting = (u128::from(rows) * u128::from(self.target_ms) / u128::from(elapsed_ms.max(1))) as u64;
        if fitting < self.rows {
            // Slower than wanted by less than a tenth is noise.
            if elapsed_ms * 10 > self.target_ms * 11 {
                self.rows = fitting;
            }
        } else if rows * 10 >= self.rows * 9 {
            // Only a chunk that was as large as asked for says that more would fit.
            self.rows = fitting.min(self.rows + self.rows / 2);
        }
        self.rows = self.rows.clamp(ROWS_MIN, ROWS_MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn it_grows_by_half_and_shrinks_at_once() {
        let mut sizer = Sizer::new(500, 16 << 20);
        assert_eq!(sizer.next_rows(0), 1_000);
        sizer.observe(1_000, 5);
        assert_eq!(sizer.next_rows(0), 1_500);
        sizer.observe(1_500, 5_000);
        assert_eq!(sizer.next_rows(0), 150);
        sizer.observe(100, 1); // smaller than asked for: says nothing about larger ones
        assert_eq!(sizer.next_rows(0), 150);
    }

    #[test]
    fn bytes_bound_the_rows() {
        let sizer = Sizer::new(500, 16 << 20);
        assert_eq!(sizer.next_rows(1 << 20), 16);
        assert_eq!(sizer.next_rows(1 << 30), ROWS_MIN);
    }

    proptest! {
        #[test]
        fn it_settles_near_the_target_at_any_speed(rows_per_ms in 1u64..5_000) {
            let mut sizer = Sizer::new(500, u64::MAX);
            for _ in 0..60 {
                let rows = sizer.next_rows(0);
                sizer.observe(rows, (rows / rows_per_ms).max(1));
            }
            let rows = sizer.next_rows(0);
            let wanted = (rows_per_ms * 500).clamp(ROWS_MIN, ROWS_MAX);
            prop_assert!(rows * 10 >= wanted * 8 && rows <= wanted + wanted / 5 + ROWS_MIN, "{rows} for {wanted}");
        }

        #[test]
        fn it_never_grows_by_more_than_half(rows in 10u64..1_000_000, ms in 0u64..100_000) {
            let mut sizer = Sizer::new(500, u64::MAX);
            let before = sizer.next_rows(0);
            sizer.observe(rows, ms);
            prop_assert!(sizer.next_rows(0) <= before + before / 2);
        }
    }
}
