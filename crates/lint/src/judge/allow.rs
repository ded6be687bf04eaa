//! `-- corridor: allow LNT-003 because the table is empty`: a word in the file that a finding is known and wanted.
//!
//! It stands before the statement that it is about, in it, or behind it on the same line; `allow-file` holds for all of the
//! file. Without a reason it does not count, and one that nothing needs is reported: otherwise it would hide the next one.

use crate::finding::{Finding, Rule};
use crate::ir::{Script, Span};
use crate::judge::{Settings, Source, is_off};
use crate::rules::unused_allow;

struct Allow {
    span: Span,
    codes: Vec<String>,
    /// The statement that it is about; all, when none.
    statement: Option<Span>,
    is_file: bool,
    reason: String,
    is_used: bool,
}

impl Allow {
    fn has_reason(&self) -> bool {
        self.reason.chars().count() >= 3
    }
}

/// Takes out what is allowed. Beside a finding stands what a reason must have in it to count, where a policy says so.
pub(super) fn sift(
    findings: Vec<(Finding, Option<String>)>,
    source: &Source<'_>,
    script: &Script,
    settings: &Settings,
) -> Vec<Finding> {
    let mut allows: Vec<Allow> = script
        .comments
        .iter()
        .filter_map(|comment| read(&comment.text, &comment.span, source.text, script))
        .collect();
    let mut kept: Vec<Finding> = Vec::new();
    for (mut finding, acknowledgement) in findings {
        let allow = allows.iter_mut().find(|allow| {
            let is_here = allow.is_file
                || allow
                    .statement
                    .as_ref()
                    .is_some_and(|span| span.start <= finding.span.start && finding.span.start <= span.end);
            allow.has_reason() && is_here && allow.codes.iter().any(|code| is(code, finding.rule))
        });
        match allow {
            Some(allow) => {
                allow.is_used = true;
                if let Some(text) = acknowledgement.filter(|text| !allow.reason.contains(text)) {
                    finding.what.push_str(&format!(
                        "; the reason of the allowance here lacks {text:?}, without which it does not count"
                    ));
                    kept.push(finding);
                }
            }
            None => kept.push(finding),
        }
    }
    if !is_off(&unused_allow::RULE, settings) {
        for allow in allows.iter().filter(|allow| !allow.is_used) {
            let what = if allow.has_reason() {
                format!("nothing here needs the allowance of {}", allow.codes.join(", "))
            } else {
                "an allowance without a reason does not count: write `because …`".to_owned()
            };
            kept.push(Finding {
                rule: &unused_allow::RULE,
                severity: unused_allow::RULE.severity,
                file: source.path.to_owned(),
                span: allow.span.clone(),
                what,
                why: unused_allow::RULE.why(),
                safe_way: "Take it out, or say why it stands there.".to_owned(),
                evidence: Vec::new(),
                unknown: Vec::new(),
                fix: None,
            });
        }
    }
    kept.sort_by_key(|finding| finding.span.start);
    kept
}

fn is(word: &str, rule: &Rule) -> bool {
    word.eq_ignore_ascii_case(rule.code.id) || word == rule.name
}

fn read(text: &str, span: &Span, file: &str, script: &Script) -> Option<Allow> {
    let rest = text.strip_prefix("corridor:")?.trim_start();
    let (verb, rest) = rest.split_once(char::is_whitespace)?;
    let is_file = verb == "allow-file";
    if verb != "allow" && !is_file {
        return None;
    }
    let (codes, reason) = rest.split_once("because").unwrap_or((rest, ""));
    let codes = codes
        .split([',', ' '])
        .filter(|code| !code.is_empty())
        .map(str::to_owned)
        .collect();
    let same_line = script.statements.iter().rev().find(|statement| {
        statement.span.end <= span.start && !file[statement.span.end..span.start].contains('\n')
    });
    let about = same_line.or_else(|| {
        script
            .statements
            .iter()
            .find(|statement| statement.span.end > span.start)
    });
    Some(Allow {
        span: span.clone(),
        codes,
        statement: about.map(|statement| statement.span.clone()),
        is_file,
        reason: reason.trim().to_owned(),
        is_used: false,
    })
}
