//! The forms of others: SARIF 2.1.0, annotations of a GitHub workflow, GitLab's report on code quality.

use corridor_lint::baseline::{fingerprint, path};
use corridor_lint::finding::{Finding, Severity};
use corridor_lint::{rehearse, rules};
use serde_json::{Value, json};

use super::{Judged, class, file, index, word};

fn message(finding: &Finding) -> String {
    let facts: Vec<String> = finding
        .evidence
        .iter()
        .map(|it| format!("{}: {} ({})", it.name, it.text, it.source))
        .collect();
    let mut parts = vec![format!("{}.", finding.what), finding.safe_way.clone()];
    if !facts.is_empty() {
        parts.push(format!("[{}]", facts.join("; ")));
    }
    parts.join(" ")
}

/// SARIF 2.1.0.
pub(crate) fn sarif(files: &[Judged], findings: &[Finding]) -> String {
    let places = index(files);
    let mut all = rules::all();
    all.extend(rehearse::RULES);
    let described: Vec<Value> = all
        .iter()
        .map(|rule| {
            json!({
                "id": rule.code.id,
                "name": rule.name,
                "shortDescription": { "text": rule.code.title },
                "fullDescription": { "text": rule.code.hint },
                "help": { "text": rule.code.page, "markdown": rule.code.page },
                "defaultConfiguration": { "level": level(rule.severity) },
                "properties": { "tags": [class(rule.class)] },
            })
        })
        .collect();
    let results: Vec<Value> = findings
        .iter()
        .filter_map(|finding| {
            let file = file(&places, finding)?;
            let (start, end) = (file.place(finding.span.start), file.place(finding.span.end));
            Some(json!({
                "ruleId": finding.rule.code.id,
                "ruleIndex": all.iter().position(|rule| rule.code.id == finding.rule.code.id),
                "level": level(finding.severity),
                "message": { "text": message(finding) },
                "partialFingerprints": { "corridor/v1": fingerprint(finding, &file.text) },
                "locations": [{ "physicalLocation": {
                    "artifactLocation": { "uri": uri(&finding.file) },
                    "region": { "startLine": start.0, "startColumn": start.1, "endLine": end.0, "endColumn": end.1 },
                } }],
            }))
        })
        .collect();
    let run = json!({
        "tool": { "driver": { "name": "corridor lint", "version": env!("CARGO_PKG_VERSION"), "rules": described } },
        "columnKind": "unicodeCodePoints",
        "results": results,
    });
    format!(
        "{:#}",
        json!({ "$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0", "runs": [run] })
    )
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Notice => "note",
        other => word(other),
    }
}

/// Annotations of a GitHub workflow, one line each.
pub(crate) fn github(files: &[Judged], findings: &[Finding]) -> String {
    let places = index(files);
    let data = |text: &str| text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    let property = |text: &str| data(text).replace(':', "%3A").replace(',', "%2C");
    let mut lines = String::new();
    for finding in findings {
        let Some(file) = file(&places, finding) else {
            continue;
        };
        let (start, end) = (file.place(finding.span.start), file.place(finding.span.end));
        lines.push_str(&format!(
            "::{} file={},line={},endLine={},col={},title={}::{}\n",
            word(finding.severity),
            property(&finding.file),
            start.0,
            end.0,
            start.1,
            property(&format!("{} {}", finding.rule.code.id, finding.rule.code.title)),
            data(&message(finding))
        ));
    }
    lines
}

/// GitLab's report on code quality.
pub(crate) fn gitlab(files: &[Judged], findings: &[Finding]) -> String {
    let places = index(files);
    let mut counts = std::collections::BTreeMap::new();
    let issues: Vec<Value> = findings
        .iter()
        .filter_map(|finding| {
            let file = file(&places, finding)?;
            let severity = match finding.severity {
                Severity::Error => "critical",
                Severity::Warning => "major",
                Severity::Notice => "info",
            };
            // Two of the same kind must not be one.
            let print = fingerprint(finding, &file.text);
            let number = counts.entry(print.clone()).and_modify(|count| *count += 1).or_insert(0_u32);
            Some(json!({
                "description": format!("{}: {}", finding.rule.code.id, message(finding)),
                "check_name": finding.rule.name,
                "fingerprint": format!("{print} {number}"),
                "severity": severity,
                "location": { "path": path(&finding.file), "lines": { "begin": file.place(finding.span.start).0, "end": file.place(finding.span.end).0 } },
            }))
        })
        .collect();
    format!("{:#}", Value::Array(issues))
}

/// A file's name as a relative reference (RFC 3986).
fn uri(file: &str) -> String {
    let mut uri = String::new();
    for byte in path(file).bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                uri.push(char::from(byte))
            }
            byte => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::uri;

    #[test]
    fn a_name_becomes_a_reference() {
        assert_eq!(uri("./db/V1__neue Tür.sql"), "db/V1__neue%20T%C3%BCr.sql");
        assert_eq!(uri("a\\b.sql"), "a/b.sql");
    }
}
