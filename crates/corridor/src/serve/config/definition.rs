//! Every setting of the service, in one table: key, default, meaning.

use corridor_pg::near::{did_you_mean, near};
use corridor_pg::{Fault, Result};

use crate::fault::BAD_CONFIG;

/// Settings of the service.
pub(super) struct Definition {
    pub(super) key: &'static str,
    pub(super) default: &'static str,
    /// What it does.
    doc: &'static str,
    /// It says who may change the others, or holds from a restart on: never kept in the database.
    pub(super) is_fixed: bool,
}

const fn open(key: &'static str, default: &'static str, doc: &'static str) -> Definition {
    Definition {
        key,
        default,
        doc,
        is_fixed: false,
    }
}

const fn fixed(key: &'static str, default: &'static str, doc: &'static str) -> Definition {
    Definition {
        key,
        default,
        doc,
        is_fixed: true,
    }
}

pub(super) const DEFINITIONS: &[Definition] = &[
    fixed(
        "listen",
        "127.0.0.1:8765",
        "Address of the HTTP service. Bound to this machine unless told otherwise.",
    ),
    open(
        "app_version",
        "",
        "The application's version; migrations for other versions are not started.",
    ),
    open(
        "auto_start",
        "false",
        "Start what is due by itself: needed, in range, and what it depends on is done.",
    ),
    open(
        "auto_rollback",
        "false",
        "Roll a failed migration of your own back by itself, when its retries are used up and all that was begun can be undone.",
    ),
    open(
        "windows",
        "",
        "Times of the day, local, in which something may be started by itself: 22:00-06:00, 12:00-13:00.",
    ),
    open(
        "workers",
        "4",
        "Migrations of one cluster that this service works at a time. 0: it shows and keeps the history, and works none.",
    ),
    open(
        "retries",
        "0",
        "How often a failed migration is resumed by itself, after a minute, two, four…",
    ),
    open(
        "collect",
        "true",
        "Keep the history that `corridor check` forecasts from, as `corridor watch` does.",
    ),
    open(
        "alerts.webhook",
        "",
        "Address that is told of failures, stalls and completions as JSON.",
    ),
    open(
        "alerts.slack",
        "",
        "The same as a text, for an incoming webhook of a chat.",
    ),
    open(
        "alerts.stall_minutes",
        "15",
        "Work that does not move for so long is told as stalled.",
    ),
    fixed(
        "console.proxy_header",
        "",
        "Header in which a trusted proxy names who is signed in; empty: no proxy is trusted.",
    ),
    fixed(
        "console.proxy_from",
        "127.0.0.1,::1",
        "Addresses from which that header is believed, with commas between them.",
    ),
    fixed(
        "console.sign_in_hours",
        "12",
        "How long somebody stays signed in to the console.",
    ),
    fixed(
        "tls.cert",
        "",
        "File with the certificate chain of the HTTP service (PEM); holds from a restart on.",
    ),
    fixed(
        "tls.key",
        "",
        "File with its private key (PEM); holds from a restart on.",
    ),
];

/// Tables of the file that hold settings.
pub(super) const TABLES: &[&str] = &["alerts", "console", "tls"];

/// All settings with what they do, for `corridor config show`.
pub(crate) fn doc(key: &str) -> &'static str {
    DEFINITIONS
        .iter()
        .find(|definition| definition.key == key)
        .map_or("A database.", |definition| definition.doc)
}

/// True for what the service reads once, when it starts.
pub(super) fn is_for_restart(key: &str) -> bool {
    DEFINITIONS
        .iter()
        .any(|definition| definition.key == key && definition.is_fixed)
}

/// Refuses a key that is unknown or is never kept in the database.
pub(crate) fn check_key(key: &str) -> Result<()> {
    let known = || DEFINITIONS.iter().map(|definition| definition.key);
    match DEFINITIONS.iter().find(|definition| definition.key == key) {
        Some(definition) if definition.is_fixed => Err(Fault::new(
            &BAD_CONFIG,
            format!("{key} is not changed while the service runs: set it in its file, and restart it"),
        )),
        Some(_) => Ok(()),
        None => {
            let suggestions = did_you_mean(&near(key, known()));
            Err(Fault::new(
                &BAD_CONFIG,
                format!("there is no setting {key}{suggestions}"),
            ))
        }
    }
}
