//! Every SQL text of the checkout that lint is measured or tested with.

use std::fs;
use std::path::{Path, PathBuf};

/// Texts and where they are from.
pub(crate) fn all() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut texts = Vec::new();
    let mut files = Vec::new();
    for place in ["crates", "examples", "docs"] {
        walk(&root.join(place), &mut files);
    }
    files.sort();
    for path in files {
        let Ok(text) = fs::read_to_string(&path) else {
            continue;
        };
        let name = path.strip_prefix(&root).unwrap_or(&path).display().to_string();
        // ClickHouse has a grammar of its own.
        if name.contains("clickhouse") {
            continue;
        }
        match path.extension().and_then(|of| of.to_str()) {
            Some("sql") => texts.push((name, text)),
            // What the rules fire on, what they pass over, and what their pages show.
            Some("rs") if name.starts_with("crates/lint/") => {
                for literal in literals(&text) {
                    if is_sql(&literal) {
                        texts.push((name.clone(), literal));
                    } else {
                        texts.extend(blocks(&literal).map(|block| (name.clone(), block)));
                    }
                }
            }
            Some("md") => texts.extend(blocks(&text).map(|block| (name.clone(), block))),
            _ => {}
        }
    }
    texts
}

fn walk(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            walk(&path, files);
        } else {
            files.push(path);
        }
    }
}

/// The code blocks of a page.
fn blocks(page: &str) -> impl Iterator<Item = String> + '_ {
    page.split("```sql\n")
        .skip(1)
        .filter_map(|rest| rest.split_once("```"))
        .map(|(block, _)| block.to_owned())
}

/// Whether a literal of a test is a statement, whole: it begins as one, and goes on behind its verb.
fn is_sql(literal: &str) -> bool {
    let verbs = [
        "alter",
        "analyze",
        "begin",
        "cluster",
        "comment",
        "commit",
        "copy",
        "create",
        "delete",
        "drop",
        "grant",
        "insert",
        "lock",
        "merge",
        "refresh",
        "reindex",
        "reset",
        "revoke",
        "rollback",
        "savepoint",
        "select",
        "set",
        "table",
        "truncate",
        "update",
        "vacuum",
        "values",
        "with",
        "do",
        "call",
        "--",
    ];
    let words: Vec<&str> = literal.split_whitespace().collect();
    words.len() > 1
        && !literal.contains("{")
        && verbs.contains(&words[0].to_lowercase().as_str())
        && corridor_lint::parse::read(literal)
            .statements
            .iter()
            .any(|it| pg_query::parse(&literal[it.span.clone()], pg_query::ParserOptions::default()).is_ok())
}

/// The string literals of Rust source.
fn literals(source: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = source;
    while let Some(at) = rest.find(['"', '\'', '/']) {
        let here = &rest[at..];
        if here.starts_with("//") {
            rest = here.split_once('\n').map_or("", |(_, after)| after);
        } else if here.starts_with("'\"'") {
            rest = &here[3..];
        } else if here.starts_with('"') {
            let hashes = rest[..at].len() - rest[..at].trim_end_matches('#').len();
            let is_raw = rest[..at - hashes].ends_with('r');
            let end = if is_raw {
                here[1..]
                    .find(&format!("\"{}", "#".repeat(hashes)))
                    .map(|n| n + 1)
            } else {
                let mut escaped = false;
                here.char_indices().skip(1).find_map(|(n, c)| {
                    let is_end = c == '"' && !escaped;
                    escaped = c == '\\' && !escaped;
                    is_end.then_some(n)
                })
            };
            let Some(end) = end else { break };
            found.push(if is_raw {
                here[1..end].to_owned()
            } else {
                unescaped(&here[1..end])
            });
            rest = &here[end + 1..];
        } else {
            rest = &here[1..];
        }
    }
    found
}

fn unescaped(text: &str) -> String {
    let mut plain = String::new();
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '\\' => match characters.next() {
                Some('n') => plain.push('\n'),
                Some('t') => plain.push('\t'),
                Some('\n') => while characters.next_if(|c| c.is_whitespace()).is_some() {},
                Some(other) => plain.push(other),
                None => {}
            },
            c => plain.push(c),
        }
    }
    plain
}
