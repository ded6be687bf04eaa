//! Text to tokens.
//!
//! Comments and white space are left out; groups know their partner, so that nothing here or above has to recurse.

/// Text beyond this many bytes is not read: a migration is not that long, a dump is.
pub(crate) const MAX_TEXT_BYTES: usize = 64 << 20;
/// Tokens of one file; 16 bytes each.
pub(crate) const MAX_TOKENS: usize = 4 << 20;
/// Groups in groups. ClickHouse itself stops at `max_parser_depth`, 1000.
pub(crate) const MAX_DEPTH: usize = 1000;
/// A token that has no partner.
pub(crate) const ALONE: u32 = u32::MAX;

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenKind {
    /// A bare word: a keyword or a name.
    Word,
    /// A name in backticks or double quotes.
    Quoted,
    /// A string, or a heredoc.
    Text,
    /// A number.
    Number,
    /// `(`, `[` or `{`.
    Open,
    /// `)`, `]` or `}`.
    Close,
    /// Any other sign, one character.
    Sign,
    /// A string, a name or a comment without its end; reaches to the end of the text.
    Unfinished,
}

/// A token, and where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) kind: TokenKind,
    pub(crate) start: u32,
    pub(crate) end: u32,
    /// Index of the other end of the group, or [`ALONE`].
    pub(crate) partner: u32,
}

/// Reads one token after the other.
pub(crate) struct Lexer<'a> {
    text: &'a str,
    at: usize,
    /// Off from the first comment on that would not end if comments did: so no comment is searched through twice.
    comments_nest: bool,
}

impl<'a> Lexer<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Lexer {
            text,
            at: 0,
            comments_nest: true,
        }
    }

    /// The byte that is read next.
    pub(crate) fn position(&self) -> usize {
        self.at
    }

    /// Goes on at a byte; one inside of a character counts as the next one.
    pub(crate) fn seek(&mut self, mut at: usize) {
        at = at.min(self.text.len());
        while !self.text.is_char_boundary(at) {
            at += 1;
        }
        self.at = at;
    }

    fn byte(&self, ahead: usize) -> u8 {
        self.text.as_bytes().get(self.at + ahead).copied().unwrap_or(0)
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or("")
    }

    /// Passes over white space and comments. False when a comment has no end.
    fn skip_blanks(&mut self) -> bool {
        loop {
            let rest = self.rest();
            let trimmed =
                rest.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}' || c == '\0');
            self.at += rest.len() - trimmed.len();
            let is_line = trimmed.starts_with("--") || trimmed.starts_with("# ") || trimmed.starts_with("#!");
            if is_line {
                self.at += trimmed.find('\n').unwrap_or(trimmed.len());
            } else if trimmed.starts_with("/*") {
                let nested = if self.comments_nest {
                    nested_comment_end(trimmed)
                } else {
                    None
                };
                let end = nested.or_else(|| {
                    self.comments_nest = false;
                    trimmed.find("*/").map(|at| at + 2)
                });
                let Some(length) = end else { return false };
                self.at += length;
            } else {
                return true;
            }
        }
    }

    /// The next token; nothing at the end of the text.
    pub(crate) fn next_token(&mut self) -> Option<Token> {
        let is_whole = self.skip_blanks();
        let start = self.at;
        if !is_whole {
            self.at = self.text.len();
            return Some(self.token(TokenKind::Unfinished, start));
        }
        let first = self.rest().chars().next()?;
        let kind = match first {
            '\'' => self.until_quote('\'', '\'', TokenKind::Text),
            '`' => self.until_quote('`', '`', TokenKind::Quoted),
            '"' => self.until_quote('"', '"', TokenKind::Quoted),
            '\u{2018}' => self.until_quote('\u{2018}', '\u{2019}', TokenKind::Text),
            '\u{201c}' => self.until_quote('\u{201c}', '\u{201d}', TokenKind::Quoted),
            '$' => self.heredoc(),
            '(' | '[' | '{' => self.one(first, TokenKind::Open),
            ')' | ']' | '}' => self.one(first, TokenKind::Close),
            '0'..='9' => self.number(),
            c if c == '_' || c.is_alphanumeric() => self.word(),
            _ => self.one(first, TokenKind::Sign),
        };
        Some(self.token(kind, start))
    }

    fn token(&self, kind: TokenKind, start: usize) -> Token {
        // The text is at most MAX_TEXT_BYTES long, which fits.
        let narrow = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        Token {
            kind,
            start: narrow(start),
            end: narrow(self.at),
            partner: ALONE,
        }
    }

    fn one(&mut self, c: char, kind: TokenKind) -> TokenKind {
        self.at += c.len_utf8();
        kind
    }

    fn until_quote(&mut self, open: char, close: char, kind: TokenKind) -> TokenKind {
        self.at += open.len_utf8();
        let mut chars = self.rest().char_indices().peekable();
        let begin = self.at;
        while let Some((offset, c)) = chars.next() {
            if c == '\\' {
                chars.next();
            } else if c == close {
                if chars.peek().is_some_and(|(_, next)| *next == close) {
                    chars.next();
                } else {
                    self.at = begin + offset + c.len_utf8();
                    return kind;
                }
            }
        }
        self.at = self.text.len();
        TokenKind::Unfinished
    }

    /// `$tag$ … $tag$`. A dollar that opens none is a sign, as in the `${NAME}` of a template.
    fn heredoc(&mut self) -> TokenKind {
        let rest = self.rest();
        let tag = rest
            .char_indices()
            .skip(1)
            .find(|(_, c)| !(*c == '_' || c.is_alphanumeric()));
        let Some((length, '$')) = tag else {
            return self.one('$', TokenKind::Sign);
        };
        let (tag, body) = rest.split_at(length + 1);
        if let Some(end) = body.find(tag) {
            self.at += tag.len() + end + tag.len();
            return TokenKind::Text;
        }
        self.at = self.text.len();
        TokenKind::Unfinished
    }

    fn number(&mut self) -> TokenKind {
        let start = self.at;
        let is_radix = self.byte(0) == b'0' && matches!(self.byte(1) | 0x20, b'x' | b'b');
        self.word();
        if !is_radix && self.byte(0) == b'.' && self.byte(1).is_ascii_digit() {
            self.at += 1;
            self.word();
        }
        let is_exponent = matches!(self.byte(0), b'+' | b'-')
            && self
                .text
                .as_bytes()
                .get(self.at.wrapping_sub(1))
                .is_some_and(|b| b | 0x20 == b'e')
            && !is_radix;
        if is_exponent && self.byte(1).is_ascii_digit() {
            self.at += 1;
            self.word();
        }
        let text = self.text.get(start..self.at).unwrap_or("");
        let is_name = !is_radix
            && text.contains(|c: char| c.is_alphabetic() && !matches!(c, 'e' | 'E'))
            && !text.contains('.');
        if is_name {
            TokenKind::Word
        } else {
            TokenKind::Number
        }
    }

    fn word(&mut self) -> TokenKind {
        let rest = self.rest();
        let end = rest
            .find(|c: char| !(c == '_' || c.is_alphanumeric()))
            .unwrap_or(rest.len());
        self.at += end;
        TokenKind::Word
    }
}

/// Length of the comment that `text` begins with, when those inside of it count.
fn nested_comment_end(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let (mut depth, mut at) = (0usize, 0usize);
    while at + 1 < bytes.len() {
        match (bytes[at], bytes[at + 1]) {
            (b'/', b'*') => {
                depth += 1;
                at += 2;
            }
            (b'*', b'/') => {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => at += 1,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{Lexer, TokenKind};

    fn kinds(text: &str) -> Vec<(TokenKind, &str)> {
        let mut lexer = Lexer::new(text);
        let mut all = Vec::new();
        while let Some(token) = lexer.next_token() {
            all.push((token.kind, &text[token.start as usize..token.end as usize]));
        }
        all
    }

    #[test]
    fn quotes_keep_what_is_inside() {
        use TokenKind::{Quoted, Text, Word};
        assert_eq!(
            kinds(r#"a 'it''s; \' --' `b``;` "c" $x$ ' ; $x$"#),
            [
                (Word, "a"),
                (Text, r"'it''s; \' --'"),
                (Quoted, "`b``;`"),
                (Quoted, "\"c\""),
                (Text, "$x$ ' ; $x$")
            ]
        );
    }

    #[test]
    fn comments_vanish() {
        let words: Vec<_> = kinds("a -- x\n# y\nb /* c /* d */ e */ f #! z\n g")
            .into_iter()
            .map(|t| t.1)
            .collect();
        assert_eq!(words, ["a", "b", "f", "g"]);
        let words: Vec<_> = kinds("a /* b /* c */ d").into_iter().map(|t| t.1).collect();
        assert_eq!(words, ["a", "d"], "an inner comment that is left open");
    }

    #[test]
    fn numbers_and_names_that_begin_with_a_digit() {
        use TokenKind::{Number, Sign, Word};
        assert_eq!(
            kinds("1.5e-3 0xFF 1_000 2024_events t.1"),
            [
                (Number, "1.5e-3"),
                (Number, "0xFF"),
                (Number, "1_000"),
                (Word, "2024_events"),
                (Word, "t"),
                (Sign, "."),
                (Number, "1")
            ]
        );
    }

    #[test]
    fn what_has_no_end_reaches_to_the_end() {
        assert_eq!(
            kinds("a 'b; c"),
            [(TokenKind::Word, "a"), (TokenKind::Unfinished, "'b; c")]
        );
        assert_eq!(
            kinds("a /* b"),
            [(TokenKind::Word, "a"), (TokenKind::Unfinished, "/* b")]
        );
    }
}
