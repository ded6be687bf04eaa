//! A file cut into statements, before anything is parsed.
//!
//! One pass over the bytes knows quotes, dollar quotes, comments, parentheses and the bodies of `begin atomic`. What only
//! psql understands (`\connect`, the rows behind `copy … from stdin`) is passed over here. It counts how deep a statement
//! nests as well: the parser descends as deep as the text does.

use crate::ir::{Comment, Span};

/// Parentheses in each other, more than which a statement is not read.
pub const NESTING_MAX: usize = 400;
/// Words that let the parser descend without parentheses (`not not …`, chains of `union`), more than which a statement
/// is not read.
const CHAIN_MAX: usize = 2_000;
/// A statement longer than this is not read; a row of data may be long, a statement that changes a schema is not.
pub const STATEMENT_BYTES_MAX: usize = 4 << 20;

/// A piece of the file that is one statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Its bytes, from its first word to its last, without the semicolon.
    pub span: Span,
    /// Why it must not be parsed.
    pub unfit: Option<String>,
}

/// Cuts.
pub fn cut(text: &str) -> (Vec<Piece>, Vec<Comment>) {
    let mut scan = Scan::new(text);
    scan.run();
    (scan.pieces, scan.comments)
}

/// The words of a statement, in lower case, without comments, quotes and signs.
pub fn words(text: &str) -> Vec<String> {
    let mut scan = Scan::new(text);
    scan.keeps_words = true;
    scan.run();
    scan.all_words
}

struct Scan<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    start: Option<usize>,
    end: usize,
    depth: usize,
    depth_max: usize,
    chain: usize,
    /// `begin atomic` and `case` that are open.
    atomic: usize,
    words: Vec<String>,
    last: String,
    pieces: Vec<Piece>,
    comments: Vec<Comment>,
    keeps_words: bool,
    all_words: Vec<String>,
}

impl<'a> Scan<'a> {
    fn new(text: &'a str) -> Self {
        let at = if text.starts_with('\u{feff}') { 3 } else { 0 };
        Scan {
            text,
            bytes: text.as_bytes(),
            at,
            start: None,
            end: at,
            depth: 0,
            depth_max: 0,
            chain: 0,
            atomic: 0,
            words: Vec::new(),
            last: String::new(),
            pieces: Vec::new(),
            comments: Vec::new(),
            keeps_words: false,
            all_words: Vec::new(),
        }
    }

    fn run(&mut self) {
        while let Some(&byte) = self.bytes.get(self.at) {
            let next = self.bytes.get(self.at + 1).copied().unwrap_or(0);
            match byte {
                b'-' if next == b'-' => self.line_comment(),
                b'/' if next == b'*' => self.block_comment(),
                // psql's own; `\g` and its kin end a statement as a semicolon does.
                b'\\' => {
                    let from = self.at;
                    if next == b'g' {
                        self.finish();
                    }
                    self.at = from;
                    self.psql();
                }
                b';' if self.depth == 0 && self.atomic == 0 => self.finish(),
                b'\'' => self.quoted(b'\'', self.is_escape_string()),
                b'"' => self.quoted(b'"', false),
                b'$' if self.dollar() => {}
                byte if byte.is_ascii_whitespace() => self.at += 1,
                byte if byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80 => self.word(),
                byte if byte.is_ascii_digit() => {
                    let from = self.at;
                    while self
                        .bytes
                        .get(self.at)
                        .is_some_and(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_'))
                    {
                        self.at += 1;
                    }
                    self.token(from);
                }
                _ => self.symbol(byte),
            }
        }
        self.finish();
    }

    fn token(&mut self, from: usize) {
        self.start.get_or_insert(from);
        self.end = self.at;
    }

    fn symbol(&mut self, byte: u8) {
        let from = self.at;
        self.at += 1;
        match byte {
            b'(' | b'[' => {
                self.depth += 1;
                self.depth_max = self.depth_max.max(self.depth + self.atomic);
            }
            b')' | b']' => self.depth = self.depth.saturating_sub(1),
            b',' => {}
            _ => self.chain += 1,
        }
        self.last.clear();
        self.token(from);
    }

    fn line_end(&self) -> usize {
        self.bytes[self.at..]
            .iter()
            .position(|b| *b == b'\n')
            .map_or(self.bytes.len(), |n| self.at + n)
    }

    /// A line of psql's. What runs something that is not in the file, or leaves the session, is a piece of its own.
    fn psql(&mut self) {
        let (from, end) = (self.at, self.line_end());
        self.at = end;
        let line = self.text.get(from..end).unwrap_or_default().trim_end();
        let word = line.split_whitespace().next().unwrap_or_default();
        let why = match word {
            "\\i" | "\\ir" | "\\include" | "\\include_relative" => {
                "what psql reads there is not in this file"
            }
            "\\gexec" => "psql runs what the query returns",
            "\\c" | "\\connect" => "psql goes on in another session: its settings are not known",
            word if word.starts_with("\\!") => "psql runs a program",
            _ => return,
        };
        if self.start.is_none() {
            self.pieces.push(Piece {
                span: from..from + line.len(),
                unfit: Some(why.to_owned()),
            });
        }
    }

    fn line_comment(&mut self) {
        let end = self.line_end();
        self.comment(self.at + 2, end, self.at..end);
        self.at = end;
    }

    fn comment(&mut self, from: usize, to: usize, span: Span) {
        let text = self.text.get(from..to).unwrap_or_default().trim().to_owned();
        self.comments.push(Comment { span, text });
    }

    fn block_comment(&mut self) {
        let (from, mut open) = (self.at, 1_usize);
        self.at += 2;
        while open > 0 && self.at < self.bytes.len() {
            match (self.bytes[self.at], self.bytes.get(self.at + 1)) {
                (b'/', Some(b'*')) => {
                    open += 1;
                    self.at += 2;
                }
                (b'*', Some(b'/')) => {
                    open -= 1;
                    self.at += 2;
                }
                _ => self.at += 1,
            }
        }
        let end = self.at;
        if open > 0 && self.start.is_none() {
            let line = self.text[from..].lines().next().unwrap_or_default().trim_end();
            self.pieces.push(Piece {
                span: from..from + line.len(),
                unfit: Some("a comment begins here and does not end".to_owned()),
            });
        }
        self.comment(from + 2, end.saturating_sub(2).max(from + 2), from..end);
    }

    fn is_escape_string(&self) -> bool {
        self.last == "e" && self.end == self.at
    }

    fn quoted(&mut self, quote: u8, has_escapes: bool) {
        let from = self.at;
        self.at += 1;
        while let Some(&byte) = self.bytes.get(self.at) {
            self.at += 1;
            match byte {
                b'\\' if has_escapes => self.at = (self.at + 1).min(self.bytes.len()),
                byte if byte == quote => {
                    if self.bytes.get(self.at) == Some(&quote) {
                        self.at += 1;
                    } else {
                        break;
                    }
                }
                _ => {}
            }
        }
        self.last.clear();
        self.token(from);
    }

    /// True when a dollar quote began here, and was passed over.
    fn dollar(&mut self) -> bool {
        let rest = &self.bytes[self.at + 1..];
        let Some(tag) = rest
            .iter()
            .position(|b| !(b.is_ascii_alphanumeric() || *b == b'_' || *b >= 0x80))
        else {
            return false;
        };
        if rest[tag] != b'$' || rest.first().is_some_and(u8::is_ascii_digit) {
            return false;
        }
        let from = self.at;
        let mark = &self.text[self.at..self.at + tag + 2];
        let body = self.at + mark.len();
        self.at = self.text[body..]
            .find(mark)
            .map_or(self.bytes.len(), |n| body + n + mark.len());
        self.last.clear();
        self.token(from);
        true
    }

    fn word(&mut self) {
        let from = self.at;
        while self
            .bytes
            .get(self.at)
            .is_some_and(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'$') || *b >= 0x80)
        {
            self.at += 1;
        }
        let word = self.text[from..self.at].to_ascii_lowercase();
        if self.words.len() < 64 {
            self.words.push(word.clone());
        }
        if self.keeps_words {
            self.all_words.push(word.clone());
        }
        match word.as_str() {
            "atomic" if self.last == "begin" && self.depth == 0 => self.atomic += 1,
            "case" if self.atomic > 0 => self.atomic += 1,
            "end" if self.atomic > 0 => self.atomic -= 1,
            "not" | "case" | "union" | "except" | "intersect" | "explain" | "else" | "and" | "or"
            | "join" => self.chain += 1,
            _ => {}
        }
        self.last = word;
        self.token(from);
    }

    fn finish(&mut self) {
        self.at = (self.at + 1).min(self.bytes.len().max(self.at));
        if let Some(start) = self.start.take() {
            let span = start..self.end;
            let unfit = if self.depth_max > NESTING_MAX {
                Some(format!(
                    "it nests {} deep; at most {NESTING_MAX} are read",
                    self.depth_max
                ))
            } else if self.chain > CHAIN_MAX && !self.is_rows() {
                Some("it is a chain of thousands of operators".to_owned())
            } else if span.len() > STATEMENT_BYTES_MAX {
                Some(format!("it is longer than {} MiB", STATEMENT_BYTES_MAX >> 20))
            } else {
                None
            };
            self.pieces.push(Piece { span, unfit });
            if self.is_copy_in() {
                self.rows();
            }
        }
        self.depth = 0;
        self.depth_max = 0;
        self.chain = 0;
        self.atomic = 0;
        self.words.clear();
        self.last.clear();
    }

    fn is_rows(&self) -> bool {
        self.words.first().is_some_and(|word| word == "insert")
    }

    fn is_copy_in(&self) -> bool {
        self.words.first().is_some_and(|word| word == "copy")
            && self
                .words
                .windows(2)
                .any(|pair| pair[0] == "from" && pair[1] == "stdin")
    }

    /// Passes over the rows of a `copy`, which end with `\.` on a line of its own.
    fn rows(&mut self) {
        loop {
            let end = self.line_end();
            let line = self.text.get(self.at..end).unwrap_or_default().trim_end();
            self.at = (end + 1).min(self.bytes.len());
            if line == "\\." || end == self.bytes.len() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<&str> {
        cut(text).0.into_iter().map(|piece| &text[piece.span]).collect()
    }

    #[test]
    fn a_semicolon_ends_a_statement_only_where_it_is_one() {
        assert_eq!(
            texts("select ';'; select \";\" ; -- a;b\n select $x$ ; $$ $x$;"),
            ["select ';'", "select \";\"", "select $x$ ; $$ $x$"]
        );
        assert_eq!(
            texts("create rule r as on insert to t do (select 1; select 2); select e'\\';'"),
            [
                "create rule r as on insert to t do (select 1; select 2)",
                "select e'\\';'"
            ]
        );
        assert_eq!(texts("create function f() returns int begin atomic select case when true then 1 end; select 2; end; select 3").len(), 2);
        assert_eq!(texts(";;; /* ; /* ; */ ; */ ;"), Vec::<&str>::new());
    }

    #[test]
    fn what_only_psql_understands_is_passed_over() {
        assert_eq!(
            texts("\\connect x\nselect 1;\n\\if :x\ncopy t from stdin;\n1\tit's\n\\.\nselect 2;\n"),
            ["\\connect x", "select 1", "copy t from stdin", "select 2"]
        );
    }

    #[test]
    fn what_runs_something_else_is_said_to_be_unread() {
        let text = "\\set ON_ERROR_STOP on\n\\i other.sql\nselect format('drop table %I', t) from x \\gexec\n\\! rm -rf /\nselect 1 \\g\n";
        let (pieces, _) = cut(text);
        let unread: Vec<&str> = pieces
            .iter()
            .filter(|piece| piece.unfit.is_some())
            .map(|piece| &text[piece.span.clone()])
            .collect();
        assert_eq!(unread, ["\\i other.sql", "\\gexec", "\\! rm -rf /"]);
        assert_eq!(pieces.len(), 5);
        let open = "select 1; /* oops\ncreate index i on t (a);";
        assert_eq!(
            cut(open).0[1].unfit.as_deref(),
            Some("a comment begins here and does not end")
        );
    }

    #[test]
    fn depth_is_counted_before_anything_descends() {
        let deep = format!("select {}1{}", "(".repeat(5_000), ")".repeat(5_000));
        assert!(cut(&deep).0[0].unfit.is_some());
        assert!(
            cut(&format!("select {} true", "not ".repeat(9_000))).0[0]
                .unfit
                .is_some()
        );
        assert!(cut("select ((1))").0[0].unfit.is_none());
    }
}
