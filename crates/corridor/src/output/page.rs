//! The page behind a code, and the list of all codes.

use corridor_limits::tree::{Tree, drawing, runbook};
use corridor_pg::{Code, Exit, Retry};
use serde::Serialize;

use super::fault::retry_word;
use super::table::Table;
use super::text::{Paint, hang, paint, paragraphs, width};

/// A code as JSON.
#[derive(Debug, Serialize)]
pub(crate) struct CodeDocument {
    code: &'static str,
    title: &'static str,
    hint: &'static str,
    retry: &'static str,
    exit: u8,
    page: &'static str,
    /// What a finding's decision tree makes of it, in Markdown.
    #[serde(skip_serializing_if = "Option::is_none")]
    runbook: Option<String>,
}

/// The decision tree of a finding.
fn tree_of(code: &Code) -> Option<&'static Tree> {
    corridor_limits::check::trees()
        .into_iter()
        .find(|tree| tree.code.id == code.id)
}

impl CodeDocument {
    /// Everything that is known about the code.
    pub(crate) fn of(code: &'static Code) -> Self {
        CodeDocument {
            code: code.id,
            title: code.title,
            hint: code.hint,
            retry: retry_word(code.retry),
            exit: code.exit.code(),
            page: code.page,
            runbook: tree_of(code).map(runbook),
        }
    }
}

/// The page of a code.
pub(crate) fn page(code: &Code) -> String {
    let label = |word: &str| format!("  {word:<13}");
    [
        format!("{}  {}", paint(Paint::Bold, code.id), hang("", code.title)),
        String::new(),
        paragraphs(code.page, 2),
        String::new(),
        tree_of(code).map_or_else(String::new, decisions),
        hang(&label("What to do"), code.hint),
        hang(&label("Tried again"), retry_words(code.retry)),
        hang(
            &label("Exit code"),
            &format!("{}, {}", code.exit.code(), exit_words(code.exit)),
        ),
    ]
    .join("\n")
}

/// The tree, and what each of its ways is.
fn decisions(tree: &Tree) -> String {
    let mut lines: Vec<String> = drawing(tree).lines().map(|line| format!("  {line}")).collect();
    lines.push(String::new());
    let ways = tree.root.ways();
    // The longest is `negative-half`.
    let widest = ways.iter().map(|way| width(way.id)).max().unwrap_or(0).max(11);
    for way in ways {
        lines.push(hang(&format!("  {:<widest$}  ", way.id), way.title));
    }
    lines.push(String::new());
    lines.join("\n")
}

/// All codes, room by room.
pub(crate) fn list(rooms: &[(&'static str, Vec<&'static Code>)]) -> String {
    let mut parts = Vec::new();
    for (room, codes) in rooms {
        let mut table = Table::new(&["code", "exit", room]);
        for code in codes {
            table.push(vec![
                code.id.to_owned(),
                code.exit.code().to_string(),
                code.title.to_owned(),
            ]);
        }
        parts.push(table.render());
    }
    parts.push("`corridor explain CODE` shows the page of one.".to_owned());
    parts.join("\n\n")
}

fn retry_words(retry: Retry) -> &'static str {
    match retry {
        Retry::Never => "no: the same request would fail in the same way",
        Retry::AfterPause => "yes, by itself, after a short pause",
        Retry::AfterReconnect => "yes, by itself, on a new connection",
    }
}

fn exit_words(exit: Exit) -> &'static str {
    match exit {
        Exit::BadResult => "ran, and the result is bad",
        Exit::Usage => "the request makes no sense",
        Exit::CannotConnect => "cannot connect",
        Exit::Refused => "refused; nothing was changed",
        Exit::NotFinished => "not finished when the wait ended",
        Exit::Ambiguous => "ambiguous; a human must look",
        Exit::Bug => "a bug in Corridor",
    }
}
