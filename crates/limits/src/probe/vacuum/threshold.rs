//! When autovacuum comes, and what it costs, as `autovacuum.c` reckons. Pure.

use serde::Serialize;

/// What all tables go by.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Settings {
    /// Autovacuum runs, and counts what it needs.
    pub is_on: bool,
    /// Workers at most.
    pub workers_max: f64,
    /// Workers that are busy, in all databases.
    pub workers_busy: f64,
    /// `autovacuum_vacuum_threshold`, rows.
    pub vacuum_threshold: f64,
    /// `autovacuum_vacuum_scale_factor`.
    pub vacuum_scale: f64,
    /// `autovacuum_vacuum_max_threshold` (PostgreSQL 18); negative: none.
    pub vacuum_max: Option<f64>,
    /// `autovacuum_vacuum_insert_threshold`; negative: never for inserts.
    pub insert_threshold: f64,
    /// `autovacuum_vacuum_insert_scale_factor`.
    pub insert_scale: f64,
    /// What workers may spend between two pauses, shared by all of them.
    pub cost_limit: f64,
    /// Milliseconds of a pause.
    pub delay_ms: f64,
    /// The price of a page that is read.
    pub cost_miss: f64,
    /// The price of a page that is changed.
    pub cost_dirty: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            is_on: true,
            workers_max: 3.0,
            workers_busy: 0.0,
            vacuum_threshold: 50.0,
            vacuum_scale: 0.2,
            vacuum_max: None,
            insert_threshold: 1_000.0,
            insert_scale: 0.2,
            cost_limit: 200.0,
            delay_ms: 2.0,
            cost_miss: 2.0,
            cost_dirty: 20.0,
        }
    }
}

/// The table's own settings, `name=value`.
fn option(options: &[String], name: &str) -> Option<f64> {
    options.iter().find_map(|text| {
        let (known, value) = text.split_once('=')?;
        (known == name).then(|| value.parse().ok()).flatten()
    })
}

/// Whether the table says that autovacuum leaves it alone.
pub fn is_off(options: &[String]) -> bool {
    options.iter().any(|text| {
        text.strip_prefix("autovacuum_enabled=")
            .is_some_and(|value| matches!(value, "false" | "off" | "no" | "0"))
    })
}

/// Dead rows from which on a vacuum is due.
pub fn dead_rows(settings: &Settings, options: &[String], rows: f64) -> f64 {
    let fixed = option(options, "autovacuum_vacuum_threshold").unwrap_or(settings.vacuum_threshold);
    let scale = option(options, "autovacuum_vacuum_scale_factor").unwrap_or(settings.vacuum_scale);
    let threshold = fixed + scale * rows.max(0.0);
    match option(options, "autovacuum_vacuum_max_threshold").or(settings.vacuum_max) {
        Some(max) if max >= 0.0 => threshold.min(max),
        _ => threshold,
    }
}

/// Inserted rows from which on a vacuum is due; `None`: never. `frozen` is the share of pages that are frozen already,
/// which counts from PostgreSQL 18 on.
pub fn inserted_rows(settings: &Settings, options: &[String], rows: f64, frozen: f64) -> Option<f64> {
    let fixed = option(options, "autovacuum_vacuum_insert_threshold").unwrap_or(settings.insert_threshold);
    let scale = option(options, "autovacuum_vacuum_insert_scale_factor").unwrap_or(settings.insert_scale);
    (fixed >= 0.0).then(|| fixed + scale * rows.max(0.0) * (1.0 - frozen.clamp(0.0, 1.0)))
}

/// The price of one vacuum: pages that are read, those of them that are changed, and all indexes once.
pub fn price(settings: &Settings, pages: f64, dirtied: f64, index_pages: f64) -> f64 {
    (pages + index_pages) * settings.cost_miss + dirtied * settings.cost_dirty
}

/// What all workers together may spend in a second; `None`: as much as they like.
pub fn budget_per_s(settings: &Settings) -> Option<f64> {
    (settings.delay_ms > 0.0).then(|| settings.cost_limit * 1_000.0 / settings.delay_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(text: &[&str]) -> Vec<String> {
        text.iter().map(|t| (*t).to_owned()).collect()
    }

    #[test]
    fn thresholds_are_those_of_autovacuum() {
        let settings = Settings::default();
        assert_eq!(dead_rows(&settings, &[], 1_000_000.0), 200_050.0);
        assert_eq!(dead_rows(&settings, &[], -1.0), 50.0);
        let own = options(&[
            "autovacuum_vacuum_scale_factor=0.01",
            "autovacuum_vacuum_threshold=7",
        ]);
        assert_eq!(dead_rows(&settings, &own, 1_000_000.0), 10_007.0);
        let newer = Settings {
            vacuum_max: Some(100_000_000.0),
            ..settings
        };
        assert_eq!(dead_rows(&newer, &[], 1e10), 1e8);
        let none = options(&["autovacuum_vacuum_max_threshold=-1"]);
        assert_eq!(dead_rows(&newer, &none, 1e10), 2e9 + 50.0);
    }

    #[test]
    fn inserts_count_only_what_is_not_frozen() {
        let settings = Settings::default();
        assert_eq!(inserted_rows(&settings, &[], 10_000.0, 0.0), Some(3_000.0));
        assert_eq!(
            inserted_rows(&settings, &[], 10_000.0, 0.9),
            Some(1_000.0 + 2_000.0 * (1.0 - 0.9))
        );
        let never = options(&["autovacuum_vacuum_insert_threshold=-1"]);
        assert_eq!(inserted_rows(&settings, &never, 10_000.0, 0.0), None);
    }

    #[test]
    fn the_price_of_a_vacuum() {
        let settings = Settings::default();
        assert_eq!(budget_per_s(&settings), Some(100_000.0));
        // 1 TB of heap, 30 % changed, without indexes: three hours.
        let pages = 134_217_728.0;
        let hours = price(&settings, pages, pages * 0.3, 0.0) / 100_000.0 / 3_600.0;
        assert!((hours - 2.98).abs() < 0.01, "{hours}");
        let free = Settings {
            delay_ms: 0.0,
            ..settings
        };
        assert_eq!(budget_per_s(&free), None);
        assert!(is_off(&options(&["autovacuum_enabled=false"])));
        assert!(!is_off(&options(&["autovacuum_enabled=true", "fillfactor=70"])));
    }
}
