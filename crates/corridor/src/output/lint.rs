//! What lint found: the place in the source and what is said of it, or one of the forms that programs read.

mod feed;
pub(crate) mod rehearsal;

use std::collections::HashMap;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use corridor_lint::finding::{Class, Finding, Severity};
use serde::Serialize;

use super::WIDTH;
use super::text::{Paint, harmless, paint, wrap};
use crate::command::Rehearsal;

pub(crate) use feed::{github, gitlab, sarif};

/// A file that was judged.
pub(crate) struct Judged {
    /// As it was named.
    pub(crate) path: String,
    /// Its text.
    pub(crate) text: String,
    line_starts: Vec<usize>,
}

impl Judged {
    /// A file.
    pub(crate) fn new(path: String, text: String) -> Judged {
        let line_starts = std::iter::once(0)
            .chain(text.match_indices('\n').map(|(at, _)| at + 1))
            .collect();
        Judged {
            path,
            text,
            line_starts,
        }
    }

    /// The number of the line that a byte is in, where it begins, and its text.
    fn line_of(&self, at: usize) -> (usize, usize, &str) {
        let (line, _) = self.place(at);
        let start = self.line_starts.get(line.saturating_sub(1)).copied().unwrap_or(0);
        let end = self
            .line_starts
            .get(line)
            .map_or(self.text.len(), |next| next.saturating_sub(1));
        (
            line,
            start,
            self.text.get(start..end.max(start)).unwrap_or_default(),
        )
    }

    /// Line and column of a byte, from 1; columns count characters.
    pub(crate) fn place(&self, at: usize) -> (usize, usize) {
        let line = self.line_starts.partition_point(|start| *start <= at);
        let start = self.line_starts[line.saturating_sub(1)];
        (
            line,
            self.text
                .get(start..at)
                .map_or(1, |before| before.chars().count() + 1),
        )
    }
}

/// Files by their names.
type Index<'a> = HashMap<&'a str, &'a Judged>;

fn index(files: &[Judged]) -> Index<'_> {
    files.iter().map(|file| (file.path.as_str(), file)).collect()
}

fn file<'a>(files: &Index<'a>, finding: &Finding) -> Option<&'a Judged> {
    files.get(finding.file.as_str()).copied()
}

fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Notice => "notice",
    }
}

fn class(class: Class) -> &'static str {
    match class {
        Class::Hazard => "hazard",
        Class::Compatibility => "compatibility",
        Class::Hygiene => "hygiene",
    }
}

/// For people.
pub(crate) fn tty(files: &[Judged], findings: &[Finding], statements: usize) -> String {
    // Paint is taken off on the way out, where it is not wanted.
    let renderer = Renderer::styled().term_width(WIDTH);
    let mut shown = String::new();
    let places = index(files);
    for finding in findings {
        let Some(file) = file(&places, finding) else {
            continue;
        };
        let level = match finding.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
            Severity::Notice => Level::NOTE,
        };
        let carets = carets(&file.text, finding);
        // Its line alone: a file of many findings would be gone through once for each.
        let (line, from, text) = file.line_of(carets.start);
        let source = safe_source(text);
        let path = harmless(&file.path);
        let what = wrapped(&finding.what, "warning[LNT-001]: ".len());
        let label = class(finding.rule.class);
        let snippet = Snippet::source(source.as_str())
            .line_start(line)
            .path(path.as_str())
            .annotation(
                AnnotationKind::Primary
                    .span(carets.start - from..carets.end - from)
                    .label(label),
            );
        // ` 123 = note: `: the width of the number of the line, and the words of the label.
        let margin = line.to_string().len() + " = note: ".len();
        let evidence: Vec<String> = finding
            .evidence
            .iter()
            .map(|it| wrapped(&format!("{}: {} ({})", it.name, it.text, it.source), margin))
            .collect();
        let unknown: Vec<String> = finding
            .unknown
            .iter()
            .map(|it| wrapped(&format!("not known: {it}"), margin))
            .collect();
        let (why, way) = (wrapped(&finding.why, margin), wrapped(&finding.safe_way, margin));
        let mut group =
            Group::with_title(level.primary_title(what.as_str()).id(finding.rule.code.id)).element(snippet);
        for text in evidence.iter().chain(&unknown) {
            group = group.element(Level::NOTE.message(text.as_str()));
        }
        if why != way {
            group = group.element(Level::NOTE.with_name("why").message(why.as_str()));
        }
        group = group.element(Level::HELP.message(way.as_str()));
        shown.push_str(&renderer.render(&[group]));
        shown.push_str("\n\n");
    }
    shown.push_str(&summary(files, findings, statements));
    shown
}

/// Lines that stand behind a label of `margin` columns.
fn wrapped(text: &str, margin: usize) -> String {
    wrap(&harmless(text), WIDTH.saturating_sub(margin)).join("\n")
}

fn summary(files: &[Judged], findings: &[Finding], statements: usize) -> String {
    let count = |severity| {
        findings
            .iter()
            .filter(|finding| finding.severity == severity)
            .count()
    };
    let some = |number: usize, one: &str| format!("{number} {one}{}", if number == 1 { "" } else { "s" });
    let judged = format!(
        "{} in {}",
        some(statements, "statement"),
        some(files.len(), "file")
    );
    if findings.is_empty() {
        return format!("{} {judged}: nothing to say", paint(Paint::Good, "ok"));
    }
    let counts = [
        (Severity::Error, "error", Paint::Bad),
        (Severity::Warning, "warning", Paint::Wait),
        (Severity::Notice, "notice", Paint::Dim),
    ];
    let parts: Vec<String> = counts
        .into_iter()
        .filter(|(severity, ..)| count(*severity) > 0)
        .map(|(severity, name, how)| paint(how, &some(count(severity), name)))
        .collect();
    format!(
        "{judged}: {}\n`corridor explain CODE` shows the page behind each.",
        parts.join(", ")
    )
}

/// What would steer a terminal becomes a mark of the same number of bytes, so that places stay where they are.
fn safe_source(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        let is_kept = matches!(c, '\n' | '\t') || harmless(c.encode_utf8(&mut [0; 4])) == c.to_string();
        if is_kept {
            safe.push(c);
        } else {
            safe.extend(std::iter::repeat_n('?', c.len_utf8()));
        }
    }
    safe
}

/// The span for carets: of a statement of many lines, the first one.
fn carets(text: &str, finding: &Finding) -> std::ops::Range<usize> {
    let start = finding.span.start.min(text.len());
    let end = finding.span.end.clamp(start, text.len());
    let first_line = text
        .get(start..end)
        .and_then(|source| source.find('\n'))
        .map_or(end, |at| start + at);
    start..first_line
}

#[derive(Serialize)]
struct Place {
    line: usize,
    column: usize,
}

#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    finding: &'a Finding,
    start: Place,
    end: Place,
}

/// The JSON document.
#[derive(Serialize)]
pub(crate) struct Document<'a> {
    files: Vec<&'a str>,
    statements: usize,
    findings: Vec<Shown<'a>>,
    /// With `--rehearse` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    rehearsal: Option<&'a Rehearsal>,
}

/// For programs.
pub(crate) fn document<'a>(
    files: &'a [Judged],
    findings: &'a [Finding],
    statements: usize,
    rehearsal: Option<&'a Rehearsal>,
) -> Document<'a> {
    let places = index(files);
    let place = |finding: &Finding, at: usize| {
        let (line, column) = file(&places, finding).map_or((1, 1), |file| file.place(at));
        Place { line, column }
    };
    Document {
        files: files.iter().map(|file| file.path.as_str()).collect(),
        statements,
        findings: findings
            .iter()
            .map(|finding| Shown {
                finding,
                start: place(finding, finding.span.start),
                end: place(finding, finding.span.end),
            })
            .collect(),
        rehearsal,
    }
}
