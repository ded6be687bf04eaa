//! How long the vacuums that are due will take. Pure; an estimate, and said as one.
//!
//! A vacuum pays for each page that it reads and for each that it makes dirty, and sleeps whenever it has spent
//! `cost_limit`, so that its pace is a budget of *tokens* for each second, which all automatic vacuums share.

use serde::Serialize;

/// A vacuum without delay is as fast as the disk: 500 MB/s, a guess on the slow side for what databases run on.
const UNTHROTTLED_PAGES_PER_S: f64 = 64_000.0;
/// Which share of the pages gets dirty, where nobody counts the frozen ones (before PostgreSQL 18).
const DIRTY_SHARE: f64 = 0.3;
/// The estimate may be wrong by this factor: a cold index, a busy disk.
pub const WRONG_BY: f64 = 2.0;

/// What vacuums pay, and what they may spend.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct CostSettings {
    /// Tokens until they sleep.
    pub limit: f64,
    /// How long they sleep, in milliseconds; 0: never.
    pub delay_ms: f64,
    /// Tokens for a page that is read.
    pub page_miss: f64,
    /// Tokens for a page that was clean.
    pub page_dirty: f64,
}

impl Default for CostSettings {
    /// PostgreSQL's own.
    fn default() -> Self {
        CostSettings {
            limit: 200.0,
            delay_ms: 2.0,
            page_miss: 2.0,
            page_dirty: 20.0,
        }
    }
}

/// What lies before them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Work {
    /// Tables.
    pub tables: f64,
    /// Their pages.
    pub pages: f64,
    /// Of which frozen already; they are not read.
    pub frozen_pages: Option<f64>,
    /// Pages of their indexes.
    pub index_pages: f64,
}

impl CostSettings {
    /// Seconds for the work, all of it by automatic vacuums with these settings.
    pub fn seconds(&self, work: &Work) -> f64 {
        let read = (work.pages - work.frozen_pages.unwrap_or(0.0)).max(0.0);
        if self.delay_ms <= 0.0 {
            return (read + work.index_pages) / UNTHROTTLED_PAGES_PER_S;
        }
        // Where frozen pages are counted, the others hold what is to be frozen: each of them gets dirty.
        let dirty = match work.frozen_pages {
            Some(_) => read,
            None => read * DIRTY_SHARE,
        };
        let tokens = read * self.page_miss + dirty * self.page_dirty + work.index_pages * self.page_miss;
        tokens / (self.limit * 1_000.0 / self.delay_ms)
    }
}

/// Seconds until a running vacuum has read its table, at its pace so far; `None` before it has read a hundredth.
pub fn seconds_left(pages: f64, scanned_pages: f64, running_s: f64) -> Option<f64> {
    (pages > 0.0 && scanned_pages >= pages / 100.0)
        .then(|| running_s * (pages - scanned_pages).max(0.0) / scanned_pages)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The worked example of PostgreSQL's defaults: 1 TB of which 30 % gets dirty takes three hours.
    #[test]
    fn a_terabyte_takes_three_hours_with_the_defaults() {
        let work = Work {
            pages: 134_217_728.0,
            ..Work::default()
        };
        let hours = CostSettings::default().seconds(&work) / 3_600.0;
        assert!((hours - 2.98).abs() < 0.02, "{hours}");
    }

    #[test]
    fn frozen_pages_cost_nothing_and_the_others_get_dirty() {
        let work = Work {
            pages: 1_000_000.0,
            frozen_pages: Some(900_000.0),
            index_pages: 10_000.0,
            tables: 1.0,
        };
        // 100,000 pages of 22 tokens and 10,000 of 2, at 100,000 tokens a second.
        assert!((CostSettings::default().seconds(&work) - 22.2).abs() < 0.001);
        let fast = CostSettings {
            delay_ms: 0.0,
            ..CostSettings::default()
        };
        assert!((fast.seconds(&work) - 110_000.0 / 64_000.0).abs() < 0.001);
    }

    #[test]
    fn a_running_vacuum_is_measured_by_its_own_pace() {
        assert_eq!(seconds_left(1_000.0, 250.0, 60.0), Some(180.0));
        assert_eq!(seconds_left(1_000.0, 9.0, 60.0), None);
        assert_eq!(seconds_left(0.0, 0.0, 60.0), None);
    }
}
