//! A fault, for a person and for a program.

use std::io::Write;

use corridor_pg::{Exit, Fault, Retry};
use serde::Serialize;

use super::Output;
use super::streams::Versioned;
use super::text::{Paint, hang, harmless, paint};
use crate::fault::PANIC;

/// What is known about changes when a command ended with a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Change {
    /// Nothing was changed.
    None,
    /// A change took place and stands.
    Durable,
    /// Nobody can say from here whether a change took place.
    Ambiguous,
    /// The fault does not tell. What was not committed was rolled back.
    Unknown,
}

impl Change {
    fn of(fault: &Fault) -> Self {
        let code = fault.code();
        if fault.is_ownership_ambiguous() {
            Change::Ambiguous
        } else if fault.is_change_durable() {
            Change::Durable
        } else if code.id == corridor_pg::fault::FENCED.id {
            // Refused, but amid the work: chunks before it stand.
            Change::Unknown
        } else if matches!(code.exit, Exit::Usage | Exit::Refused) {
            Change::None
        } else {
            Change::Unknown
        }
    }

    fn words(self) -> Option<&'static str> {
        match self {
            Change::None => Some("nothing was changed"),
            Change::Durable => {
                Some("a change took place before this, and stands; `corridor status` shows it")
            }
            Change::Ambiguous => Some(
                "it is not known whether the change took place; `corridor resume NAME` looks it up first",
            ),
            Change::Unknown => None,
        }
    }
}

/// A fault as JSON.
#[derive(Debug, Serialize)]
pub(crate) struct FaultDocument<'a> {
    code: &'static str,
    title: &'static str,
    doing: Option<String>,
    detail: &'a str,
    sqlstate: Option<&'a str>,
    change: Change,
    retry: &'static str,
    hint: &'static str,
    exit: u8,
}

impl<'a> FaultDocument<'a> {
    /// Everything that the fault says.
    pub(crate) fn of(fault: &'a Fault) -> Self {
        let code = fault.code();
        FaultDocument {
            code: code.id,
            title: code.title,
            doing: doing(fault),
            detail: fault.detail(),
            sqlstate: fault.sqlstate(),
            change: Change::of(fault),
            retry: retry_word(code.retry),
            hint: code.hint,
            exit: exit_code(fault),
        }
    }
}

/// The last document of a run that ended with a fault.
#[derive(Serialize)]
struct Ending<'a> {
    outcome: &'static str,
    fault: FaultDocument<'a>,
}

/// What the process returns. An ambiguous change outweighs everything: a script must not go on.
pub(crate) fn exit_code(fault: &Fault) -> u8 {
    if fault.is_ownership_ambiguous() {
        return Exit::Ambiguous.code();
    }
    match fault.code().exit {
        // Refused, but amid the work: 4 would say that nothing was changed.
        Exit::Refused if fault.is_change_durable() => Exit::BadResult.code(),
        exit => exit.code(),
    }
}

/// The retry policy as JSON writes it.
pub(crate) fn retry_word(retry: Retry) -> &'static str {
    match retry {
        Retry::Never => "never",
        Retry::AfterPause => "after_pause",
        Retry::AfterReconnect => "after_reconnect",
    }
}

/// What was attempted. The floor keeps it to itself, save in the whole message: `CODE: title, doing: detail`.
fn doing(fault: &Fault) -> Option<String> {
    let whole = fault.to_string();
    let rest = whole.strip_prefix(&format!("{}: {}", fault.code().id, fault.code().title))?;
    let rest = match fault.detail() {
        "" => rest,
        detail => rest.strip_suffix(&format!(": {detail}")).unwrap_or(rest),
    };
    rest.strip_prefix(", ").map(str::to_owned)
}

/// Shows the fault: JSON on stdout where JSON is wanted, text on stderr in any case unless JSON is.
pub(crate) fn show(output: &Output, fault: &Fault) {
    if output.is_json() {
        let ending = Ending {
            outcome: "fault",
            fault: FaultDocument::of(fault),
        };
        if output.json_line(&ending).is_ok() {
            return;
        }
    }
    output.say(&text(fault));
}

/// The fault as lines of at most 80 columns.
pub(crate) fn text(fault: &Fault) -> String {
    let code = fault.code();
    let label = |word: &str| format!("  {word:<9}");
    let mut lines = vec![format!(
        "{} {}",
        paint(Paint::Bad, &format!("{}:", code.id)),
        hang("", &harmless(code.title))
    )];
    if let Some(doing) = doing(fault) {
        lines.push(hang(&label("while"), &harmless(&doing)));
    }
    // A list of mistakes has a line for each. Elsewhere a line break is a server's or a name's, and is shown as that.
    let first = fault.detail().lines().next().unwrap_or_default();
    let parts: Vec<&str> = match first.ends_with("mistakes:") {
        true => fault.detail().lines().collect(),
        false => vec![fault.detail()],
    };
    for (i, part) in parts.iter().filter(|part| !part.is_empty()).enumerate() {
        let word = if i == 0 { "what" } else { "" };
        lines.push(hang(&label(word), &harmless(part)));
    }
    if let Some(words) = Change::of(fault).words() {
        lines.push(hang(&label("change"), words));
    }
    lines.push(hang(&label("do"), code.hint));
    lines.push(format!("{}corridor explain {}", label("more"), code.id));
    lines.join("\n")
}

/// Reports a bug. The command line is left out: it may hold a password. Takes no lock of ours, since the thread that
/// is in trouble may hold it.
pub(crate) fn report_bug(what: &str) {
    let is_json = std::env::args_os().any(|arg| arg == "--json");
    let fault = Fault::new(
        &PANIC,
        format!(
            "{what} (corridor {}, {})",
            env!("CARGO_PKG_VERSION"),
            std::env::consts::ARCH
        ),
    );
    // Nobody is left to be told when this fails too.
    let _ = writeln!(anstream::stderr(), "{}", text(&fault));
    if is_json {
        let ending = Ending {
            outcome: "fault",
            fault: FaultDocument::of(&fault),
        };
        if let Ok(line) = serde_json::to_string(&Versioned::of(&ending)) {
            let _ = writeln!(std::io::stdout(), "{line}");
        }
    }
}

#[cfg(test)]
mod tests {
    use corridor_pg::fault::{CONNECTION_LOST, NO_SUCH_OBJECT};

    use super::*;

    fn plain(text: &str) -> String {
        text.replace("\x1b[1;31m", "").replace("\x1b[0m", "")
    }

    #[test]
    fn a_fault_says_all_that_it_knows() {
        let fault = Fault::new(&NO_SUCH_OBJECT, "no relation is named \"a\nb\"").doing("looking for x");
        insta::assert_snapshot!(plain(&text(&fault)), @r#"
        PG-014: the object does not exist
          while    looking for x
          what     no relation is named "a\nb"
          change   nothing was changed
          do       Check the name; names with capitals or spaces need double quotes.
          more     corridor explain PG-014
        "#);
        assert_eq!(doing(&fault).as_deref(), Some("looking for x"));
        assert_eq!(doing(&Fault::new(&NO_SUCH_OBJECT, "")), None);
        assert_eq!(doing(&Fault::new(&NO_SUCH_OBJECT, "x")), None);
        assert_eq!(
            doing(&Fault::new(&NO_SUCH_OBJECT, "").doing("y")).as_deref(),
            Some("y")
        );
    }

    #[test]
    fn the_two_facts_travel_to_the_end() {
        let lost = || Fault::new(&CONNECTION_LOST, "gone");
        assert_eq!(Change::of(&lost()), Change::Unknown);
        assert_eq!(Change::of(&lost().with_durable_change()), Change::Durable);
        let both = lost().with_durable_change().with_ambiguous_ownership();
        assert_eq!(Change::of(&both), Change::Ambiguous);
        assert_eq!(exit_code(&both), 6);
        assert_eq!(exit_code(&lost()), 3);
    }
}
