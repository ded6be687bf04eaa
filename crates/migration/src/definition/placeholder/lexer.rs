//! A reader of SQL that knows just enough to find placeholders: where quotes, comments and names begin and end, as
//! PostgreSQL's own lexer sees them with `standard_conforming_strings` on.

/// One piece of a statement. The pieces of a statement, one after the other, are the statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token<'a> {
    /// What it is.
    pub kind: Kind<'a>,
    /// Its text.
    pub text: &'a str,
    /// Where it begins, in bytes.
    pub at: usize,
}

/// What a piece is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind<'a> {
    /// White space.
    Space,
    /// `-- …` or `/* … */`, nested ones as one.
    Comment,
    /// A constant in quotes of any kind, `$…$` included.
    Constant,
    /// A name in double quotes.
    QuotedName,
    /// A name or a keyword.
    Word,
    /// Digits; a sign, a point and an exponent are pieces of their own.
    Number,
    /// `$1`
    Numbered,
    /// `:name`
    Placeholder(&'a str),
    /// `:name` where a slice may be meant: `a[1:name]`.
    SliceOrPlaceholder(&'a str),
    /// `:'name'` and `:"name"`, which psql would replace.
    Psql,
    /// Any other character, and `::`, `:=`.
    Symbol,
    /// A quote, a dollar quote or a comment that does not end.
    Unended(&'static str),
}

/// Takes a statement apart.
pub fn tokens(sql: &str) -> Vec<Token<'_>> {
    let mut lexer = Lexer {
        sql,
        at: 0,
        brackets: Vec::new(),
        is_behind_operand: false,
    };
    let mut tokens = Vec::new();
    while lexer.at < sql.len() {
        let at = lexer.at;
        let kind = lexer.next();
        let text = &sql[at..lexer.at];
        lexer.note(kind, text);
        tokens.push(Token { kind, text, at });
    }
    tokens
}

struct Lexer<'a> {
    sql: &'a str,
    at: usize,
    /// The brackets that are open.
    brackets: Vec<u8>,
    /// Whether a complete operand stands before: then a colon in brackets separates the bounds of a slice.
    is_behind_operand: bool,
}

fn is_word_start(c: u8) -> bool {
    c.is_ascii_alphabetic() || c == b'_' || c >= 0x80
}

fn is_word(c: u8) -> bool {
    is_word_start(c) || c.is_ascii_digit()
}

/// What PostgreSQL's lexer takes for white space.
fn is_space(c: u8) -> bool {
    matches!(c, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

fn is_line_end(c: u8) -> bool {
    matches!(c, b'\n' | b'\r')
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a [u8] {
        &self.sql.as_bytes()[self.at..]
    }

    /// Goes on while `is_in` holds. Stops only at ASCII characters and never inside of one.
    fn skip_while(&mut self, is_in: impl Fn(u8) -> bool) {
        let length = self.rest().iter().take_while(|c| is_in(**c)).count();
        self.at += length;
    }

    fn next(&mut self) -> Kind<'a> {
        let rest = self.rest();
        let peek = |i: usize| rest.get(i).copied().unwrap_or(0);
        match (rest[0], peek(1)) {
            (c, _) if is_space(c) => {
                self.skip_while(is_space);
                Kind::Space
            }
            (b'-', b'-') => {
                self.skip_while(|c| !is_line_end(c));
                Kind::Comment
            }
            (b'/', b'*') => self.block_comment(),
            (b'\'', _) => self.constant(0, false),
            (b'e' | b'E', b'\'') => self.constant(1, true),
            (b'b' | b'B' | b'x' | b'X' | b'n' | b'N', b'\'') => self.constant(1, false),
            (b'u' | b'U', b'&') if peek(2) == b'\'' => self.constant(2, false),
            (b'u' | b'U', b'&') if peek(2) == b'"' => self.quoted_name(2),
            (b'"', _) => self.quoted_name(0),
            (b'$', c) if c.is_ascii_digit() => {
                self.at += 1;
                self.skip_while(|c| c.is_ascii_digit());
                Kind::Numbered
            }
            (b'$', _) => self.dollar(),
            (b':', _) => self.colon(),
            (c, _) if c.is_ascii_digit() => {
                self.skip_while(|c| c.is_ascii_digit());
                Kind::Number
            }
            (c, _) if is_word_start(c) => {
                self.skip_while(|c| is_word(c) || c == b'$');
                Kind::Word
            }
            _ => {
                self.at += 1;
                Kind::Symbol
            }
        }
    }

    fn block_comment(&mut self) -> Kind<'a> {
        let mut depth = 0_usize;
        loop {
            match self.rest() {
                [b'/', b'*', ..] => {
                    depth += 1;
                    self.at += 2;
                }
                [b'*', b'/', ..] => {
                    depth -= 1;
                    self.at += 2;
                    if depth == 0 {
                        return Kind::Comment;
                    }
                }
                [_, ..] => self.at += 1,
                [] => return Kind::Unended("a comment that begins with `/*`"),
            }
        }
    }

    /// A constant whose quote stands `prefix` bytes on.
    fn constant(&mut self, prefix: usize, is_escaped: bool) -> Kind<'a> {
        self.at += prefix;
        loop {
            self.at += 1;
            loop {
                match self.rest() {
                    [b'\'', b'\'', ..] => self.at += 2,
                    [b'\'', ..] => break,
                    [b'\\', _, ..] if is_escaped => self.at += 2,
                    [_, ..] => self.at += 1,
                    [] => return Kind::Unended("a constant in single quotes"),
                }
            }
            self.at += 1;
            match self.continuation() {
                Some(length) => self.at += length,
                None => return Kind::Constant,
            }
        }
    }

    /// How far away the quote is that goes on with the constant that has just ended: SQL joins `'a'` and `'b'` when only
    /// white space with a line's end stands between, and `'b'` is then read as `'a'` was.
    fn continuation(&self) -> Option<usize> {
        let rest = self.rest();
        let (mut i, mut is_new_line) = (0, false);
        loop {
            match &rest[i..] {
                [c, ..] if is_space(*c) => {
                    is_new_line |= is_line_end(*c);
                    i += 1;
                }
                [b'-', b'-', ..] => i += rest[i..].iter().take_while(|c| !is_line_end(**c)).count(),
                [b'\'', ..] if is_new_line => return Some(i),
                _ => return None,
            }
        }
    }

    fn quoted_name(&mut self, prefix: usize) -> Kind<'a> {
        self.at += prefix + 1;
        loop {
            match self.rest() {
                [b'"', b'"', ..] => self.at += 2,
                [b'"', ..] => {
                    self.at += 1;
                    return Kind::QuotedName;
                }
                [_, ..] => self.at += 1,
                [] => return Kind::Unended("a name in double quotes"),
            }
        }
    }

    fn dollar(&mut self) -> Kind<'a> {
        let rest = &self.sql[self.at..];
        let bytes = rest.as_bytes();
        let tag = bytes[1..].iter().take_while(|c| is_word(**c)).count();
        let is_quote = bytes.get(1 + tag) == Some(&b'$');
        if !is_quote {
            self.at += 1;
            return Kind::Symbol;
        }
        let (mark, body) = rest.split_at(tag + 2);
        match body.find(mark) {
            Some(end) => {
                self.at += mark.len() + end + mark.len();
                Kind::Constant
            }
            None => {
                self.at = self.sql.len();
                Kind::Unended("a dollar quote")
            }
        }
    }

    fn colon(&mut self) -> Kind<'a> {
        match self.rest() {
            [_, b':' | b'=', ..] => {
                self.at += 2;
                Kind::Symbol
            }
            [_, b'\'' | b'"', ..] => {
                self.at += 1;
                Kind::Psql
            }
            [_, c, ..] if is_word_start(*c) => {
                let from = self.at + 1;
                self.at = from;
                self.skip_while(is_word);
                let name = &self.sql[from..self.at];
                let is_in_brackets = self.brackets.last() == Some(&b'[');
                if is_in_brackets && self.is_behind_operand {
                    Kind::SliceOrPlaceholder(name)
                } else {
                    Kind::Placeholder(name)
                }
            }
            _ => {
                self.at += 1;
                Kind::Symbol
            }
        }
    }

    fn note(&mut self, kind: Kind<'_>, text: &str) {
        if matches!(kind, Kind::Space | Kind::Comment) {
            return;
        }
        match text {
            "(" | "[" => self.brackets.push(text.as_bytes()[0]),
            ")" | "]" => {
                self.brackets.pop();
            }
            _ => {}
        }
        self.is_behind_operand = match kind {
            Kind::Symbol => matches!(text, ")" | "]"),
            Kind::Word => !is_followed_by_operand(text),
            _ => true,
        };
    }
}

/// Keywords behind which an operand begins, so that a colon behind them is not a slice's.
fn is_followed_by_operand(word: &str) -> bool {
    const WORDS: &[&str] = &[
        "all", "and", "any", "as", "between", "by", "case", "distinct", "else", "from", "ilike", "in", "is",
        "like", "limit", "not", "offset", "on", "or", "select", "similar", "some", "then", "to", "union",
        "using", "values", "when", "where",
    ];
    WORDS.iter().any(|known| word.eq_ignore_ascii_case(known))
}
