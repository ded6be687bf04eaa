//! What `corridor watch` says: one line for each round, on stderr for people, on stdout as JSON.

use std::time::Duration;

use corridor_limits::Severity;
use corridor_limits::check::Report;
use corridor_limits::collector::Holder;
use corridor_limits::sample::store::OBJECTS_MAX;
use corridor_pg::Fault;
use serde_json::{Value, json};

use super::Output;
use super::number::seconds;
use super::text::harmless;

/// One line, for people and as JSON.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Line {
    text: String,
    document: Value,
}

impl Line {
    /// A round that went well.
    pub(crate) fn checked(report: &Report, figures: u64, took: Duration) -> Line {
        let count = |severity| report.findings.iter().filter(|f| f.severity == severity).count();
        let (critical, warning) = (count(Severity::Critical), count(Severity::Warning));
        let worst = report.findings.first().filter(|f| f.severity > Severity::Notice);
        let found = match (critical, warning, worst) {
            (0, 0, _) => "no limit is near".to_owned(),
            (critical, warning, Some(worst)) => format!(
                "{critical} critical, {warning} warning; {} {}",
                worst.code.id,
                harmless(&worst.object)
            ),
            (critical, warning, None) => format!("{critical} critical, {warning} warning"),
        };
        let unseen = match report.degraded.len() {
            0 => String::new(),
            unseen => format!(", {unseen} not seen"),
        };
        Line {
            text: format!(
                "{}  {figures} figures in {}{unseen}; {found}",
                clock(report.at_s),
                seconds(took.as_secs_f64())
            ),
            document: json!({
                "event": "checked",
                "at_s": report.at_s,
                "took_ms": took.as_secs_f64() * 1_000.0,
                "figures": figures,
                "critical": critical,
                "warning": warning,
                "degraded": report.degraded.len(),
                "worst": worst.map(|worst| json!({
                    "code": worst.code.id,
                    "object": worst.object,
                    "headline": worst.headline,
                })),
            }),
        }
    }

    /// Somebody else collects.
    pub(crate) fn waiting(holder: Option<Holder>) -> Line {
        let (text, name, silent_s) = match holder {
            Some(holder) => (
                format!(
                    "waits: {} collects, heard of {} ago",
                    harmless(&holder.name),
                    seconds(holder.silent_s)
                ),
                Some(holder.name),
                Some(holder.silent_s),
            ),
            None => (
                "waits: another one has just begun to collect".to_owned(),
                None,
                None,
            ),
        };
        Line {
            text,
            document: json!({ "event": "waiting", "holder": name, "silent_s": silent_s }),
        }
    }

    /// Another collector took the lease; the figures of this round are its business.
    pub(crate) fn taken_over() -> Line {
        Line {
            text: "another collector has taken over".to_owned(),
            document: json!({ "event": "taken_over" }),
        }
    }

    /// A round that failed; it is tried again.
    pub(crate) fn away(fault: &Fault, pause: Duration) -> Line {
        Line {
            text: format!(
                "again in {}: {} {}",
                seconds(pause.as_secs_f64()),
                fault.code().id,
                harmless(fault.detail())
            ),
            document: json!({
                "event": "failed",
                "code": fault.code().id,
                "why": fault.detail(),
                "again_in_s": pause.as_secs_f64(),
            }),
        }
    }

    /// The address took so many notices.
    pub(crate) fn told(count: usize) -> Line {
        Line {
            text: format!("webhook: {count} told"),
            document: json!({ "event": "told", "alerts": count }),
        }
    }

    /// The address did not; they wait for the next round.
    pub(crate) fn not_told(why: &str) -> Line {
        Line {
            text: format!("webhook: {}; again with the next check", harmless(why)),
            document: json!({ "event": "not_told", "why": why }),
        }
    }

    /// More objects than are kept.
    pub(crate) fn left_out(metric: &str, count: usize) -> Line {
        Line {
            text: format!("{metric}: the {OBJECTS_MAX} largest are kept, {count} are not"),
            document: json!({ "event": "left_out", "metric": metric, "objects": count }),
        }
    }

    /// Says it where it belongs.
    pub(crate) fn say(&self, output: &Output) {
        if output.is_json() {
            // A reader that went away is no reason to stop collecting.
            let _ = output.json_line(&self.document);
        } else {
            // Whole, however long: the name at its end is what somebody looks for in the log.
            output.note(&self.text);
        }
    }
}

/// Time of day, UTC.
fn clock(at_s: f64) -> String {
    let second = at_s.rem_euclid(86_400.0) as u64;
    format!(
        "{:02}:{:02}:{:02}Z",
        second / 3_600,
        second / 60 % 60,
        second % 60
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        Report {
            at_s: 1_700_000_000.0,
            findings: Vec::new(),
            degraded: Vec::new(),
            took: Vec::new(),
            samples: Vec::new(),
        }
    }

    #[test]
    fn a_round_is_one_line() {
        let mut report = report();
        let took = Duration::from_millis(420);
        assert_eq!(
            Line::checked(&report, 12, took).text,
            "22:13:20Z  12 figures in 0.4 s; no limit is near"
        );
        report.findings.push(corridor_limits::Finding::new(
            &corridor_limits::fault::TOAST_IDS,
            "public.persons",
            Severity::Critical,
            "writers search",
        ));
        let line = Line::checked(&report, 12, took);
        assert_eq!(
            line.text,
            "22:13:20Z  12 figures in 0.4 s; 1 critical, 0 warning; LIM-001 public.persons"
        );
        assert_eq!(line.document["worst"]["code"], "LIM-001");
    }

    #[test]
    fn what_it_waits_for_is_said() {
        let holder = Holder {
            name: "watch@a\u{1b}[2J 7".to_owned(),
            silent_s: 12.0,
        };
        let line = Line::waiting(Some(holder));
        assert_eq!(
            line.text,
            "waits: watch@a\\u{1b}[2J 7 collects, heard of 12 s ago"
        );
        let fault = Fault::new(&corridor_pg::fault::CANNOT_CONNECT, "connection refused");
        let line = Line::away(&fault, Duration::from_secs(5));
        assert!(line.text.starts_with("again in 5.0 s: PG-") && line.text.ends_with("connection refused"));
    }
}
