//! Whether something that is there already is what was wanted: the server writes both down, and the words are compared.
//!
//! What is wanted is made on an empty temporary table like the one that is meant, in a transaction that is rolled back.

use corridor_pg::{FaultContext, Isolation, Result, Retry, Session};

use crate::definition::placeholder::lexer::{Kind, tokens};

const LIMITS: &str =
    "set local search_path to default; set local lock_timeout = '10s'; set local statement_timeout = '1min'";

/// An index as the server writes it behind the name of its table, with `unique` before; `None` where that cannot be said here.
pub(super) async fn of_index(
    session: &mut Session,
    table: &str,
    is_unique: bool,
    definition: &str,
) -> Result<Option<String>> {
    let unique = if is_unique { "unique " } else { "" };
    let definition = definition.trim().trim_end_matches(';');
    let make = format!("create {unique}index corridor_likeness_it on pg_temp.corridor_likeness {definition}");
    let ask = "select pg_get_indexdef('pg_temp.corridor_likeness_it'::regclass)";
    Ok(written(session, table, &make, ask)
        .await?
        .map(|text| index_tail(&text)))
}

/// A check as the server writes it; `None` where that cannot be said here, as for a foreign key, which a temporary table cannot
/// have.
pub(super) async fn of_constraint(
    session: &mut Session,
    table: &str,
    definition: &str,
) -> Result<Option<String>> {
    let definition = definition.trim().trim_end_matches(';');
    let make = format!(
        "alter table pg_temp.corridor_likeness add constraint corridor_likeness_it {definition} not valid"
    );
    let ask = "select pg_get_constraintdef(oid) from pg_constraint \
               where conrelid = 'pg_temp.corridor_likeness'::regclass and conname = 'corridor_likeness_it'";
    Ok(written(session, table, &make, ask)
        .await?
        .map(|text| words(&text)))
}

/// What stands behind the name of the table, and whether it is unique.
pub(super) fn index_tail(definition: &str) -> String {
    let tail = definition
        .split_once(" USING ")
        .map_or(definition, |(_, tail)| tail);
    match definition.starts_with("CREATE UNIQUE ") {
        true => format!("UNIQUE {tail}"),
        false => tail.to_owned(),
    }
}

/// The words of a file for an index, where the server cannot be asked (a role that may make no temporary table).
pub(super) fn index_words(is_unique: bool, definition: &str) -> String {
    let given = words(definition.trim().trim_end_matches(';'));
    let tail = match given.strip_prefix("using ") {
        Some(tail) => tail.to_owned(),
        None => format!("btree {given}"),
    };
    match is_unique {
        true => format!("unique {tail}"),
        false => tail,
    }
}

/// Without the mark that it is not validated, and without what people write in one way or another. What stands in quotes stays as
/// it is.
pub(super) fn words(definition: &str) -> String {
    let mut pieces: Vec<String> = Vec::new();
    for token in tokens(definition.trim().trim_end_matches(" NOT VALID")) {
        match token.kind {
            Kind::Space | Kind::Comment => {}
            Kind::Constant | Kind::QuotedName => pieces.push(token.text.to_owned()),
            _ => pieces.push(token.text.to_lowercase()),
        }
    }
    pieces.join(" ")
}

async fn written(session: &mut Session, table: &str, make: &str, ask: &str) -> Result<Option<String>> {
    let tx = session.begin(Isolation::ReadCommitted).await?;
    let like = format!("{LIMITS}; create temp table corridor_likeness (like {table}) on commit drop");
    let doing = || format!("comparing with what is on {table} already");
    for sql in [like.as_str(), make] {
        match tx.batch_execute(sql).await.doing(doing) {
            Ok(()) => {}
            // It is busy, or gone: another try may tell.
            Err(fault) if fault.code().retry != Retry::Never => return Err(fault),
            Err(_) => return Ok(None),
        }
    }
    let row = tx.query_opt(ask, &[]).await.doing(doing)?;
    tx.rollback().await.doing(doing)?;
    Ok(row.map(|row| row.get(0)))
}

#[cfg(test)]
mod tests {
    use super::{index_tail, index_words, words};

    #[test]
    fn words_are_compared_and_not_how_they_are_written() {
        let server = "FOREIGN KEY (team_id) REFERENCES teams(id) ON DELETE CASCADE NOT VALID";
        let person = "foreign key (team_id)\n  references teams (id) on delete cascade";
        assert_eq!(words(server), words(person));
        assert_ne!(words("CHECK ((v > 100))"), words("CHECK ((v > 10))"));
        assert_ne!(words("CHECK ((v = 'A'))"), words("CHECK ((v = 'a'))"));
        assert_ne!(words("CHECK ((v = 'a  b'))"), words("CHECK ((v = 'a b'))"));
        assert_ne!(
            words("FOREIGN KEY (\"A\") REFERENCES t(id)"),
            words("foreign key (a) references t (id)")
        );
    }

    #[test]
    fn an_index_is_what_stands_behind_its_table() {
        assert_eq!(
            index_tail("CREATE UNIQUE INDEX a ON public.t USING btree (x) WHERE (x > 5)"),
            "UNIQUE btree (x) WHERE (x > 5)"
        );
        assert_ne!(
            index_tail("CREATE INDEX a ON public.t USING btree (x)"),
            index_tail("CREATE UNIQUE INDEX a ON public.t USING btree (x)")
        );
        assert_eq!(
            index_words(true, " (x)"),
            words(&index_tail("CREATE UNIQUE INDEX a ON t USING btree (x)"))
        );
    }
}
