//! The id that the server will compute for a statement, asked for before the statement runs.
//!
//! `explain (verbose)` plans a statement without running it and shows the id, where the server computes ids
//! (`compute_query_id`). It takes what is planned only: for anything else, and for several statements in one text, there is no
//! id beforehand. Then the try is known by its backend and by the tag in front of its statement, and the server shows the id
//! while it runs.

use corridor_pg::{Isolation, Session};

use crate::definition::placeholder::lexer::{Kind, Token, tokens};

/// Planning takes locks and time; neither may hold anybody up.
const LIMITS: &str = "set local statement_timeout = '2s'; set local lock_timeout = '200ms'; set local search_path to default; \
     set local row_security to default; set transaction read only";
const SHOWN_AS: &str = "Query Identifier: ";

/// The id, where the server says one. Whatever goes wrong here is no reason not to run the statement.
pub(super) async fn ahead(session: &mut Session, statement: &str) -> Option<i64> {
    if !is_planned(statement) {
        return None;
    }
    let asked = async {
        let tx = session.begin(Isolation::ReadCommitted).await.ok()?;
        tx.batch_execute(LIMITS).await.ok()?;
        // Prepared, so the server refuses a second statement behind the first.
        let lines = tx
            .query(&format!("explain (verbose, costs off) {statement}"), &[])
            .await
            .ok()?;
        // Its line is the last but for those of the compiler; what a constant in the plan says comes before it.
        let id = lines.iter().rev().find_map(|line| {
            let line: &str = line.try_get(0).ok()?;
            line.strip_prefix(SHOWN_AS)?.trim().parse().ok()
        });
        tx.rollback().await.ok()?;
        id
    };
    asked.await
}

/// Whether it is one statement of a kind that the server plans.
fn is_planned(statement: &str) -> bool {
    let tokens = tokens(statement);
    let mut pieces = tokens
        .iter()
        .filter(|token| !matches!(token.kind, Kind::Space | Kind::Comment));
    let is_end = |token: &&Token<'_>| token.kind == Kind::Symbol && token.text == ";";
    let first = pieces.find(|token| token.text != "(");
    let is_kind = first.is_some_and(|token| {
        token.kind == Kind::Word
            && ["select", "insert", "update", "delete", "merge", "with", "values"]
                .iter()
                .any(|word| token.text.eq_ignore_ascii_case(word))
    });
    is_kind
        && pieces
            .skip_while(|token| !is_end(token))
            .all(|token| is_end(&token))
}

#[cfg(test)]
mod tests {
    use super::is_planned;

    #[test]
    fn one_statement_that_is_planned_is_asked_about() {
        for yes in [
            "select 1",
            "  /* why */ -- and\n UPDATE t set a = ';' where b = $$;$$ ;\n ; -- over",
            "(select 1) union select 2",
            "with w as (delete from t returning *) insert into u select * from w",
        ] {
            assert!(is_planned(yes), "{yes}");
        }
        for no in [
            "",
            ";",
            "create table t ()",
            "update t set a = 1; update t set a = 2",
            "do $$ begin end $$",
            "\"select\"",
            "explain select 1",
        ] {
            assert!(!is_planned(no), "{no}");
        }
    }
}
