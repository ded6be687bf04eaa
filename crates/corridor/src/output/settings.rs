//! The settings of a migration.

use std::collections::BTreeMap;

use corridor_migration::setting::{DEFINITIONS, Definition, Kind, Unit};
use corridor_migration::store::StoredSetting;
use serde::Serialize;

use super::journal::moment;
use super::text::{Paint, hang, harmless, paint, paragraphs};

/// One setting as JSON.
#[derive(Debug, Serialize)]
pub(crate) struct SettingDocument<'a> {
    key: &'static str,
    value: &'a str,
    default: &'static str,
    #[serde(flatten)]
    kind: Kind,
    set_by: Option<&'a str>,
    set_at: Option<&'a str>,
    /// It was set for all migrations.
    is_for_all: bool,
    doc: &'static str,
}

impl SettingDocument<'_> {
    /// It is the setting with this key.
    pub(crate) fn is_about(&self, key: &str) -> bool {
        self.key == key
    }
}

/// What was set, for one migration and for all.
#[derive(Debug, Default)]
pub(crate) struct Stored {
    /// For this one; of none when all are looked at.
    pub(crate) own: BTreeMap<String, StoredSetting>,
    pub(crate) of_all: BTreeMap<String, StoredSetting>,
}

impl Stored {
    /// What holds, when somebody has set it, and whether that was for all.
    pub(crate) fn get(&self, key: &str) -> (Option<&StoredSetting>, bool) {
        match (self.own.get(key), self.of_all.get(key)) {
            (None, Some(set)) => (Some(set), true),
            (own, _) => (own, false),
        }
    }
}

/// All settings as JSON.
pub(crate) fn documents(stored: &Stored) -> Vec<SettingDocument<'_>> {
    DEFINITIONS
        .iter()
        .map(|definition| {
            let (set, is_for_all) = stored.get(definition.key);
            SettingDocument {
                key: definition.key,
                value: set.map_or(definition.default, |s| &s.value),
                default: definition.default,
                kind: definition.kind,
                set_by: set.map(|s| s.set_by.as_str()),
                set_at: set.map(|s| s.set_at.as_str()),
                is_for_all,
                doc: definition.doc,
            }
        })
        .collect()
}

/// All settings, each with its value, who set it, and what it means.
pub(crate) fn list(stored: &Stored) -> String {
    let parts: Vec<String> = DEFINITIONS
        .iter()
        .map(|definition| {
            let (set, is_for_all) = stored.get(definition.key);
            let value = set.map_or(definition.default, |s| &s.value);
            let origin = match set {
                Some(set) => {
                    let default = with_unit(definition, definition.default);
                    let whom = if is_for_all { "set for all" } else { "set" };
                    format!(
                        "{whom} by {}, {}; default {default}",
                        set.set_by,
                        moment(&set.set_at)
                    )
                }
                None => "default".to_owned(),
            };
            let line = format!("{} = {}", definition.key, with_unit(definition, value));
            [
                paint(Paint::Bold, &hang("", &harmless(&line))),
                hang("    ", &harmless(&origin)),
                paragraphs(definition.doc, 4),
            ]
            .join("\n")
        })
        .collect();
    parts.join("\n")
}

/// The value with its unit, and something to see when it is empty.
pub(crate) fn with_unit(definition: &Definition, value: &str) -> String {
    let unit = match definition.kind {
        Kind::Whole { unit, .. } | Kind::Figure { unit, .. } | Kind::Limit { unit } => unit,
        Kind::Auto { .. } | Kind::Switch | Kind::Query => Unit::Number,
    };
    match (value, unit.as_str()) {
        ("", _) => "(none)".to_owned(),
        (value, "") => value.to_owned(),
        (value, _) if value.parse::<f64>().is_err() => value.to_owned(),
        (value, unit) => format!("{value} {unit}"),
    }
}
