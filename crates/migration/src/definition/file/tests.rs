use super::*;
use crate::definition::{Operation, ParameterType};

/// What a file is refused with.
fn refusal(path: &str, text: &str) -> String {
    let fault = read(path, text).expect_err("refused");
    format!("{} {}", fault.code().id, fault.detail())
}

const WHOLE: &str = r#"
description = "person_distinct_id2 gets what person_distinct_id holds"
versions = ">=1.33.0, <1.42.0"
depends_on = ["0002_make_person_distinct_id2"]
required_when = "select exists (select from person_distinct_id where team_id > :first_team)"
health_every = "10s"
rollback_on_failure = true
finish = "by_hand"

[requires]
postgres = ">=14"
extensions = { pg_stat_statements = "*" }
settings = { max_wal_senders = 10 }

[parameters.first_team]
type = "integer"
default = 0
description = "the first team that is done"

[parameters.share]
type = "numeric"
default = 0.10

[settings]
workers = 4
"throttle.replica_lag_ms" = "10s"

[[prechecks]]
name = "room"
query = "select pg_database_size(current_database()) < 1e12"
message = "too large"

[[operations]]
kind = "backfill"
name = "fill"
table = "public.person_distinct_id"
for_each = "select distinct team_id from person_distinct_id where team_id > :first_team order by 1"
statement = '''
insert into person_distinct_id2 (team_id, distinct_id)
select team_id, distinct_id from person_distinct_id where team_id = :each and :range
on conflict do nothing
'''
rollback = ""

[[operations]]
kind = "verify"
name = "all-there"
query = "select 0, 1 where random() < :share"
tolerance = 0
"#;

#[test]
fn a_whole_file_is_read() {
    let read = read("migrations/0003_fill.toml", WHOLE).unwrap();
    assert_eq!(read.name, "0003_fill");
    assert_eq!(read.parameters["first_team"].kind, ParameterType::Integer);
    assert_eq!(read.parameters["first_team"].default.as_deref(), Some("0"));
    assert_eq!(
        read.parameters["share"].default.as_deref(),
        Some("0.10"),
        "as it was written"
    );
    assert_eq!(read.settings["workers"], "4");
    assert_eq!(read.requires.settings["max_wal_senders"], "10");
    let [Operation::Backfill(fill), Operation::Verify(verify)] = read.operations.as_slice() else {
        panic!("{:?}", read.operations);
    };
    assert_eq!(fill.rollback.as_deref(), Some(""));
    assert_eq!(verify.tolerance, "0");
    let again = serde_json::from_value(serde_json::to_value(&read).unwrap()).unwrap();
    assert_eq!(read, again, "what is stored is what was read");
}

/// One operation, below the line that every file needs.
fn with(operation: &str) -> String {
    format!("description = \"x\"\n[[operations]]\n{operation}")
}

#[test]
fn a_fault_says_line_and_suggestion() {
    let sql = "kind = \"sql\"\nname = \"a\"\nstatement = \"select 1\"\n";
    let cases = [
        "description = \"x\"\nverions = \">=1\"\n",
        "description = \"x\"\n[parameters.a]\ntype = \"integer\"\ndefualt = \"1\"",
        "description = \"x\"\n[parameters.a]\ntype = \"int\"",
        "description = \"x\"\n[parameters.a]\ntype = 1",
        &with(&format!("{sql}irreversibel = \"why\"\n")),
        &with(&format!("{sql}rollback = 5\n")),
        &with(&format!("{sql}rollback = \"\"\nno_transaction = \"yes\"\n")),
        &with("kind = \"sqll\"\nname = \"a\""),
        &with("name = \"a\"\nstatement = \"select 1\""),
        &with("kind = \"backfill\"\nname = \"a\"\ntable = \"t\"\n[operations.set]\na = 1"),
        &with("kind = \"backfill\"\nname = \"a\"\ntable = \"t\"\nrows = -1"),
        &with("kind = \"backfill\"\nname = \"a\"\ntable = \"t\"\nrows = 99999999999"),
        &with("kind = \"index\"\nname = \"a\"\ntable = \"t\""),
        &with("kind = \"http\"\nexpect = [200, \"201\"]"),
        "description = \"x\"\noperations = [1]",
        "description = \"x\"\noperations = \"none\"",
        "description = \"x\"",
        "operations = []",
        "description = \"x\"\noperations = []",
        "description = \"x\"\ndescription = \"y\"",
        "description = x",
        "description = \"x\"\nfinish = \"later\"",
        "description = \"x\"\nfinish = 2026-11-20",
        "description = \"x\"\nsettings = { workers = [1] }",
    ];
    let told: Vec<String> = cases.iter().map(|text| refusal("m.toml", text)).collect();
    insta::assert_snapshot!(told.join("\n"), @r#"
    MIG-103 2 mistakes:
    m.toml:1: `operations` is missing (MIG-103)
    m.toml:2: `verions` is not a key of a migration; did you mean `versions`? (MIG-101)
    MIG-103 2 mistakes:
    m.toml:1: `operations` is missing (MIG-103)
    m.toml:4: `defualt` is not a key of `parameters.a`; did you mean `default`? (MIG-101)
    MIG-103 2 mistakes:
    m.toml:1: `operations` is missing (MIG-103)
    m.toml:3: `parameters.a.type`: "int" is not one of its words; one of text, integer, numeric, boolean, timestamp, json (MIG-102)
    MIG-103 2 mistakes:
    m.toml:1: `operations` is missing (MIG-103)
    m.toml:3: `parameters.a.type`: one of text, integer, numeric, boolean, timestamp, json, not a number (MIG-102)
    MIG-101 m.toml:6: `irreversibel` is not a key of operation `a` (sql); did you mean `irreversible`?
    MIG-102 m.toml:6: `operations[0].rollback`: a text in quotes, not a number
    MIG-102 m.toml:7: `operations[0].no_transaction`: true or false, not a text
    MIG-102 m.toml:2: operation `a` (sqll): there is no kind "sqll"; did you mean `sql`?
    MIG-103 m.toml:2: operation `a`: `kind` is missing; one of sql, backfill, index, constraint, check, verify, wait_until, command, http, move
    MIG-102 m.toml:7: `operations[0].set.a`: a text in quotes, not a number
    MIG-102 m.toml:6: `operations[0].rows`: -1 is out of range
    MIG-102 m.toml:6: `operations[0].rows`: 99999999999 is out of range
    MIG-103 2 mistakes:
    m.toml:2: operation `a` (index): `index` is missing (MIG-103)
    m.toml:2: operation `a` (index): `definition` is missing (MIG-103)
    MIG-103 4 mistakes:
    m.toml:2: `operations[0]`: `name` is missing (MIG-103)
    m.toml:2: `operations[0]`: `method` is missing (MIG-103)
    m.toml:2: `operations[0]`: `url` is missing (MIG-103)
    m.toml:4: `operations[0].expect[1]`: a whole number, not a text (MIG-102)
    MIG-102 m.toml:2: `operations[0]`: a table of keys and values, not a number
    MIG-102 m.toml:2: `operations`: a list, not a text
    MIG-103 m.toml:1: `operations` is missing
    MIG-103 m.toml:1: `description` is missing
    MIG-103 m.toml:1: there is no operation: write at least one `[[operations]]`, or `-- operation: NAME` in a SQL file
    MIG-100 m.toml:2: duplicate key
    MIG-100 m.toml:1: string values must be quoted, expected literal string
    MIG-103 2 mistakes:
    m.toml:1: `operations` is missing (MIG-103)
    m.toml:2: `finish`: "later" is not one of its words; one of automatic, by_hand (MIG-102)
    MIG-103 2 mistakes:
    m.toml:1: `operations` is missing (MIG-103)
    m.toml:2: `finish`: one of automatic, by_hand, not a time without quotes (MIG-102)
    MIG-103 2 mistakes:
    m.toml:1: `operations` is missing (MIG-103)
    m.toml:2: `settings.workers`: a text in quotes, not a list (MIG-102)
    "#);
}

#[test]
fn a_file_is_no_file() {
    assert!(refusal("m.yaml", "").starts_with("MIG-100 m.yaml: a migration"));
    assert!(refusal("m", "").starts_with("MIG-100"));
    let long = format!("# {}", "x".repeat(FILE_BYTES_MAX));
    assert!(refusal("m.toml", &long).starts_with("MIG-104 m.toml: 1048578 bytes"));
    let deep = format!("description = {}", "[".repeat(100_000));
    assert!(refusal("m.toml", &deep).starts_with("MIG-100"), "deep");
    assert!(read("dir.toml/m.TOML", &format!("\u{feff}{WHOLE}")).is_ok());
    // The file's own name is no name, and says so.
    assert!(refusal("My Migration.toml", WHOLE).starts_with("MIG-004 My Migration.toml:1: name"));
}

const SQL: &str = r#"-- corridor migration
-- description = "old_events goes"
-- # a comment of ours
--
-- [parameters.team]
-- type = "integer"
-- operation: keep_some
create table kept as select * from old_events where team_id = :team;
-- an ordinary comment: it stays
-- roll back: keep_some
drop table if exists kept;

-- operation: reindex
-- no transaction: reindex
-- irreversible: reindex an index is an index
-- timeout: reindex 2h
reindex index concurrently old_events_pkey;
-- done when: reindex
select false;

-- operation: drop
-- lock timeout: drop 500ms
-- lock budget: drop 10min
drop table old_events;
-- irreversible: drop the rows are gone
"#;

#[test]
fn a_sql_file_is_read() {
    let read = read("0004_old_events.sql", SQL).unwrap();
    insta::assert_snapshot!(serde_json::to_string_pretty(&read).unwrap(), @r#"
    {
      "name": "0004_old_events",
      "description": "old_events goes",
      "parameters": {
        "team": {
          "type": "integer"
        }
      },
      "operations": [
        {
          "kind": "sql",
          "name": "keep_some",
          "statement": "create table kept as select * from old_events where team_id = :team;\n-- an ordinary comment: it stays",
          "rollback": "drop table if exists kept;"
        },
        {
          "kind": "sql",
          "name": "reindex",
          "statement": "reindex index concurrently old_events_pkey;",
          "irreversible": "an index is an index",
          "no_transaction": true,
          "done_when": "select false;",
          "timeout": "2h"
        },
        {
          "kind": "sql",
          "name": "drop",
          "statement": "drop table old_events;",
          "irreversible": "the rows are gone",
          "lock_timeout": "500ms",
          "lock_budget": "10min"
        }
      ]
    }
    "#);
    let windows = SQL.replace('\n', "\r\n");
    let again = super::read("0004_old_events.sql", &windows).unwrap();
    assert_eq!(again.operations.len(), read.operations.len());
    assert_eq!(again.parameters, read.parameters);
}

/// What looks like a marker inside of a text, a name or a comment is a part of it, as the server reads it.
#[test]
fn a_marker_inside_of_a_text_is_none() {
    let body = |quoted: &str| {
        format!(
            "-- corridor migration\n-- description = \"x\"\n\n-- operation: a\nselect {quoted};\n\
             -- irreversible: a it is so\n-- operation: b\nselect 1;\n-- irreversible: b it is so\n"
        )
    };
    for quoted in [
        "$$\n-- operation: c\n$$",
        "$body$\n-- oporation: c\n-- operation c\n$body$",
        "'\n-- rollback: c\n'",
        "1 as \"\n-- operation: c\n\"",
        "/*\n-- operation: c\n/* */\n-- rollback: a\n*/ 1",
    ] {
        for text in [body(quoted), body(quoted).replace('\n', "\r\n")] {
            let read = super::read("m.sql", &text).unwrap_or_else(|fault| panic!("{quoted}: {fault}"));
            let names: Vec<&str> = read.operations.iter().map(|one| one.name()).collect();
            assert_eq!(names, ["a", "b"], "{quoted}");
        }
    }
    // A quote that never ends hides no marker: it is a fault of its own operation.
    let refused = refusal("m.sql", &body("$$ a"));
    assert!(refused.contains("m.sql:4"), "{refused}");
    assert!(!refused.contains("irreversible"), "{refused}");
}

#[test]
fn a_sql_file_with_a_fault_says_the_line() {
    let head = "-- corridor migration\n-- description = \"x\"\n";
    let cases = [
        "select 1;".to_owned(),
        "-- corridor migration".to_owned(),
        format!("{head}-- versons = \">=1\"\n\n-- operation: a\nselect 1"),
        format!("{head}--versions = \">=1\"\n\n-- operation: a\nselect 1"),
        format!("{head}\n-- versions = \">=1\"\n-- operation: a\nselect 1"),
        format!("{head}-- operations = []\n-- operation: a\nselect 1"),
        format!("{head}-- note\n-- operation: a\nselect 1"),
        format!("{head}-- operation: a\nselect 1"),
        format!("{head}-- operation: a\nselect 1;\n-- opration: b\nselect 2;"),
        format!("{head}-- operation: a\nselect 1;\n-- operation b\nselect 2;"),
        format!("{head}-- operation: a\nselect 1;\n  -- roll back: a\nselect 2;"),
        format!("{head}-- operation: a\nselect 1;\n-- roll back: b\nselect 2;"),
        format!("{head}-- operation: aa\nselect 1;\n-- roll back: ab\nselect 2;"),
        format!("{head}-- operation: a\nselect 1;\n-- roll back: a\n-- roll back: a"),
        format!("{head}-- operation: a\nselect 1;\n-- operation: a\nselect 2;"),
        format!("{head}-- operation:\nselect 1;"),
        format!("{head}-- operation: a b\nselect 1;"),
        format!("{head}-- operation: a\n-- irreversible: a\nselect 1;"),
        format!("{head}-- operation: a\n-- no transaction: a\n-- irreversible: a why\nselect 1;"),
        format!("{head}-- operation: a\n-- timeout: a 5\n-- irreversible: a why\nselect 1;"),
        format!("{head}-- operation: A\nselect 1;\n-- roll back: A"),
        format!(
            "{head}-- operation: a\ndo $$\nbegin\n-- operation: b\nend $$;\n-- roll back: a\n-- roll back: b"
        ),
        format!("{head}-- operation: a\n-- roll back: a\n"),
        format!("{head}-- operation: a\nselect :team;\n-- roll back: a\n"),
    ];
    let told: Vec<String> = cases.iter().map(|text| refusal("m.sql", text)).collect();
    insta::assert_snapshot!(told.join("\n"), @r#"
    MIG-105 m.sql:1: the first line is not `-- corridor migration`
    MIG-103 m.sql:1: `description` is missing
    MIG-101 2 mistakes:
    m.sql:3: `versons` is not a key of a migration; did you mean `versions`? (MIG-101)
    m.sql:5: operation `a`: it has neither `rollback` nor `irreversible` (MIG-107)
    MIG-105 m.sql:3: this stands before the first `-- operation: NAME`; the head ends with the first line that does not begin with `-- `, and a comment of your own in it begins with `-- #`
    MIG-105 m.sql:4: this stands before the first `-- operation: NAME`; the head ends with the first line that does not begin with `-- `, and a comment of your own in it begins with `-- #`
    MIG-101 m.sql:3: `operations` is not a key of a migration; one of depends_on, description, finish, health_checks, health_every, name, parameters, prechecks, required_when, requires, rollback_on_failure, settings, versions
    MIG-100 m.sql:3: key with no value, expected `=`
    MIG-107 m.sql:3: operation `a`: it has neither `rollback` nor `irreversible`
    MIG-105 m.sql:5: "-- opration: b" is nearly a marker; did you mean `-- operation: NAME`?
    MIG-105 m.sql:5: "-- operation b" is nearly a marker; did you mean `-- operation: NAME`?
    MIG-105 m.sql:5: "-- roll back: a" is nearly a marker; did you mean `-- roll back: NAME`?
    MIG-105 m.sql:5: no operation is named `b`
    MIG-105 m.sql:5: no operation is named `ab`; did you mean `aa`?
    MIG-105 m.sql:6: said twice of `a`
    MIG-105 m.sql:5: another operation is named `a`
    MIG-105 m.sql:3: the marker names no operation
    MIG-105 m.sql:3: "b" behind the name means nothing
    MIG-103 m.sql:4: operation `a`: nothing stands behind the name
    MIG-120 m.sql:4: operation `a`: it runs without a transaction and has no `done_when`
    MIG-102 m.sql:4: operation `a`, timeout: "5"; a time with its unit, from 1ms to 8760h: `500ms`, `5s`, `30min`, `2h`
    MIG-106 m.sql:3: operation `A`: a name is a lower-case letter, then letters, digits, `-` and `_`, at most 61
    MIG-105 m.sql:9: no operation is named `b`
    MIG-103 m.sql:3: operation `a`: `statement` is missing or empty
    MIG-109 m.sql:3: operation `a`, statement: no parameter is named `team`
    "#);
}

#[test]
fn all_that_is_wrong_is_told_at_once_each_with_its_line() {
    let text = r#"description = ""
verions = ">=1"
depends_on = ["A B", "m"]

[parameters.team]
type = "integer"
default = "five"

[[operations]]
kind = "sql"
name = "first"
statement = "select ':name, :nobody"
timeout = "soon"

[[operations]]
kind = "index"
name = "second"
table = "t"
rows = 5

[[operations]]
kind = "check"
name = "first"
query = "select :teem > 1"
"#;
    insta::assert_snapshot!(refusal("m.toml", text), @r#"
    MIG-103 13 mistakes:
    m.toml:1: description is missing or empty (MIG-103)
    m.toml:2: `verions` is not a key of a migration; did you mean `versions`? (MIG-101)
    m.toml:3: depends_on: "A B" (MIG-004)
    m.toml:3: depends_on: `m` is the migration itself (MIG-116)
    m.toml:7: parameter `team`: the default "five" does not fit; a whole number from -9223372036854775808 to 9223372036854775807 (MIG-110)
    m.toml:9: operation `first`: it has neither `rollback` nor `irreversible` (MIG-107)
    m.toml:12: operation `first`, statement: a constant in single quotes does not end; it begins in line 1 of the statement: ':name, :nobody (MIG-115)
    m.toml:13: operation `first`, timeout: "soon"; a time with its unit, from 1ms to 8760h: `500ms`, `5s`, `30min`, `2h` (MIG-102)
    m.toml:15: operation `second` (index): `index` is missing (MIG-103)
    m.toml:15: operation `second` (index): `definition` is missing (MIG-103)
    m.toml:19: `rows` is not a key of operation `second` (index); one of definition, index, kind, name, table, unique (MIG-101)
    m.toml:23: operation `first`: another operation has this name (MIG-106)
    m.toml:24: operation `first`, query: no parameter is named `teem`; did you mean `team`? (MIG-109)
    "#);
    let text = "-- corridor migration\n-- description = \"x\"\n-- verions = \"1\"\n-- operation: a\nselect 1;\n\
                -- rollbak: a\n-- timeout: b 5s\n-- operation: a\nselect 2;\n";
    insta::assert_snapshot!(refusal("m.sql", text), @r#"
    MIG-101 4 mistakes:
    m.sql:3: `verions` is not a key of a migration; did you mean `versions`? (MIG-101)
    m.sql:6: "-- rollbak: a" is nearly a marker; did you mean `-- roll back: NAME`? (MIG-105)
    m.sql:7: no operation is named `b` (MIG-105)
    m.sql:8: another operation is named `a` (MIG-105)
    "#);
}

#[test]
fn what_cannot_be_read_hides_nothing_and_accuses_nobody_else() {
    // The operation that cannot be read is the one that uses the parameter.
    let text = with("kind = \"sql\"\nname = \"a\"\nstatment = \"select :team\"\nrollback = \"\"\n");
    let text = format!("{text}[parameters.team]\ntype = \"integer\"\n");
    insta::assert_snapshot!(refusal("m.toml", &text), @r#"
    MIG-103 2 mistakes:
    m.toml:2: operation `a` (sql): `statement` is missing (MIG-103)
    m.toml:5: `statment` is not a key of operation `a` (sql); did you mean `statement`? (MIG-101)
    "#);
}
