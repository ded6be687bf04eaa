//! Files of ClickHouse statements: judged by their own rules, with the same settings and the same words that allow a finding.

use super::{Settings, Source, allow, is_off};
use crate::clickhouse::{Topology, lint};
use crate::finding::{Class, Finding};
use crate::parse;
use crate::rules::not_evaluated;
use crate::threads;

/// Judges each file by itself.
pub fn judge_clickhouse(sources: &[Source<'_>], settings: &Settings, topology: &Topology) -> Vec<Finding> {
    threads::share(sources.len(), threads::processors(), |part| {
        sources[part]
            .iter()
            .flat_map(|source| judge_one(source, settings, topology))
            .collect()
    })
}

fn judge_one(source: &Source<'_>, settings: &Settings, topology: &Topology) -> Vec<Finding> {
    let report = lint(source.path, source.text, topology);
    let mut findings: Vec<Finding> = report
        .findings
        .into_iter()
        .filter(|finding| finding.rule.class != Class::Hygiene || settings.hygiene)
        .filter(|finding| !is_off(finding.rule, settings))
        .map(|mut finding| {
            let is_its = |word: &str| word == finding.rule.code.id || word == finding.rule.name;
            let set = settings.severities.iter().find(|(word, _)| is_its(word));
            if let Some((_, severity)) = set {
                finding.severity = *severity;
            }
            finding
        })
        .collect();
    if !is_off(&not_evaluated::RULE, settings) {
        findings.extend(report.not_evaluated.into_iter().map(|unread| Finding {
            rule: &not_evaluated::RULE,
            severity: not_evaluated::RULE.severity,
            file: source.path.to_owned(),
            span: unread.span,
            what: format!("not evaluated: {}", unread.reason),
            why: not_evaluated::RULE.why(),
            safe_way: "Look at it yourself, and write down that you did: `-- corridor: allow LNT-090 because …`."
                .to_owned(),
            evidence: Vec::new(),
            unknown: Vec::new(),
            fix: None,
        }));
    }
    // The other parser reads none of the statements; where they stand, and the comments, it knows.
    let script = parse::outline(source.text);
    let findings = findings.into_iter().map(|finding| (finding, None)).collect();
    allow::sift(findings, source, &script, settings)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(text: &str, settings: &Settings) -> Vec<&'static str> {
        let source = Source {
            path: "0001.sql",
            text,
            config: None,
        };
        judge_clickhouse(&[source], settings, &Topology::default())
            .iter()
            .map(|finding| finding.rule.code.id)
            .collect()
    }

    #[test]
    fn what_is_allowed_or_off_is_not_said_and_what_cannot_be_read_is() {
        let plain = Settings::default();
        let text = "alter table events add column plan String";
        assert_eq!(codes(text, &plain), ["LNT-302"]);
        let allowed = format!("-- corridor: allow LNT-302 because it runs once\n{text}");
        assert!(codes(&allowed, &plain).is_empty());
        let off = Settings {
            off: ["LNT-302".to_owned()].into(),
            ..Settings::default()
        };
        assert!(codes(text, &off).is_empty());
        assert_eq!(codes("frobnicate the cluster", &plain), ["LNT-090"]);
    }
}
