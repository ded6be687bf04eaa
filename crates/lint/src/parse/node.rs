//! Small questions to the parser's tree.

use squawk_syntax::{SyntaxElement, SyntaxKind, SyntaxNode, SyntaxToken};

use crate::ir::{Expression, Name, Span, TypeName};

/// A node of the parser's tree with the place of its statement in the file.
#[derive(Clone)]
pub(super) struct Node<'a> {
    pub(super) syntax: SyntaxNode,
    pub(super) text: &'a str,
    pub(super) offset: usize,
}

impl<'a> Node<'a> {
    pub(super) fn kind(&self) -> SyntaxKind {
        self.syntax.kind()
    }

    fn of(&self, syntax: SyntaxNode) -> Node<'a> {
        Node {
            syntax,
            text: self.text,
            offset: self.offset,
        }
    }

    /// Its bytes within the statement, without blanks around.
    fn local(&self) -> Span {
        let range = self.syntax.text_range();
        let (from, to): (usize, usize) = (range.start().into(), range.end().into());
        let text = &self.text[from..to];
        let lead = text.len() - text.trim_start().len();
        from + lead..(from + text.trim_end().len()).max(from + lead)
    }

    pub(super) fn span(&self) -> Span {
        let local = self.local();
        local.start + self.offset..local.end + self.offset
    }

    pub(super) fn source(&self) -> &'a str {
        &self.text[self.local()]
    }

    /// What stands from the end of `node` to the end of this.
    pub(super) fn source_after(&self, node: &Node<'_>) -> String {
        self.text[node.local().end..self.local().end].trim().to_owned()
    }

    pub(super) fn parent(&self) -> Option<Node<'a>> {
        self.syntax.parent().map(|parent| self.of(parent))
    }

    pub(super) fn children(&self) -> impl Iterator<Item = Node<'a>> + '_ {
        self.syntax.children().map(|child| self.of(child))
    }

    pub(super) fn child(&self, kind: SyntaxKind) -> Option<Node<'a>> {
        self.children().find(|child| child.kind() == kind)
    }

    pub(super) fn all(&self, kind: SyntaxKind) -> impl Iterator<Item = Node<'a>> + '_ {
        self.children().filter(move |child| child.kind() == kind)
    }

    pub(super) fn descendants(&self) -> impl Iterator<Item = Node<'a>> + '_ {
        self.syntax.descendants().map(|child| self.of(child))
    }

    pub(super) fn find(&self, kind: SyntaxKind) -> Option<Node<'a>> {
        self.descendants().find(|child| child.kind() == kind)
    }

    pub(super) fn has(&self, kind: SyntaxKind) -> bool {
        self.token(kind).is_some() || self.child(kind).is_some()
    }

    /// A word that stands directly in it.
    pub(super) fn token(&self, kind: SyntaxKind) -> Option<SyntaxToken> {
        self.syntax
            .children_with_tokens()
            .filter_map(SyntaxElement::into_token)
            .find(|token| token.kind() == kind)
    }

    /// Where the word ends, in the file.
    pub(super) fn end_of(&self, kind: SyntaxKind) -> usize {
        self.token(kind).map_or(self.span().end, |token| {
            usize::from(token.text_range().end()) + self.offset
        })
    }

    /// All words in it, whatever they are part of, without blanks and comments.
    pub(super) fn tokens(&self) -> impl Iterator<Item = SyntaxToken> + '_ {
        self.syntax
            .descendants_with_tokens()
            .filter_map(SyntaxElement::into_token)
            .filter(|token| !matches!(token.kind(), SyntaxKind::WHITESPACE | SyntaxKind::COMMENT))
    }

    /// The name that the node is, or begins with: `a`, `a.b`.
    pub(super) fn name(&self) -> Name {
        let mut parts: Vec<(String, Span)> = Vec::new();
        let mut is_dot = true;
        for token in self.tokens() {
            match token.kind() {
                SyntaxKind::DOT => is_dot = true,
                SyntaxKind::ONLY_KW if parts.is_empty() => {}
                _ if !is_dot => break,
                _ => {
                    let range = token.text_range();
                    parts.push((
                        folded(token.text()),
                        usize::from(range.start())..usize::from(range.end()),
                    ));
                    is_dot = false;
                }
            }
        }
        let Some((name, last)) = parts.pop() else {
            return Name::default();
        };
        let start = parts.first().map_or(last.start, |(_, span)| span.start);
        let schema = parts.pop().map(|(schema, _)| schema);
        Name {
            schema,
            name,
            span: start + self.offset..last.end + self.offset,
        }
    }

    /// The name of the first child of this kind, or an empty one.
    pub(super) fn name_of(&self, kind: SyntaxKind) -> Name {
        self.child(kind).map(|child| child.name()).unwrap_or_default()
    }

    /// Names of all children of this kind.
    pub(super) fn names_of(&self, kind: SyntaxKind) -> Vec<Name> {
        self.all(kind).map(|child| child.name()).collect()
    }

    /// The columns in a list.
    pub(super) fn columns(&self) -> Vec<String> {
        self.all(SyntaxKind::COLUMN_NAME_REF)
            .map(|child| child.name().name)
            .collect()
    }

    pub(super) fn expression(&self) -> Expression {
        let mut calls = Vec::new();
        let mut columns = Vec::new();
        for node in self.descendants() {
            match node.kind() {
                SyntaxKind::CALL_EXPR => {
                    let callee = node.children().next();
                    if let Some(callee) = callee {
                        calls.push(callee.name().name);
                    }
                }
                SyntaxKind::NAME_REF
                    if node
                        .syntax
                        .parent()
                        .is_none_or(|parent| parent.kind() != SyntaxKind::CALL_EXPR) =>
                {
                    columns.push(node.name().name);
                }
                _ => {}
            }
        }
        // Functions without parentheses.
        for token in self.tokens() {
            let word = token.text().to_ascii_lowercase();
            if matches!(
                word.as_str(),
                "current_timestamp"
                    | "current_date"
                    | "localtimestamp"
                    | "current_time"
                    | "localtime"
                    | "current_user"
            ) {
                calls.push(word);
            }
        }
        let source = self.source();
        Expression {
            text: source.to_owned(),
            span: self.span(),
            proves_not_null: not_null_parts(source),
            calls,
            columns,
            is_null: source.eq_ignore_ascii_case("null") || source.to_ascii_lowercase().starts_with("null::"),
        }
    }
}

/// `x is not null and y is not null` proves it for both. Anything else in parentheses or with `or` proves nothing here.
fn not_null_parts(source: &str) -> Vec<String> {
    let lower = source.trim().to_ascii_lowercase();
    let inner = lower
        .strip_prefix('(')
        .and_then(|rest| rest.strip_suffix(')'))
        .unwrap_or(&lower);
    if inner.split_whitespace().any(|word| word == "or") || inner.contains('\'') {
        return Vec::new();
    }
    inner
        .split(" and ")
        .filter_map(|part| {
            let part = part.trim().trim_start_matches('(').trim_end_matches(')').trim();
            let column = part
                .strip_suffix("null")?
                .trim_end()
                .strip_suffix("not")?
                .trim_end()
                .strip_suffix("is")?;
            let column = column.trim();
            let is_name = column
                .chars()
                .all(|c| c.is_alphanumeric() || matches!(c, '_' | '"'));
            (is_name && !column.is_empty()).then(|| column.trim_matches('"').to_owned())
        })
        .collect()
}

/// A word as the server folds it.
pub(super) fn folded(word: &str) -> String {
    match word.strip_prefix('"') {
        Some(rest) => rest.strip_suffix('"').unwrap_or(rest).replace("\"\"", "\""),
        None => word.to_lowercase(),
    }
}

/// The value of a string constant; other words as they are.
pub(super) fn literal(text: &str) -> String {
    let text = text.trim();
    let inner = text
        .trim_start_matches(['e', 'E'])
        .strip_prefix('\'')
        .and_then(|rest| rest.strip_suffix('\''));
    inner.map_or_else(|| text.to_owned(), |inner| inner.replace("''", "'"))
}

/// A type from its words.
pub(super) fn type_name(node: &Node<'_>) -> TypeName {
    let words: Vec<String> = node.tokens().map(|token| token.text().to_owned()).collect();
    let mut base = Vec::new();
    let mut modifiers = Vec::new();
    let (mut depth, mut is_array) = (0_i32, false);
    for word in &words {
        match word.as_str() {
            "(" => depth += 1,
            ")" => depth -= 1,
            "[" | "]" => is_array = true,
            "," | "." => {}
            word if word.eq_ignore_ascii_case("array") => is_array = true,
            word if depth > 0 => modifiers.extend(word.parse::<i64>().ok()),
            word if is_array && word.parse::<i64>().is_ok() => {}
            word => base.push(folded(word)),
        }
    }
    let is_path = words.iter().any(|word| word == ".");
    let base = if is_path {
        base.pop().unwrap_or_default()
    } else {
        base.join(" ")
    };
    let base = match base.as_str() {
        "int" | "integer" => "int4",
        "bigint" => "int8",
        "smallint" => "int2",
        "bool" | "boolean" => "bool",
        "decimal" | "dec" => "numeric",
        "real" => "float4",
        "double precision" => "float8",
        "float" => match modifiers.first() {
            Some(1..=24) => "float4",
            _ => "float8",
        },
        "character varying" | "char varying" => "varchar",
        "character" | "char" => "bpchar",
        "timestamp with time zone" => "timestamptz",
        "timestamp without time zone" => "timestamp",
        "time with time zone" => "timetz",
        "time without time zone" => "time",
        "bit varying" => "varbit",
        "serial4" => "serial",
        "serial8" => "bigserial",
        "serial2" => "smallserial",
        other => other,
    }
    .to_owned();
    TypeName {
        base,
        modifiers,
        is_array,
        span: node.span(),
    }
}
