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
    doc: &'static str,
}

impl SettingDocument<'_> {
    /// It is the setting with this key.
    pub(crate) fn is_about(&self, key: &str) -> bool {
        self.key == key
    }
}

/// All settings as JSON.
pub(crate) fn documents(stored: &BTreeMap<String, StoredSetting>) -> Vec<SettingDocument<'_>> {
    DEFINITIONS
        .iter()
        .map(|definition| {
            let set = stored.get(definition.key);
            SettingDocument {
                key: definition.key,
                value: set.map_or(definition.default, |s| &s.value),
                default: definition.default,
                kind: definition.kind,
                set_by: set.map(|s| s.set_by.as_str()),
                set_at: set.map(|s| s.set_at.as_str()),
                doc: definition.doc,
            }
        })
        .collect()
}

/// All settings, each with its value, who set it, and what it means.
pub(crate) fn list(stored: &BTreeMap<String, StoredSetting>) -> String {
    let parts: Vec<String> = DEFINITIONS
        .iter()
        .map(|definition| {
            let set = stored.get(definition.key);
            let value = set.map_or(definition.default, |s| &s.value);
            let origin = match set {
                Some(set) => {
                    let default = with_unit(definition, definition.default);
                    format!(
                        "set by {}, {}; default {default}",
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
