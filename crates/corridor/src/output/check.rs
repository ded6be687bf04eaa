//! What a check found: worst first, one line each, or with everything that it rests on.

use corridor_limits::apply::{Effect, Plan};
use corridor_limits::check::Report;
use corridor_limits::probe::words::{percent, seconds};
use corridor_limits::{Finding, Runway, Severity};
use corridor_pg::Fault;
use serde::Serialize;

use super::table::Table;
use super::text::{Paint, hang, harmless, paint, wrap};
use super::{WIDTH, density};

const DAY_S: f64 = 86_400.0;

/// A check as JSON.
#[derive(Serialize)]
pub(crate) struct CheckDocument<'a> {
    #[serde(flatten)]
    pub(crate) report: &'a Report,
}

/// What would be done, or was done, as JSON.
#[derive(Serialize)]
pub(crate) struct PlanDocument<'a> {
    pub(crate) plan: &'a Plan,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) effect: Option<&'a Effect>,
}

/// What would be done.
pub(crate) fn remedy(plan: &Plan, is_only_planned: bool) -> String {
    let mut lines = vec![format!("{}  {}  {}", plan.code, harmless(&plan.object), plan.way)];
    for statement in &plan.statements {
        for line in statement.lines() {
            lines.push(format!("    {}", harmless(line)));
        }
    }
    lines.push(hang("  lock          ", plan.lock));
    lines.push(hang("  takes         ", &harmless(&plan.takes)));
    lines.push(hang("  way back      ", &harmless(&plan.go_back)));
    if is_only_planned {
        lines.push(hang("  do it         ", "the same command with --execute"));
    }
    lines.join("\n")
}

/// What was done.
pub(crate) fn applied(effect: &Effect) -> String {
    let took = seconds(effect.took_ms as f64 / 1_000.0);
    hang("Done: ", &format!("{} (took {took}).", harmless(&effect.proof)))
}

/// One line for each finding.
pub(crate) fn short(report: &Report) -> String {
    let mut parts = Vec::new();
    if report.findings.is_empty() {
        parts.push("No limit is near.".to_owned());
    } else {
        let mut table = Table::new(&["", "code", "object", "left", "what"]);
        for finding in &report.findings {
            table.push(vec![
                severity_mark(finding.severity).to_owned(),
                finding.code.id.to_owned(),
                harmless(&finding.object),
                left(&finding.runway),
                harmless(&finding.headline),
            ]);
        }
        parts.push(table.render());
        if let Some(command) = first_command(report) {
            parts.push(format!("The worst one's way out:\n{}", typed("    ", &command)));
        }
        let more =
            "`corridor check --long` shows facts and ways out, `corridor explain CODE` the page of one.";
        parts.push(hang("", more));
    }
    parts.extend(unseen(report));
    parts.push(took(report));
    parts.join("\n\n")
}

/// Each finding with its facts and its way out.
pub(crate) fn long(report: &Report) -> String {
    let mut parts: Vec<String> = report.findings.iter().map(one).collect();
    if parts.is_empty() {
        parts.push("No limit is near.".to_owned());
    }
    parts.extend(unseen(report));
    parts.push(took(report));
    parts.join("\n\n")
}

/// The line and the exit code of a monitoring plugin.
pub(crate) fn nagios(report: &Report) -> (String, u8) {
    let worst = report.findings.iter().map(|f| f.severity).max();
    let (word, code) = match worst {
        Some(Severity::Critical) => ("CRITICAL", 2),
        Some(Severity::Warning) => ("WARNING", 1),
        _ if report.findings.is_empty() && !report.degraded.is_empty() => ("UNKNOWN", 3),
        _ => ("OK", 0),
    };
    let what = match report.findings.first() {
        Some(finding) => format!(
            "{} {}: {}",
            finding.code.id,
            harmless(&finding.object),
            harmless(&finding.headline)
        ),
        None if code == 3 => "nothing could be seen".to_owned(),
        None => "no limit is near".to_owned(),
    };
    let count = |severity: Severity| report.findings.iter().filter(|f| f.severity == severity).count();
    let line = format!(
        "CORRIDOR {word} - {} | critical={} warning={} notice={} unseen={}",
        what.replace('|', "/"),
        count(Severity::Critical),
        count(Severity::Warning),
        count(Severity::Notice),
        report.degraded.len()
    );
    (line, code)
}

/// The line of a monitoring plugin that could not look: such programs show what stands on standard output, and no more.
pub(crate) fn nagios_unknown(fault: &Fault) -> (String, u8) {
    let what = harmless(&fault.to_string()).replace('|', "/");
    let line: Vec<&str> = what.split_whitespace().collect();
    (format!("CORRIDOR UNKNOWN - {}", line.join(" ")), 3)
}

fn one(finding: &Finding) -> String {
    let mut lines = vec![
        format!(
            "{} {}  {}",
            paint(how(finding.severity), severity_mark(finding.severity)),
            paint(Paint::Bold, finding.code.id),
            paint(Paint::Bold, &harmless(&finding.object))
        ),
        hang("  ", &harmless(&finding.headline)),
    ];
    // Bloat and its like are no limits that are reached.
    let is_limit = finding.runway != Runway::Unknown;
    if is_limit {
        lines.push(hang("  left          ", &left_long(&finding.runway)));
    }
    if let Some(gauge) = finding.gauge.as_ref().filter(|_| is_limit) {
        let text = format!("{} of the limit ({})", percent(gauge.share()), gauge.unit);
        lines.push(hang("  in use        ", &text));
    }
    if let Some(density) = &finding.density {
        lines.push(format!("  {:<14}{}", density.of, density::line(density)));
        lines.extend(density::place(density).map(|place| format!("{:16}{place}", "")));
    }
    for fact in &finding.facts {
        let text = format!("{}: {} ({})", fact.name, harmless(&fact.text), fact.source);
        lines.push(hang("  fact          ", &text));
    }
    if let Some(advice) = &finding.advice {
        lines.push(hang("  do            ", advice.title));
        if let Some(command) = &advice.command {
            lines.push(typed("                ", command));
        }
        for because in &advice.because {
            lines.push(hang("  because       ", &harmless(because)));
        }
        for rejected in &advice.rejected {
            let text = format!("{}: {}", rejected.way, harmless(&rejected.why));
            lines.push(hang("  rejected      ", &text));
        }
    }
    lines.push(hang(
        "  more          ",
        &format!("corridor explain {}", finding.code.id),
    ));
    lines.join("\n")
}

/// What is to be typed, in lines that can be copied: a shell's end with a backslash, SQL needs none.
fn typed(indent: &str, command: &str) -> String {
    let command = harmless(command);
    let is_shell = command.starts_with("corridor ");
    // A line's end inside of quotes would change a name.
    let is_split_safe = |quote: char| {
        !command
            .split(quote)
            .skip(1)
            .step_by(2)
            .any(|inside| inside.contains(' '))
    };
    let is_escaped = command.contains(r"'\''") || command.contains("  ");
    if is_escaped || !is_split_safe('\'') || !is_split_safe('"') {
        return format!("{indent}{command}");
    }
    let mut lines = wrap(&command, WIDTH - indent.len() - 4);
    let last = lines.len().saturating_sub(1);
    for (place, line) in lines.iter_mut().enumerate() {
        let below = if place > 0 { "  " } else { "" };
        let end = if is_shell && place < last { " \\" } else { "" };
        *line = format!("{indent}{below}{line}{end}");
    }
    lines.join("\n")
}

fn unseen(report: &Report) -> Option<String> {
    if report.degraded.is_empty() {
        return None;
    }
    let mut lines = vec!["Not seen:".to_owned()];
    for degraded in &report.degraded {
        let remedy = if degraded.remedy.is_empty() {
            String::new()
        } else {
            format!(" ({})", degraded.remedy)
        };
        let text = format!("{}: {}{remedy}", degraded.what, degraded.why);
        lines.push(hang(&format!("  {:<13}  ", degraded.probe), &harmless(&text)));
    }
    Some(lines.join("\n"))
}

fn took(report: &Report) -> String {
    let all: f64 = report.took.iter().map(|took| took.ms).sum();
    let count = match report.took.len() {
        1 => "1 probe".to_owned(),
        n => format!("{n} probes"),
    };
    let text = format!("{count} took {}.", seconds(all / 1_000.0));
    paint(Paint::Dim, &text)
}

fn first_command(report: &Report) -> Option<String> {
    let advice = report.findings.first()?.advice.as_ref()?;
    advice.command.as_deref().map(harmless)
}

fn severity_mark(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "!!",
        Severity::Warning => "! ",
        Severity::Notice => "  ",
    }
}

fn how(severity: Severity) -> Paint {
    match severity {
        Severity::Critical => Paint::Bad,
        Severity::Warning => Paint::Wait,
        Severity::Notice => Paint::Dim,
    }
}

/// Days left, in a column.
fn left(runway: &Runway) -> String {
    match runway {
        Runway::Unknown => "-".to_owned(),
        Runway::NotEnough { .. } => "?".to_owned(),
        Runway::Never => "grows not".to_owned(),
        Runway::Days { mid, .. } => seconds(mid * DAY_S),
        Runway::Reached => "now".to_owned(),
    }
}

fn left_long(runway: &Runway) -> String {
    match runway {
        Runway::Unknown => "not a limit that is reached over time".to_owned(),
        Runway::NotEnough { have_s, .. } if *have_s < 1.0 => {
            "no history to say (`corridor watch` keeps it)".to_owned()
        }
        Runway::NotEnough { have_s, need_s } => format!(
            "not enough history to say: {} of {} (`corridor watch` keeps it)",
            seconds(*have_s),
            seconds(*need_s)
        ),
        Runway::Never => "it does not grow".to_owned(),
        Runway::Days { low, mid, high } => format!(
            "{}; {} at the earliest, {} at the latest",
            seconds(mid * DAY_S),
            seconds(low * DAY_S),
            high.map_or_else(|| "perhaps never".to_owned(), |high| seconds(high * DAY_S))
        ),
        Runway::Reached => "it is reached now".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use corridor_limits::fault::TOAST_IDS;
    use corridor_limits::finding::Density;

    use super::*;

    #[test]
    fn the_density_stands_in_one_line_with_the_counter_below_it() {
        let mut finding = Finding::new(&TOAST_IDS, "public.persons", Severity::Notice, "half is in use");
        let mut shares = vec![0.0; 64];
        shares[1] = 0.5;
        shares[63] = 1.0;
        finding.density = Some(Density {
            of: "ids in use",
            shares,
            at: Some(1),
            at_word: "the counter",
        });
        let text = one(&finding);
        let lines: Vec<&str> = text.lines().collect();
        let expected = format!("  ids in use    ·▄{}█", "·".repeat(61));
        assert_eq!(lines[2], expected, "{text}");
        assert_eq!(lines[2].chars().count(), WIDTH);
        assert_eq!(lines[3], "                 ^ the counter");
    }

    #[test]
    fn what_is_typed_is_never_cut_inside_of_quotes() {
        let long = "x".repeat(40);
        let plain = format!("corridor move {long} --same-shape --execute --name {long}");
        let lines = typed("    ", &plain);
        assert_eq!(
            lines
                .replace(" \\\n", " ")
                .split_whitespace()
                .collect::<Vec<_>>()
                .join(" "),
            plain
        );
        assert!(lines.lines().count() > 1 && lines.lines().all(|line| line.len() <= WIDTH));
        for name in ["\"a b\"", "'a b'", "'o'\\''brien'", "\"a  b\""] {
            let command = format!("alter table {long}.{name} set (toast_tuple_target = 8160) {long}");
            assert_eq!(typed("", &command), command);
        }
    }
}
