//! One statement into the tree of [`ir`](crate::ir).

use squawk_syntax::{SourceFile, SyntaxKind};

use super::node::Node;
use super::statement;
use crate::ir::{Kind, Name};

/// A statement with more text than this is looked at by its head alone where it only writes rows.
const ROWS_BYTES: usize = 64 << 10;

pub(super) fn statement(text: &str, offset: usize) -> Kind {
    if text.len() > ROWS_BYTES
        && let Some(kind) = rows(text)
    {
        return kind;
    }
    let parse = SourceFile::parse(text);
    if let Some(error) = parse.errors().first() {
        return Kind::NotEvaluated {
            why: format!("it cannot be read: {}", error.message()),
        };
    }
    let root = Node {
        syntax: parse.syntax_node(),
        text,
        offset,
    };
    let Some(node) = root.children().find(|node| node.kind() != SyntaxKind::EMPTY_STMT) else {
        return Kind::Harmless("nothing");
    };
    statement::lower(&node)
}

/// `insert into t (…) values …` of a dump.
fn rows(text: &str) -> Option<Kind> {
    let head: String = text.chars().take(400).collect();
    let mut words = head
        .split(|c: char| c.is_whitespace() || c == '(')
        .filter(|word| !word.is_empty());
    let is_insert =
        words.next()?.eq_ignore_ascii_case("insert") && words.next()?.eq_ignore_ascii_case("into");
    let path = words.next().filter(|_| is_insert)?;
    let mut parts: Vec<String> = path.split('.').map(super::node::folded).collect();
    let name = parts.pop()?;
    Some(Kind::Insert {
        table: Name {
            schema: parts.pop(),
            name,
            span: 0..0,
        },
        columns: Vec::new(),
        from_query: false,
    })
}
