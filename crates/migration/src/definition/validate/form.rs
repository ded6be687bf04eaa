//! Whether a text can be run in the way in which it is: alone, in a transaction, as a part of a statement.

use corridor_pg::Code;

use super::super::fault::{BAD_STATEMENT, UNFIT_STATEMENT};
use super::super::placeholder::lexer::{Kind, Token, tokens};
use super::super::text::Form;

type Refusal = (&'static Code, String);

/// Looks at a text whose quotes and comments end.
pub(super) fn check(form: Form, sql: &str) -> Result<(), Refusal> {
    let pieces = tokens(sql);
    if form == Form::Fragment {
        return fragment(&pieces).map_err(|what| (&BAD_STATEMENT, what.to_owned()));
    }
    let statements = statements(&pieces);
    let unfit = |what: String| Err((&UNFIT_STATEMENT, what));
    let is_one = matches!(form, Form::One | Form::Alone);
    if is_one && statements.len() > 1 {
        return unfit(format!("{} statements, where one can be run", statements.len()));
    }
    if form == Form::Alone {
        return Ok(());
    }
    for statement in &statements {
        if let Some(words) = ends_transaction(statement) {
            return unfit(format!(
                "`{words}` would end the transaction that Corridor runs it in"
            ));
        }
        if let Some(words) = needs_no_transaction(statement) {
            let what = format!("`{words}` cannot be run in a transaction, as this is");
            return unfit(what + "; an operation with `no_transaction = true` and `done_when` can");
        }
    }
    Ok(())
}

/// An expression, a condition or a definition stays inside of what is written around it.
fn fragment(pieces: &[Token<'_>]) -> Result<(), &'static str> {
    let mut depth = 0_i32;
    for token in pieces {
        match (token.kind, token.text) {
            (Kind::Symbol, "(" | "[") => depth += 1,
            (Kind::Symbol, ")" | "]") => depth -= 1,
            (Kind::Symbol, ";") => return Err("a part of a statement, without `;`"),
            _ => {}
        }
        if depth < 0 {
            return Err("a bracket is closed that was not opened");
        }
    }
    match pieces.last() {
        _ if depth > 0 => Err("a bracket is not closed"),
        Some(last) if last.kind == Kind::Comment && last.text.starts_with("--") => {
            Err("the comment at its end would go on behind it; use `/* … */`")
        }
        _ => Ok(()),
    }
}

/// The statements of a text, each without white space and comments. A body in `begin atomic … end` is a part of its own.
fn statements<'a>(pieces: &'a [Token<'a>]) -> Vec<Vec<&'a Token<'a>>> {
    let mut statements = vec![Vec::new()];
    let mut depth = 0_u32;
    let mut last = "";
    for token in pieces {
        if matches!(token.kind, Kind::Space | Kind::Comment) {
            continue;
        }
        let is_word = |text: &str, word: &str| token.kind == Kind::Word && text.eq_ignore_ascii_case(word);
        if is_word(token.text, "atomic") && last.eq_ignore_ascii_case("begin")
            || depth > 0 && is_word(token.text, "case")
        {
            depth += 1;
        } else if depth > 0 && is_word(token.text, "end") {
            depth -= 1;
        }
        last = token.text;
        if depth == 0 && token.kind == Kind::Symbol && token.text == ";" {
            statements.push(Vec::new());
        } else if let Some(statement) = statements.last_mut() {
            statement.push(token);
        }
    }
    statements.retain(|statement| !statement.is_empty());
    statements
}

/// The first words of a statement, in lower case.
fn words(statement: &[&Token<'_>]) -> Vec<String> {
    statement
        .iter()
        .take(4)
        .take_while(|token| token.kind == Kind::Word)
        .map(|token| token.text.to_ascii_lowercase())
        .collect()
}

/// What ends the transaction that the statement is in, or begins another; a return to a savepoint does not.
fn ends_transaction(statement: &[&Token<'_>]) -> Option<String> {
    let words = words(statement);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["rollback", "to", ..] | ["rollback", "work" | "transaction", "to", ..] => None,
        ["prepare", "transaction", ..] => Some("prepare transaction".to_owned()),
        [
            word @ ("begin" | "start" | "commit" | "end" | "abort" | "rollback"),
            ..,
        ] => Some((*word).to_owned()),
        _ => None,
    }
}

/// What the server refuses in a transaction.
fn needs_no_transaction(statement: &[&Token<'_>]) -> Option<String> {
    let first = words(statement);
    let first: Vec<&str> = first.iter().map(String::as_str).collect();
    let is_concurrent = statement
        .iter()
        .any(|token| token.kind == Kind::Word && token.text.eq_ignore_ascii_case("concurrently"));
    match first.as_slice() {
        ["vacuum", ..] => Some("vacuum".to_owned()),
        [verb @ ("create" | "drop"), what @ ("database" | "tablespace"), ..] => {
            Some(format!("{verb} {what}"))
        }
        ["alter", "system", ..] => Some("alter system".to_owned()),
        [verb @ ("create" | "drop" | "reindex" | "alter"), ..] if is_concurrent => {
            Some(format!("{verb} … concurrently"))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(form: Form, sql: &str) -> String {
        match check(form, sql) {
            Ok(()) => "taken".to_owned(),
            Err((code, what)) => format!("{} {what}", code.id),
        }
    }

    #[test]
    fn a_transaction_stays_corridors_own() {
        for taken in [
            "select 1; select 2;",
            "savepoint a; select 1; rollback to a; rollback work to savepoint a; release a",
            "select 'commit'; do $$ begin commit; end $$; -- commit\n;;",
            "create function f() returns int begin atomic select case when true then 1 else 2 end; select 2; end; select 1",
            "select begin, \"commit\" from t",
            "refresh materialized view concurrently v",
            "select concurrently from t",
            "",
        ] {
            assert_eq!(told(Form::InTransaction, taken), "taken", "{taken}");
        }
        let refused = [
            "select 1; commit; select 2",
            "BEGIN; select 1",
            "/* now */ rollback",
            "prepare transaction 'x'",
            "create function f() returns int begin atomic select 1; end; end",
            "vacuum t",
            "create unique index Concurrently i on t (a)",
            "alter table t detach partition p concurrently",
            "create database x",
        ]
        .map(|sql| told(Form::InTransaction, sql))
        .join("\n");
        insta::assert_snapshot!(refused, @r#"
        MIG-121 `commit` would end the transaction that Corridor runs it in
        MIG-121 `begin` would end the transaction that Corridor runs it in
        MIG-121 `rollback` would end the transaction that Corridor runs it in
        MIG-121 `prepare transaction` would end the transaction that Corridor runs it in
        MIG-121 `end` would end the transaction that Corridor runs it in
        MIG-121 `vacuum` cannot be run in a transaction, as this is; an operation with `no_transaction = true` and `done_when` can
        MIG-121 `create … concurrently` cannot be run in a transaction, as this is; an operation with `no_transaction = true` and `done_when` can
        MIG-121 `alter … concurrently` cannot be run in a transaction, as this is; an operation with `no_transaction = true` and `done_when` can
        MIG-121 `create database` cannot be run in a transaction, as this is; an operation with `no_transaction = true` and `done_when` can
        "#);
    }

    #[test]
    fn one_statement_is_one() {
        assert_eq!(told(Form::One, "select ';' -- ;\n;"), "taken");
        assert_eq!(told(Form::Alone, "vacuum t; -- that is all"), "taken");
        let refused = [
            (Form::One, "select 1; select 2"),
            (Form::One, "commit"),
            (Form::Alone, "vacuum a; vacuum b"),
        ]
        .map(|(form, sql)| told(form, sql))
        .join("\n");
        insta::assert_snapshot!(refused, @r#"
        MIG-121 2 statements, where one can be run
        MIG-121 `commit` would end the transaction that Corridor runs it in
        MIG-121 2 statements, where one can be run
        "#);
    }

    #[test]
    fn a_part_stays_a_part() {
        assert_eq!(told(Form::Fragment, "f(')', a[1]) /* ) */"), "taken");
        let refused = ["a) or (true", "(1", "1;", "check (a > 0) -- the check", "a]["]
            .map(|sql| told(Form::Fragment, sql))
            .join("\n");
        insta::assert_snapshot!(refused, @r#"
        MIG-115 a bracket is closed that was not opened
        MIG-115 a bracket is not closed
        MIG-115 a part of a statement, without `;`
        MIG-115 the comment at its end would go on behind it; use `/* … */`
        MIG-115 a bracket is closed that was not opened
        "#);
    }
}
