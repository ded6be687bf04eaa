//! Grants as a script: psql runs what is printed as it is.

use corridor_move::preflight::{NeededGrant, NeededGrants};
use serde::Serialize;

use super::WIDTH;
use super::text::{harmless, wrap};

/// What makes a line a comment.
const MARGIN: &str = "-- ";

/// The grants as JSON.
#[derive(Debug, Serialize)]
pub(crate) struct GrantsDocument<'a> {
    #[serde(flatten)]
    pub(crate) found: &'a NeededGrants,
}

/// The grants as SQL: each with its reason; those that are there already as comments.
///
/// A statement is one line, however long: spaces in a quoted name are a part of it.
pub(crate) fn sql(found: &NeededGrants) -> String {
    let role = &found.role;
    let place = match &found.table {
        Some(table) => format!("a move of {table} in database {}", found.database),
        None => format!(
            "a move of any table in database {}; `corridor grants TABLE` adds what a table needs",
            found.database
        ),
    };
    let mut lines = comment(&format!("What the role {role} needs for {place}."));
    if found.is_superuser {
        lines.extend(comment(&format!("{role} is a superuser, and needs none of it.")));
    }
    let (there, missing): (Vec<_>, Vec<_>) = found.grants.iter().partition(|grant| grant.is_there);
    if missing.is_empty() {
        lines.extend(comment("Nothing is missing."));
    } else {
        lines.extend(comment(
            "A superuser, or whoever owns these objects, can give it.",
        ));
    }
    for grant in missing {
        lines.push(String::new());
        lines.extend(comment(&reason(grant)));
        match statement(grant) {
            Some(text) => lines.push(format!("{text};")),
            None => lines.extend(comment(&format!(
                "by hand, for its control characters: {}",
                grant.statement
            ))),
        }
    }
    if !there.is_empty() {
        lines.push(String::new());
        lines.extend(comment("There already:"));
    }
    for grant in there {
        lines.push(format!("-- {};", harmless(&grant.statement)));
    }
    lines.join("\n")
}

fn reason(grant: &NeededGrant) -> String {
    let only = if grant.is_for_wanted {
        " (only with --to)"
    } else {
        ""
    };
    format!("{}{only}", grant.why)
}

/// The statement, unless it cannot be shown as it is.
fn statement(grant: &NeededGrant) -> Option<&str> {
    (harmless(&grant.statement) == grant.statement).then_some(&grant.statement)
}

/// Each line is a comment of its own.
fn comment(text: &str) -> Vec<String> {
    let lines = wrap(&harmless(text), WIDTH - MARGIN.len());
    lines.into_iter().map(|line| format!("{MARGIN}{line}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(statement: &str, is_there: bool, is_for_wanted: bool) -> NeededGrant {
        NeededGrant {
            statement: statement.to_owned(),
            why: "to make the new table and what hangs on it".to_owned(),
            is_there,
            is_for_wanted,
        }
    }

    #[test]
    fn what_is_printed_is_a_script() {
        let found = NeededGrants {
            role: "mover".to_owned(),
            is_superuser: false,
            database: "app".to_owned(),
            table: Some("public.events".to_owned()),
            grants: vec![
                grant("grant create on schema \"a  b\" to mover", false, false),
                grant("grant temporary on database app to mover", false, true),
                grant("grant \"x\n; drop table t\" to mover", false, false),
                grant("grant usage on schema \"a\nb\" to mover", true, false),
            ],
        };
        insta::assert_snapshot!(sql(&found), @r#"
        -- What the role mover needs for a move of public.events in database app.
        -- A superuser, or whoever owns these objects, can give it.

        -- to make the new table and what hangs on it
        grant create on schema "a  b" to mover;

        -- to make the new table and what hangs on it (only with --to)
        grant temporary on database app to mover;

        -- to make the new table and what hangs on it
        -- by hand, for its control characters: grant "x\n; drop table t" to mover

        -- There already:
        -- grant usage on schema "a\nb" to mover;
        "#);
    }
}
