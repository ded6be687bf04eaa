//! Tokens to statements' tokens, and the cursor that reads them.

use std::ops::Range;

use super::NotEvaluated;
use super::token::{Lexer, MAX_DEPTH, MAX_TEXT_BYTES, MAX_TOKENS, Token, TokenKind};

/// A stretch of a script's tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Part {
    from: usize,
    to: usize,
}

impl Part {
    pub(crate) fn is_empty(self) -> bool {
        self.from >= self.to
    }
}

/// A text with its tokens, and where its statements are.
pub(crate) struct Script<'a> {
    pub(crate) text: &'a str,
    tokens: Vec<Token>,
    pub(crate) statements: Vec<Part>,
}

impl<'a> Script<'a> {
    /// Splits a text into statements. What cannot be split is added to `unread`.
    pub(crate) fn read(text: &'a str, unread: &mut Vec<NotEvaluated>) -> Self {
        let mut script = Script {
            text,
            tokens: Vec::new(),
            statements: Vec::new(),
        };
        if text.len() > MAX_TEXT_BYTES {
            unread.push(NotEvaluated::new(0..text.len(), "the file is longer than 64 MiB"));
            return script;
        }
        let mut lexer = Lexer::new(text);
        while script.read_statement(&mut lexer, unread) {}
        script
    }

    fn read_statement(&mut self, lexer: &mut Lexer<'a>, unread: &mut Vec<NotEvaluated>) -> bool {
        let from = self.tokens.len();
        let mut open: Vec<usize> = Vec::new();
        let mut trouble: Option<&'static str> = None;
        // The head of an INSERT is kept, its rows are not.
        let mut is_insert = false;
        let mut goes_on = false;
        while let Some(token) = lexer.next_token() {
            if token.kind == TokenKind::Sign && self.slice(token) == ";" {
                goes_on = true;
                break;
            }
            let index = self.tokens.len();
            if index >= MAX_TOKENS {
                let start = self.tokens.get(from).map_or(token.start, |t| t.start);
                unread.push(NotEvaluated::new(
                    start as usize..self.text.len(),
                    "the file has more than 4 million tokens",
                ));
                self.tokens.truncate(from);
                return false;
            }
            is_insert |= index == from && self.slice(token).eq_ignore_ascii_case("insert");
            if is_insert && open.is_empty() && token.kind == TokenKind::Word {
                let word = self.slice(token);
                if word.eq_ignore_ascii_case("values") {
                    self.tokens.push(token);
                    goes_on = skip_values(lexer, self.text);
                    break;
                }
                let is_format = self
                    .tokens
                    .last()
                    .is_some_and(|t| self.slice(*t).eq_ignore_ascii_case("format"));
                if is_format {
                    self.tokens.push(token);
                    skip_lines(lexer, self.text);
                    goes_on = true;
                    break;
                }
            }
            self.tokens.push(token);
            match token.kind {
                TokenKind::Open if open.len() >= MAX_DEPTH => {
                    trouble.get_or_insert("more than 1000 groups in one another");
                    // Still counted, so that the end of the statement is found; without a partner nobody descends.
                    open.push(index);
                }
                TokenKind::Open => open.push(index),
                TokenKind::Close => match open.pop() {
                    Some(start) if self.fits(start, index) => self.join(start, index),
                    Some(_) => _ = trouble.get_or_insert("a bracket is closed by one of another kind"),
                    None => _ = trouble.get_or_insert("a bracket is closed that was not opened"),
                },
                TokenKind::Unfinished => {
                    trouble = Some("a string, a quoted name or a comment has no end");
                }
                _ => {}
            }
        }
        if !open.is_empty() {
            trouble.get_or_insert("a bracket is not closed");
        }
        let part = Part {
            from,
            to: self.tokens.len(),
        };
        match trouble {
            Some(reason) => {
                unread.push(NotEvaluated::new(self.span(part), reason));
                self.tokens.truncate(from);
            }
            // `\G` and `\g` end a statement for the client.
            None if !part.is_empty() && self.slice(self.tokens[from]) != "\\" => self.statements.push(part),
            None => {}
        }
        goes_on
    }

    fn fits(&self, open: usize, close: usize) -> bool {
        matches!(
            (self.slice(self.tokens[open]), self.slice(self.tokens[close])),
            ("(", ")") | ("[", "]") | ("{", "}")
        )
    }

    fn join(&mut self, open: usize, close: usize) {
        let narrow = |index: usize| u32::try_from(index).unwrap_or(super::token::ALONE);
        self.tokens[open].partner = narrow(close);
        self.tokens[close].partner = narrow(open);
    }

    pub(crate) fn slice(&self, token: Token) -> &'a str {
        self.text
            .get(token.start as usize..token.end as usize)
            .unwrap_or("")
    }

    /// All tokens of a part, those inside of groups too.
    pub(crate) fn tokens(&self, part: Part) -> &[Token] {
        self.tokens.get(part.from..part.to).unwrap_or(&[])
    }

    /// The bytes that a part takes.
    pub(crate) fn span(&self, part: Part) -> Range<usize> {
        match self.tokens(part) {
            [first, .., last] => first.start as usize..last.end as usize,
            [only] => only.start as usize..only.end as usize,
            [] => {
                let at = self
                    .tokens
                    .get(part.from)
                    .map_or(self.text.len(), |t| t.start as usize);
                at..at
            }
        }
    }

    /// The text of a part with single blanks, words of any case as they are.
    pub(crate) fn words(&self, part: Part) -> String {
        let mut out = String::new();
        let mut before: Option<Token> = None;
        for token in self.tokens(part) {
            let is_apart = |kind| matches!(kind, TokenKind::Word | TokenKind::Number);
            if before.is_some_and(|b| is_apart(b.kind) && is_apart(token.kind)) {
                out.push(' ');
            }
            out.push_str(self.slice(*token));
            before = Some(*token);
        }
        out
    }

    /// What a name token says, without its quotes.
    pub(crate) fn unquoted(&self, token: Token) -> String {
        let text = self.slice(token);
        let (Some(quote), TokenKind::Quoted | TokenKind::Text) = (text.chars().next(), token.kind) else {
            return text.to_owned();
        };
        let inner = text.get(quote.len_utf8()..).unwrap_or("");
        let inner = inner
            .char_indices()
            .next_back()
            .map_or("", |(at, _)| &inner[..at]);
        let mut out = String::with_capacity(inner.len());
        let mut chars = inner.chars();
        while let Some(c) = chars.next() {
            // A backslash gives the next character, a doubled quote one.
            if c == '\\' || c == quote {
                out.extend(chars.next());
            } else {
                out.push(c);
            }
        }
        out
    }

    /// Names that a part uses, and whether it uses all of them by a star.
    pub(crate) fn names_in(&self, part: Part) -> Vec<String> {
        self.tokens(part)
            .iter()
            .filter(|t| matches!(t.kind, TokenKind::Word | TokenKind::Quoted))
            .map(|t| self.unquoted(*t))
            .collect()
    }

    pub(crate) fn cursor(&self, part: Part) -> Cursor<'_, 'a> {
        Cursor {
            script: self,
            at: part.from,
            to: part.to,
        }
    }
}

/// Passes over the rows of an INSERT, to the sign that ends it. Returns false at the end of the text.
fn skip_values(lexer: &mut Lexer<'_>, text: &str) -> bool {
    while let Some(token) = lexer.next_token() {
        if text.get(token.start as usize..token.end as usize) == Some(";") {
            return true;
        }
    }
    false
}

/// Passes over data in a format: to an empty line, or to one that ends in a semicolon.
fn skip_lines(lexer: &mut Lexer<'_>, text: &str) {
    let mut at = lexer.position();
    for (number, line) in text.get(at..).unwrap_or("").split_inclusive('\n').enumerate() {
        let bare = line.trim();
        if bare.is_empty() && number > 0 {
            break;
        }
        at += line.len();
        if bare.ends_with(';') {
            break;
        }
    }
    lexer.seek(at);
}

/// Reads a part from left to right. A group is passed as one.
#[derive(Clone)]
pub(crate) struct Cursor<'s, 'a> {
    pub(crate) script: &'s Script<'a>,
    at: usize,
    to: usize,
}

impl Cursor<'_, '_> {
    pub(crate) fn is_end(&self) -> bool {
        self.at >= self.to
    }

    pub(crate) fn token(&self) -> Option<Token> {
        if self.is_end() {
            None
        } else {
            self.script.tokens.get(self.at).copied()
        }
    }

    /// The byte where the next token begins; the end of the last one when there is none.
    pub(crate) fn offset(&self) -> usize {
        match self.token() {
            Some(token) => token.start as usize,
            None => self.last_end(),
        }
    }

    /// The byte where the token before ends.
    pub(crate) fn last_end(&self) -> usize {
        let before = self
            .at
            .min(self.to)
            .checked_sub(1)
            .and_then(|at| self.script.tokens.get(at));
        before.map_or(0, |t| t.end as usize)
    }

    /// A place to come back to, or to measure from.
    pub(crate) fn mark(&self) -> usize {
        self.at
    }

    pub(crate) fn since(&self, mark: usize) -> Part {
        Part {
            from: mark,
            to: self.at.min(self.to),
        }
    }

    pub(crate) fn rest(&self) -> Part {
        Part {
            from: self.at,
            to: self.to,
        }
    }

    /// Passes one token, or one group.
    pub(crate) fn step(&mut self) {
        let next = match self.token() {
            Some(Token {
                kind: TokenKind::Open,
                partner,
                ..
            }) if partner != super::token::ALONE => partner as usize + 1,
            _ => self.at + 1,
        };
        self.at = next.min(self.to);
    }

    pub(crate) fn is_word(&self, word: &str) -> bool {
        self.token()
            .is_some_and(|t| t.kind == TokenKind::Word && self.script.slice(t).eq_ignore_ascii_case(word))
    }

    /// True when these words come next.
    pub(crate) fn sees(&self, words: &str) -> bool {
        self.clone().eat(words)
    }

    /// Passes these words when they come next, in this order; else nothing.
    pub(crate) fn eat(&mut self, words: &str) -> bool {
        let mark = self.at;
        for word in words.split(' ') {
            if !self.is_word(word) {
                self.at = mark;
                return false;
            }
            self.step();
        }
        true
    }

    /// Passes the first of these phrases that comes next, and says which.
    pub(crate) fn eat_one(&mut self, phrases: &[&'static str]) -> Option<&'static str> {
        phrases.iter().copied().find(|phrase| self.eat(phrase))
    }

    pub(crate) fn is_sign(&self, sign: &str) -> bool {
        self.token()
            .is_some_and(|t| t.kind == TokenKind::Sign && self.script.slice(t) == sign)
    }

    pub(crate) fn eat_sign(&mut self, sign: &str) -> bool {
        let is_here = self.is_sign(sign);
        if is_here {
            self.step();
        }
        is_here
    }

    /// The next word in capitals, not passed.
    pub(crate) fn keyword(&self) -> String {
        self.token()
            .filter(|t| t.kind == TokenKind::Word)
            .map(|t| self.script.slice(t).to_ascii_uppercase())
            .unwrap_or_default()
    }

    /// A name of one part: a word, a quoted name, or a parameter or template in braces.
    pub(crate) fn ident(&mut self) -> Option<String> {
        let token = self.token()?;
        match token.kind {
            TokenKind::Word | TokenKind::Quoted => {
                self.step();
                Some(self.script.unquoted(token))
            }
            TokenKind::Open if self.script.slice(token) == "{" => {
                let mark = self.at;
                self.step();
                Some(self.script.words(self.since(mark)))
            }
            TokenKind::Sign if self.script.slice(token) == "$" => {
                let mark = self.at;
                self.step();
                self.step();
                Some(self.script.words(self.since(mark)))
            }
            _ => None,
        }
    }

    /// A name or a string.
    pub(crate) fn ident_or_text(&mut self) -> Option<String> {
        if let Some(token) = self.token().filter(|t| t.kind == TokenKind::Text) {
            self.step();
            return Some(self.script.unquoted(token));
        }
        self.ident()
    }

    /// The inside of a group in parentheses, when one comes next.
    pub(crate) fn group(&mut self) -> Option<Part> {
        let token = self.token()?;
        if self.script.slice(token) != "(" || token.partner == super::token::ALONE {
            return None;
        }
        let inside = Part {
            from: self.at + 1,
            to: (token.partner as usize).min(self.to),
        };
        self.step();
        Some(inside)
    }

    /// Everything up to the first of these phrases outside of groups, or to the end.
    pub(crate) fn until(&mut self, phrases: &[&str]) -> Part {
        let mark = self.at;
        while !self.is_end() && !phrases.iter().any(|phrase| self.sees(phrase)) {
            self.step();
        }
        self.since(mark)
    }

    /// The pieces between the commas that stand outside of groups.
    pub(crate) fn list(mut self) -> Vec<Part> {
        let mut pieces = Vec::new();
        while !self.is_end() {
            let mark = self.at;
            while !self.is_end() && !self.is_sign(",") {
                self.step();
            }
            pieces.push(self.since(mark));
            self.step();
        }
        pieces
    }
}
