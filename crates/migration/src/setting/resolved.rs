//! The settings of one migration as a worker uses them.

use std::collections::BTreeMap;

use corridor_pg::{Fault, Result};

use super::{definition, normalise};
use crate::fault::BAD_SETTING;
use crate::throttle::{Limit, Limits, Signal};

/// All settings of one migration, resolved: what was set, else the default.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// `workers`
    pub workers: u32,
    /// `lanes`
    pub lanes: u32,
    /// `nice`, 0 to 1.
    pub nice: f64,
    /// `chunk.target_ms`
    pub chunk_target_ms: u64,
    /// `chunk.max_bytes`
    pub chunk_max_bytes: u64,
    /// `cutover.auto`
    pub is_cutover_auto: bool,
    /// `cutover.lock_budget_ms`
    pub cutover_lock_budget_ms: u64,
    /// `cutover.attempts`
    pub cutover_attempts: u32,
    /// `lease.ttl_ms`
    pub lease_ttl_ms: u64,
    /// `log.slot_max_bytes`
    pub log_slot_max_bytes: u64,
    /// `throttle.interval_ms`
    pub throttle_interval_ms: u64,
    /// `throttle.<signal>`
    pub limits: Limits,
    /// `throttle.custom.query`, `None` when it is empty.
    pub custom_query: Option<String>,
    /// `throttle.cores`, `None` for `auto`.
    pub cores: Option<f64>,
}

impl Settings {
    /// Resolves what is stored (key to value). Values are checked again: the table can be written by hand.
    pub fn resolve(stored: &BTreeMap<String, String>) -> Result<Self> {
        for key in stored.keys() {
            definition(key)?;
        }
        let text = |key: &'static str| -> Result<String> {
            match stored.get(key) {
                Some(value) => normalise(key, value),
                None => Ok(definition(key)?.default.to_owned()),
            }
        };
        let number = |key: &'static str| -> Result<u64> {
            let text = text(key)?;
            text.parse()
                .map_err(|_| Fault::new(&BAD_SETTING, format!("{key} = {text:?}")))
        };
        let small =
            |key: &'static str| -> Result<u32> { Ok(u32::try_from(number(key)?).unwrap_or(u32::MAX)) };
        let mut limits = Limits::none();
        for signal in Signal::ALL {
            let key = signal.key();
            if let Ok(figure) = text(key)?.parse::<f64>() {
                limits.set(
                    signal,
                    Limit {
                        figure,
                        is_explicit: stored.contains_key(key),
                    },
                );
            }
        }
        let query = text("throttle.custom.query")?;
        Ok(Settings {
            workers: small("workers")?,
            lanes: small("lanes")?,
            nice: text("nice")?.parse().unwrap_or(0.0),
            chunk_target_ms: number("chunk.target_ms")?,
            chunk_max_bytes: number("chunk.max_bytes")?,
            is_cutover_auto: text("cutover.auto")? == "on",
            cutover_lock_budget_ms: number("cutover.lock_budget_ms")?,
            cutover_attempts: small("cutover.attempts")?,
            lease_ttl_ms: number("lease.ttl_ms")?,
            log_slot_max_bytes: number("log.slot_max_bytes")?,
            throttle_interval_ms: number("throttle.interval_ms")?,
            limits,
            custom_query: (!query.is_empty()).then_some(query),
            cores: text("throttle.cores")?.parse().ok(),
        })
    }
}
