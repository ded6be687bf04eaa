//! Findings that were there before: known, and not to be said again.
//!
//! A finding is known by its rule, its file and the text that it speaks of, so that lines may be added above it.

use std::collections::BTreeMap;

use corridor_pg::{Fault, Result};

use crate::fault::BAD_BASELINE;
use crate::finding::Finding;

/// The version of the file.
const VERSION: u64 = 1;

/// Findings with how often each stands there.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Baseline(BTreeMap<String, u64>);

/// What a finding is known by.
pub fn fingerprint(finding: &Finding, text: &str) -> String {
    let source = text.get(finding.span.clone()).unwrap_or_default();
    let words: Vec<&str> = source.split_whitespace().collect();
    // FNV-1a: it has to be the same on every machine and in every version, and nothing hangs on it.
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in words.join(" ").to_lowercase().bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    format!("{} {} {hash:016x}", finding.rule.code.id, path(&finding.file))
}

/// A file's name as it stands in a repository, however it was typed.
pub fn path(typed: &str) -> String {
    let mut plain = typed.replace('\\', "/");
    while let Some(rest) = plain.strip_prefix("./") {
        plain = rest.to_owned();
    }
    plain
}

impl Baseline {
    /// Of these findings; `text_of` is the text of a file.
    pub fn of<'a>(findings: &[Finding], text_of: impl Fn(&str) -> &'a str) -> Baseline {
        let mut known = BTreeMap::new();
        for finding in findings {
            *known
                .entry(fingerprint(finding, text_of(&finding.file)))
                .or_default() += 1;
        }
        Baseline(known)
    }

    /// Reads what [`Baseline::render`] wrote.
    pub fn read(text: &str) -> Result<Baseline> {
        let bad = |why: String| Fault::new(&BAD_BASELINE, why);
        let value: serde_json::Value = serde_json::from_str(text).map_err(|error| bad(error.to_string()))?;
        if value["version"] != VERSION {
            return Err(bad(format!("its version is not {VERSION}")));
        }
        serde_json::from_value(value["findings"].clone())
            .map(Baseline)
            .map_err(|error| bad(error.to_string()))
    }

    /// As a file.
    pub fn render(&self) -> String {
        let value = serde_json::json!({ "version": VERSION, "findings": self.0 });
        format!("{value:#}\n")
    }

    /// Takes out what is known, as often as it is known.
    pub fn sift<'a>(&self, findings: Vec<Finding>, text_of: impl Fn(&str) -> &'a str) -> Vec<Finding> {
        let mut left = self.0.clone();
        let mut is_new = |finding: &Finding| match left.get_mut(&fingerprint(finding, text_of(&finding.file)))
        {
            Some(count) if *count > 0 => {
                *count -= 1;
                false
            }
            _ => true,
        };
        findings.into_iter().filter(|finding| is_new(finding)).collect()
    }
}
