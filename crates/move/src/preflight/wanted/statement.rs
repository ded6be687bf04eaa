//! The statements of a file, one at a time. Where one ends, the server says: a text is a statement when its parser takes it.

use corridor_pg::{Fault, FaultContext, Result};
use tokio_postgres::Transaction;

use crate::fault::{NOT_A_WANTED_STATEMENT, UNREADABLE_SHAPE};
use crate::shape::Wanted;

/// Semicolons that are tried. A wanted table has a handful of statements.
const ENDS_MAX: usize = 500;

/// What a text is to the server's parser.
enum Parsed {
    Statement,
    /// Blanks and comments.
    Nothing,
    Error(Fault),
}

/// Runs every statement. True when some of them make indexes.
///
/// Errors: `MOV-004` with the server's words, `MOV-005` for what makes neither a table nor an index.
pub(super) async fn run_all(tx: &Transaction<'_>, wanted: &Wanted) -> Result<bool> {
    let mut rest = wanted.sql.as_str();
    let mut has_indexes = false;
    while !rest.trim().is_empty() {
        let Some((statement, after)) = first(tx, rest).await? else {
            break;
        };
        let words = leading_words(statement);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match words.as_slice() {
            ["create", "table", ..]
            | [
                "create",
                "temp" | "temporary" | "unlogged" | "local" | "global",
                ..,
            ] => {}
            ["create", "index", ..] | ["create", "unique", "index", ..] => has_indexes = true,
            _ => {
                let shown: String = statement.trim().chars().take(60).collect();
                return Err(Fault::new(&NOT_A_WANTED_STATEMENT, shown));
            }
        }
        // The extended protocol: one statement, whatever stands in the text.
        if let Err(error) = tx.execute(statement, &[]).await {
            return Err(unreadable(error.into()));
        }
        rest = after;
    }
    Ok(has_indexes)
}

fn unreadable(fault: Fault) -> Fault {
    let mut words = fault.detail().to_owned();
    match fault.sqlstate() {
        Some("42P16") if words.contains("temporary tables") => {
            words.push_str("; leave foreign keys out of the file: they are carried from the table");
        }
        // No privilege, or no lock within the time: not the file's fault.
        Some("42501" | "55P03" | "57014") => return fault,
        Some("42P07") => words.push_str("; write the table's name without a schema"),
        Some(_) => {}
        None => return fault,
    }
    Fault::new(&UNREADABLE_SHAPE, words).caused_by(fault)
}

/// The first statement of a text, and what stands behind it. None when there is none.
async fn first<'t>(tx: &Transaction<'_>, text: &'t str) -> Result<Option<(&'t str, &'t str)>> {
    let ends = text.match_indices(';').map(|(at, _)| at).take(ENDS_MAX);
    let mut error = None;
    for end in ends.chain([text.len()]) {
        let statement = &text[..end];
        match parse(tx, statement).await? {
            Parsed::Statement => return Ok(Some((statement, text.get(end + 1..).unwrap_or_default()))),
            Parsed::Nothing if end == text.len() => return Ok(None),
            // An empty statement, or a semicolon in a comment.
            Parsed::Nothing => {}
            Parsed::Error(fault) => error = Some(fault),
        }
    }
    // The words for the whole rest: a shorter text may only lack its end.
    Err(error.map_or_else(|| Fault::new(&UNREADABLE_SHAPE, "no statement"), unreadable))
}

async fn parse(tx: &Transaction<'_>, text: &str) -> Result<Parsed> {
    if let Err(fault) = try_parse(tx, text).await? {
        return Ok(Parsed::Error(fault));
    }
    // What stays a statement when another one follows is none.
    Ok(match try_parse(tx, &format!("{text}\nselect 1")).await? {
        Ok(()) => Parsed::Nothing,
        Err(_) => Parsed::Statement,
    })
}

/// Whether the server's parser takes it; nothing is run.
async fn try_parse(tx: &Transaction<'_>, text: &str) -> Result<std::result::Result<(), Fault>> {
    let doing = || "reading the wanted shape";
    tx.batch_execute("savepoint corridor_parse").await.doing(doing)?;
    let parsed = tx.prepare(text).await.map(drop).map_err(Fault::from);
    tx.batch_execute("rollback to savepoint corridor_parse; release savepoint corridor_parse")
        .await
        .doing(doing)?;
    Ok(parsed)
}

/// The words that a statement begins with, without comments: a fence, so that nothing else is run. What a statement
/// really makes is looked up afterwards.
fn leading_words(statement: &str) -> Vec<String> {
    const WORDS: usize = 3;
    let mut words = Vec::new();
    let mut rest = statement.trim_start();
    while words.len() < WORDS {
        if let Some(comment) = rest.strip_prefix("--") {
            rest = comment.split_once('\n').map_or("", |(_, after)| after);
        } else if rest.starts_with("/*") {
            rest = after_comment(rest);
        } else {
            let end = rest
                .find(|c: char| !(c.is_alphanumeric() || c == '_'))
                .unwrap_or(rest.len());
            if end == 0 {
                break;
            }
            words.push(rest[..end].to_lowercase());
            rest = &rest[end..];
        }
        rest = rest.trim_start();
    }
    words
}

/// Behind a comment, which may hold others.
fn after_comment(text: &str) -> &str {
    let mut depth = 0usize;
    let mut at = 0;
    while at < text.len() {
        if text[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if text[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return &text[at..];
            }
        } else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    ""
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_are_no_words() {
        for text in [
            "create table t (a int)",
            "  -- first; line\n/* a /* nested */ one; */ CREATE\tTable t",
        ] {
            assert_eq!(leading_words(text)[..2], ["create", "table"], "{text}");
        }
        assert_eq!(leading_words("/* open"), Vec::<String>::new());
        assert_eq!(leading_words("\"quoted\""), Vec::<String>::new());
    }
}
