//! `corridor-lint.toml`: how this repository wants to be judged.

use std::collections::BTreeMap;

use corridor_pg::{Fault, Result};
use serde::Deserialize;

use crate::fault::BAD_CONFIG;
use crate::finding::Severity;
use crate::judge::Settings;
use crate::policy::Hot;
use crate::rules;
use crate::session::milliseconds;
use crate::source::Runner;

/// The file's name, looked for in the working directory.
pub const FILE: &str = "corridor-lint.toml";

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    runner: Option<Runner>,
    pg_version: Option<u32>,
    hygiene: Option<bool>,
    lock_timeout: Option<String>,
    statement_timeout: Option<String>,
    hot_tables: Vec<String>,
    policy: Option<String>,
    rules: BTreeMap<String, Level>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Level {
    Off,
    Notice,
    Warning,
    Error,
}

/// Settings from the text of a file.
pub fn read(label: &str, text: &str) -> Result<Settings> {
    let bad = |why: String| Fault::new(&BAD_CONFIG, format!("{label}: {why}"));
    let file: File = toml::from_str(text).map_err(|error| bad(error.message().to_owned()))?;
    let mut settings = Settings {
        runner: file.runner,
        hygiene: file.hygiene.unwrap_or(false),
        ..Settings::default()
    };
    if let Some(major) = file.pg_version {
        settings.major = major;
    }
    let time = |key: &str, text: &Option<String>| match text {
        Some(text) => milliseconds(text)
            .map(Some)
            .ok_or_else(|| bad(format!("{key}: {text:?} is no time"))),
        None => Ok(None),
    };
    settings.timeouts.lock_ms = time("lock_timeout", &file.lock_timeout)?;
    settings.timeouts.statement_ms = time("statement_timeout", &file.statement_timeout)?;
    settings.hot_tables = file.hot_tables.iter().map(|text| Hot::named(text)).collect();
    settings.policy = file.policy;
    for (word, level) in &file.rules {
        let rule = rules::find(word).ok_or_else(|| bad(format!("rules.{word}: there is no such rule")))?;
        let severity = match level {
            Level::Off => {
                settings.off.insert(rule.code.id.to_owned());
                continue;
            }
            Level::Notice => Severity::Notice,
            Level::Warning => Severity::Warning,
            Level::Error => Severity::Error,
        };
        settings.severities.push((rule.code.id.to_owned(), severity));
    }
    Ok(settings)
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn a_file_says_how_to_judge() {
        let settings = read("x", "runner = 'flyway'\nlock_timeout = '2s'\nhot_tables = ['public.users']\n[rules]\nLNT-001 = 'off'\nno-lock-timeout = 'notice'\n").unwrap();
        assert!(settings.off.contains("LNT-001"));
        assert_eq!(settings.timeouts.lock_ms, Some(2_000));
        for wrong in [
            "rules.LNT-999 = 'off'",
            "runer = 'flyway'",
            "lock_timeout = 'soon'",
            "runner = 'nobody'",
        ] {
            assert_eq!(read("x", wrong).unwrap_err().code().id, "LNT-902", "{wrong}");
        }
    }
}
