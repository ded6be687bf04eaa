//! What a written statement says by itself: its verb, its table, and the columns that an update sets. Pure.
//!
//! No parser of SQL: it reads simple statements as `pg_stat_statements` keeps them, and gives up on everything else. A
//! statement that is given up is not judged by its columns; it is never judged wrongly.

/// A statement that writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    /// What it does.
    pub verb: Verb,
    /// Its schema, when it names one.
    pub schema: Option<String>,
    /// Its table, as the catalogue has it.
    pub table: String,
    /// The columns that an update sets; `None` where they are not known.
    pub columns: Option<Vec<String>>,
}

/// What a statement does to rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Adds rows.
    Insert,
    /// Writes rows anew.
    Update,
    /// Takes rows away.
    Delete,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    /// A name or a keyword without quotes, in lower case.
    Word(String),
    /// A name in quotes.
    Quoted(String),
    /// Anything else, one character.
    Sign(char),
    /// A constant or a parameter: its text does not matter.
    Value,
}

/// Reads `text`. `is_whole` is false when the text was cut off. `None`: not a simple write.
pub fn parse(text: &str, is_whole: bool) -> Option<Write> {
    let tokens = tokens(text)?;
    let mut at = 0;
    let word = |at: usize, wanted: &str| matches!(tokens.get(at), Some(Token::Word(w)) if w == wanted);
    let verb = match tokens.first()? {
        Token::Word(w) if w == "insert" && word(1, "into") => {
            at = 2;
            Verb::Insert
        }
        Token::Word(w) if w == "update" => {
            at += 1;
            Verb::Update
        }
        Token::Word(w) if w == "delete" && word(1, "from") => {
            at = 2;
            Verb::Delete
        }
        _ => return None,
    };
    if word(at, "only") {
        at += 1;
    }
    let first = name(tokens.get(at)?)?;
    at += 1;
    let (schema, table) = if tokens.get(at) == Some(&Token::Sign('.')) {
        let second = name(tokens.get(at + 1)?)?;
        at += 2;
        (Some(first), second)
    } else {
        (None, first)
    };
    let columns = (verb == Verb::Update)
        .then(|| set_list(&tokens, at, is_whole))
        .flatten();
    Some(Write {
        verb,
        schema,
        table,
        columns,
    })
}

/// The columns between `set` and the end of the list; `None` for anything that is not `column = expression, …`.
fn set_list(tokens: &[Token], from: usize, is_whole: bool) -> Option<Vec<String>> {
    let set = Token::Word("set".to_owned());
    // Between the table and `set` there may be `*`, `as` and an alias.
    let at = (from..tokens.len().min(from + 4)).find(|at| tokens[*at] == set)?;
    let mut rest = tokens[at + 1..].iter().peekable();
    let mut columns = Vec::new();
    loop {
        columns.push(name(rest.next()?)?);
        // Parts of arrays and of composite values copy the whole column: `tags[1] = …`, `address.city = …`: give up.
        if rest.next()? != &Token::Sign('=') {
            return None;
        }
        let mut depth = 0_u32;
        loop {
            match rest.next() {
                None if is_whole && depth == 0 => return Some(columns),
                None => return None,
                Some(Token::Sign('(' | '[')) => depth += 1,
                Some(Token::Sign(')' | ']')) => depth = depth.checked_sub(1)?,
                Some(Token::Sign(',')) if depth == 0 => break,
                Some(Token::Sign(';')) => return Some(columns),
                Some(Token::Word(w))
                    if depth == 0 && matches!(w.as_str(), "where" | "returning" | "from") =>
                {
                    // `is distinct from` is the one place where `from` is part of an expression.
                    let is_from_alone = w != "from" || !is_distinct(tokens, rest.len());
                    if is_from_alone {
                        return Some(columns);
                    }
                }
                Some(_) => {}
            }
        }
    }
}

/// Whether the token before the one that was just read is `distinct`.
fn is_distinct(tokens: &[Token], left: usize) -> bool {
    let here = tokens.len() - left;
    here >= 2 && tokens[here - 2] == Token::Word("distinct".to_owned())
}

fn name(token: &Token) -> Option<String> {
    match token {
        Token::Word(text) | Token::Quoted(text) => Some(text.clone()),
        _ => None,
    }
}

/// `None` when something is not closed.
fn tokens(text: &str) -> Option<Vec<Token>> {
    let mut all = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if c.is_whitespace() {
            rest = &rest[c.len_utf8()..];
        } else if let Some(after) = rest.strip_prefix("--") {
            rest = after.find('\n').map_or("", |end| &after[end..]);
        } else if let Some(after) = rest.strip_prefix("/*") {
            rest = &after[after.find("*/")? + 2..];
        } else if c == '\'' {
            // A string that was cut off is the end of what can be read; a doubled quote is two strings.
            let end = rest[1..].find('\'').map_or(rest.len(), |end| end + 2);
            all.push(Token::Value);
            rest = &rest[end..];
        } else if c == '"' {
            let end = rest[1..].find('"')? + 1;
            if rest[end + 1..].starts_with('"') {
                return None; // a quote within a name
            }
            all.push(Token::Quoted(rest[1..end].to_owned()));
            rest = &rest[end + 1..];
        } else if c == '_' || c.is_alphabetic() {
            let end = rest
                .find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$'))
                .unwrap_or(rest.len());
            all.push(Token::Word(rest[..end].to_lowercase()));
            rest = &rest[end..];
        } else if c == '$' || c.is_ascii_digit() {
            let end = rest[1..]
                .find(|c: char| !(c.is_alphanumeric() || c == '.'))
                .map_or(rest.len(), |end| end + 1);
            // A dollar-quoted text: its end is not looked for.
            if c == '$' && rest.len() > 1 && !rest[1..end].starts_with(|c: char| c.is_ascii_digit()) {
                return None;
            }
            all.push(Token::Value);
            rest = &rest[end..];
        } else {
            all.push(Token::Sign(c));
            rest = &rest[c.len_utf8()..];
        }
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn columns(text: &str) -> Option<Vec<String>> {
        parse(text, true)?.columns
    }

    #[test]
    fn the_table_and_the_columns_of_simple_statements() {
        let write = parse(
            "/* web */ update only public.\"Users\" as u set last_seen = $1, hits = u.hits + $2 where id = $3",
            true,
        )
        .unwrap();
        assert_eq!(write.verb, Verb::Update);
        assert_eq!(
            (write.schema.as_deref(), write.table.as_str()),
            (Some("public"), "Users")
        );
        assert_eq!(write.columns.unwrap(), ["last_seen", "hits"]);
        let write = parse("INSERT INTO Events (a, b) VALUES ($1, $2)", true).unwrap();
        assert_eq!(
            (write.verb, write.table.as_str(), write.columns),
            (Verb::Insert, "events", None)
        );
        assert_eq!(
            parse("delete from t where a = 'x''y'", true).unwrap().verb,
            Verb::Delete
        );
        assert_eq!(
            columns("update t set a = coalesce($1, b), \"B\" = (select max(c) from d where e = $2)").unwrap(),
            ["a", "B"]
        );
        assert_eq!(
            columns("update t set a = b is distinct from c, d = 1 from x where x.i = t.i").unwrap(),
            ["a", "d"]
        );
    }

    #[test]
    fn what_is_not_simple_is_given_up() {
        assert_eq!(columns("update t set (a, b) = ($1, $2) where id = 3"), None);
        assert_eq!(columns("update t set tags[1] = $1 where id = 3"), None);
        assert_eq!(columns("update t set a = $$text$$"), None);
        assert_eq!(parse("with x as (select 1) update t set a = 1", true), None);
        assert_eq!(parse("select 1", true), None);
        assert_eq!(parse("update", true), None);
        // Cut off within the list: there may be more columns. Cut off behind it: there are none.
        let columns = |text: &str| parse(text, false).unwrap().columns;
        assert_eq!(columns("update t set a = $1, b = $"), None);
        assert_eq!(columns("update t set a = $1 where b in ($2, $").unwrap(), ["a"]);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_fall(text in ".{0,80}", cut in 0_usize..60) {
            let _ = parse(&text, true);
            let whole = "update s.\"t\" as x set a = f(b, '1'), c = d[1] where e = $1";
            let _ = parse(&whole[..cut.min(whole.len())], false);
        }
    }
}
