//! Bound statements say to the server what they should: a value stays a value, and what is in quotes stays there.

use std::collections::BTreeMap;

use corridor_migration::definition::placeholder::{bind, fill, literal};
use corridor_migration::definition::{Definition, Operation, ParameterType, file};
use corridor_testbed::{Cluster, Servers};
use tokio_postgres::SimpleQueryMessage;

use crate::{fresh, session};

fn bound(kind: &str, sql: &str, value: &str) -> String {
    let mut definition: Definition = file::read(
        "m.toml",
        &format!(
            "description = \"x\"\n[parameters.p]\ntype = \"{kind}\"\n[[operations]]\nkind = \"check\"\nname = \"a\"\n\
             query = \":p\""
        ),
    )
    .unwrap();
    if let [Operation::Check(check)] = definition.operations.as_mut_slice() {
        check.query = sql.to_owned();
    }
    let given = BTreeMap::from([("p".to_owned(), value.to_owned())]);
    match bind(&definition, &given).unwrap().operations.remove(0) {
        Operation::Check(check) => check.query,
        other => panic!("{other:?}"),
    }
}

/// Every column of every row, as text.
async fn answer(session: &corridor_pg::Session, sql: &str) -> Result<String, String> {
    let messages = session
        .simple_query(sql)
        .await
        .map_err(|error| format!("{error:?}"))?;
    let mut values = Vec::new();
    for message in messages {
        if let SimpleQueryMessage::Row(row) = message {
            values.extend((0..row.len()).map(|i| row.get(i).unwrap_or("null").to_owned()));
        }
    }
    Ok(values.join("|"))
}

/// Statement, type, value, what the server answers.
const CASES: &[(&str, &str, &str, &str)] = &[
    (
        "select :p + 1",
        "integer",
        "9223372036854775806",
        "9223372036854775807",
    ),
    ("select -:p", "integer", "-5", "5"),
    ("select :p, pg_typeof(:p)", "numeric", "1.50e1", "15.0|numeric"),
    ("select pg_typeof(:p), not :p", "boolean", "off", "boolean|t"),
    (
        "select pg_typeof(:p), :p = '2026-11-20 17:30Z'",
        "timestamp",
        "2026-11-20T19:30:00+02",
        "timestamp with time zone|t",
    ),
    (
        "select (:p)['a'], :p->>'b'",
        "json",
        "{\"a\": [1], \"b\": \"it's\\\\\"}",
        "[1]|it's\\",
    ),
    ("select :p", "text", "'; select 'gone", "'; select 'gone"),
    ("select :p", "text", "\\'; select 1; --", "\\'; select 1; --"),
    // Nothing is replaced in quotes of any kind and in comments.
    (
        "select ':p', $$:p$$, $a$ $$ :p $a$, E'\\':p', U&':p' /* /* :p */ :p */ -- :p\n, :p",
        "text",
        "x",
        ":p|:p| $$ :p |':p|:p|x",
    ),
    (
        "select 'it''s', E'it\\'s', :p, 'a\\', :p",
        "text",
        "x",
        "it's|it's|x|a\\|x",
    ),
    ("select 'a'\n':p', :p", "text", "x", "a:p|x"),
    ("select E'a' -- '\n'\\':p', :p", "text", "x", "a':p|x"),
    ("select 1 as \"a\"\":p\", :p", "text", "x", "1|x"),
    ("select 1 as a$b, :p", "text", "x", "1|x"),
    // Casts, slices and named arguments are no placeholders.
    ("select '5'::int, :p::int::text", "text", "6", "5|6"),
    (
        "select (array[1,2,3,4])[2:3], (array[1,2,3])[:2], a[b:c], a[b:(:p)] from (select array[7,8,9] a, 2 b, 3 c) s",
        "integer",
        "2",
        "{2,3}|{1,2}|{8,9}|{8}",
    ),
    (
        "select (array[:p, :p])[1], (array[1,2])[:p]",
        "integer",
        "2",
        "2|2",
    ),
    (
        "select make_date(year := :p::int, month => 2, day => 3)",
        "integer",
        "2026",
        "2026-02-03",
    ),
    // What stands beside it does not join it: each of these fails, whatever the value.
    ("select 'a' :p", "text", "b", "error"),
    ("select 'a'\n:p", "text", "b", "error"),
    ("select U&:p", "text", "\\0041", "error"),
];

#[tokio::test]
async fn a_value_stays_a_value_on_each_major() {
    for installation in Servers::find() {
        let major = installation.major;
        let database = Cluster::shared(major)
            .await
            .fresh_database("binding")
            .await
            .unwrap();
        let session = session(&database.url, "test", "-").await;
        for (sql, kind, value, wanted) in CASES {
            let sql = bound(kind, sql, value);
            let got = answer(&session, &sql).await;
            match *wanted {
                "error" => assert!(got.is_err(), "{sql} on {major}: {got:?}"),
                wanted => assert_eq!(got.as_deref(), Ok(wanted), "{sql} on {major}"),
            }
        }
        // Whatever is in a text comes back as it was, from a plain place and from one in a list of each's.
        let alphabet: Vec<char> = "'\\\"$:;-/*E(),[]?é🐘\n\t\rU&xp ".chars().collect();
        let mut random = fastrand::Rng::with_seed(5);
        for _ in 0..500 {
            let length = random.usize(0..12);
            let value: String = (0..length)
                .map(|_| alphabet[random.usize(0..alphabet.len())])
                .collect();
            let sql = bound("text", "select 'a', :p, ':p'", &value);
            assert_eq!(
                answer(&session, &sql).await,
                Ok(format!("a|{value}|:p")),
                "{sql} on {major}"
            );
            let each = literal(ParameterType::Text, &value);
            let sql = fill(
                "select :each, ':each' where :range",
                Some(&each),
                Some("true or false"),
            );
            assert_eq!(
                answer(&session, &sql).await,
                Ok(format!("{value}|:each")),
                "{sql} on {major}"
            );
        }
    }
}

/// What the server makes of a statement: its error without the places and the value, or that there was none.
async fn verdict(session: &corridor_pg::Session, sql: &str, value: &str) -> String {
    let Err(error) = session.simple_query(sql).await else {
        return "taken".to_owned();
    };
    let error = error.as_db_error().unwrap_or_else(|| panic!("{sql}"));
    let literal = corridor_pg::Literal(value).to_string();
    format!(
        "{} {}",
        error.code().code(),
        error.message().replace(&literal, "?")
    )
}

/// The server itself says that a value has no say in what a statement is: in whatever stands around it, an evil value comes
/// to the same as a harmless one, and what it asks for is not done.
#[tokio::test]
async fn no_value_changes_what_a_statement_is() {
    const PIECES: &[&str] = &[
        "select 1", "'", "''", "E'", "U&'", "\"", "$$", "$t$", "--", "\n", "/*", "*/", "\\", "(", ")", "[",
        "]", ":", "::", ",", " ", "a", "E", "U&", "x", "'a'", "1", ";",
    ];
    const EVIL: &[&str] = &[
        "'; create table public.evil(); --",
        "\\'; create table public.evil(); --",
        "*/; create table public.evil(); --",
        "$$; create table public.evil(); --",
        "$t$; create table public.evil(); --",
        "\n; create table public.evil(); --",
        "\"; create table public.evil(); --",
        "'); create table public.evil(); --",
    ];
    let database = fresh("evil").await;
    let session = session(&database.url, "test", "-").await;
    let mut random = fastrand::Rng::with_seed(7);
    let mut taken = 0;
    for _ in 0..3_000 {
        let mut sql = "select ".to_owned();
        let length = random.usize(1..8);
        let place = random.usize(0..length);
        for i in 0..length {
            if i == place {
                sql.push_str(":each");
            }
            sql.push_str(PIECES[random.usize(0..PIECES.len())]);
        }
        let with = |value: &str| fill(&sql, Some(&literal(ParameterType::Text, value)), None);
        let evil = EVIL[random.usize(0..EVIL.len())];
        let harmless = verdict(&session, &with("harmless"), "harmless").await;
        taken += u32::from(harmless == "taken");
        assert_eq!(
            verdict(&session, &with(evil), evil).await,
            harmless,
            "{}",
            with(evil)
        );
    }
    assert!(taken > 50, "{taken} statements of 3,000 were statements at all");
    let evil = answer(&session, "select to_regclass('public.evil')").await;
    assert_eq!(evil.as_deref(), Ok("null"));
}
