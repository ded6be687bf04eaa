use crate::definition::file::read;

fn refusal(text: &str) -> String {
    match read("m.toml", text) {
        Ok(_) => "taken".to_owned(),
        Err(fault) => format!("{} {}", fault.code().id, fault.detail()),
    }
}

/// What each of these keys of a migration is refused with.
fn refusals(cases: &[&str]) -> String {
    let sql = "[[operations]]\nkind = \"sql\"\nname = \"a\"\nstatement = \"select 1\"\nrollback = \"\"\n";
    let told = cases.iter().map(|case| {
        // Keys of the whole stand above the first heading, operations below.
        match case.contains("[[operations]]") {
            true => refusal(&format!("description = \"x\"\n{case}")),
            false => refusal(&format!("description = \"x\"\n{case}\n{sql}")),
        }
    });
    told.collect::<Vec<_>>().join("\n")
}

fn operations(cases: &[&str]) -> String {
    let cases: Vec<String> = cases
        .iter()
        .map(|case| format!("[[operations]]\n{case}"))
        .collect();
    refusals(&cases.iter().map(String::as_str).collect::<Vec<_>>())
}

#[test]
fn the_whole() {
    let told = refusals(&[
        "",
        "name = \"A\"",
        "versions = \"newest\"",
        "versions = \">=2, <1\"",
        "requires.postgres = \"14+\"",
        "requires.extensions.postgis = \"new\"",
        "depends_on = [\"m\"]",
        "depends_on = [\"a\", \"a\"]",
        "depends_on = [\"A B\"]",
        "health_every = \"30\"",
        "health_every = \"0s\"",
        "[[prechecks]]\nname = \"\"\nquery = \"select true\"",
        "[[prechecks]]\nname = \"a\"\nquery = \"\"",
        "[[prechecks]]\nname = \"a\"\nquery = \"select true\"\n[[prechecks]]\nname = \"a\"\nquery = \"select true\"",
        "[settings]\nworkrs = 4",
        "[settings]\nworkers = 400",
        "[parameters.Team]\ntype = \"integer\"",
        "[parameters.each]\ntype = \"integer\"",
        "[parameters.team]\ntype = \"integer\"\ndefault = \"five\"",
        "[parameters.team]\ntype = \"integer\"",
        "required_when = \"select :team > 1\"\nparameters.team.type = \"integer\"",
    ]);
    insta::assert_snapshot!(told, @r#"
    taken
    MIG-004 m.toml:2: name: "A"
    MIG-114 m.toml:2: versions: "newest": unexpected character 'n' while parsing major version number
    MIG-114 m.toml:2: versions: ">=2, <1": no version is in it
    MIG-114 m.toml:2: requires.postgres: "14+": expected comma after major version number, found '+'
    MIG-114 m.toml:2: requires.extensions.postgis: "new": unexpected character 'n' while parsing major version number
    MIG-116 m.toml:2: depends_on: `m` is the migration itself
    MIG-116 m.toml:2: depends_on: `a` is written twice
    MIG-004 m.toml:2: depends_on: "A B"
    MIG-102 m.toml:2: health_every: "30"; a time with its unit, from 1ms to 8760h: `500ms`, `5s`, `30min`, `2h`
    MIG-102 m.toml:2: health_every: "0s"; a time with its unit, from 1ms to 8760h: `500ms`, `5s`, `30min`, `2h`
    MIG-103 m.toml:3: prechecks, name is missing or empty
    MIG-103 m.toml:4: prechecks, `a`, query is missing or empty
    MIG-102 m.toml:6: prechecks: two checks are named `a`
    MIG-011 m.toml:3: settings: "workrs"; did you mean `workers`?
    MIG-012 m.toml:3: settings: workers = "400"; a whole number from 1 to 32
    MIG-110 m.toml:2: parameter `Team`: a name is `[a-z_][a-z0-9_]*`, at most 63 characters
    MIG-110 m.toml:2: parameter `each`: `:each` and `:range` are Corridor's own
    MIG-110 m.toml:4: parameter `team`: the default "five" does not fit; a whole number from -9223372036854775808 to 9223372036854775807
    MIG-110 m.toml:2: parameter `team`: nothing uses `:team`
    MIG-110 m.toml:2: required_when: `:team` has no default, and this is asked before anybody gives it a value
    "#);
}

#[test]
fn each_kind_of_operation() {
    let told = operations(&[
        "kind = \"sql\"\nname = \"1a\"\nstatement = \"select 1\"\nrollback = \"\"",
        "kind = \"sql\"\nname = \"a\"\nstatement = \" \"\nrollback = \"\"",
        "kind = \"sql\"\nname = \"a\"\nstatement = \"select 1\"",
        "kind = \"sql\"\nname = \"a\"\nstatement = \"select 1\"\nrollback = \"\"\nirreversible = \"x\"",
        "kind = \"sql\"\nname = \"a\"\nstatement = \"select 1\"\nirreversible = \" \"",
        "kind = \"sql\"\nname = \"a\"\nstatement = \"vacuum\"\nrollback = \"\"\nno_transaction = true",
        "kind = \"sql\"\nname = \"a\"\nstatement = \"select 1\"\nrollback = \"\"\ntimeout = \"600h\"",
        "kind = \"sql\"\nname = \"a\"\nstatement = \"select 'it\"\nrollback = \"\"",
        "kind = \"sql\"\nname = \"a\"\nstatement = \"select :'x'\"\nrollback = \"\"",
        "kind = \"sql\"\nname = \"a\"\nstatement = \"select :each\"\nrollback = \"\"",
        "kind = \"backfill\"\nname = \"a\"\ntable = \"t\"\nrollback = \"\"",
        "kind = \"backfill\"\nname = \"a\"\ntable = \"t\"\nset.b = \"1\"",
        "kind = \"backfill\"\nname = \"a\"\ntable = \"t\"\nrollback = \"\"\nset.b = \"1\"\nstatement = \"x :range\"",
        "kind = \"backfill\"\nname = \"a\"\ntable = \"t\"\nrollback = \"\"\nstatement = \"delete from t\"",
        "kind = \"backfill\"\nname = \"a\"\ntable = \"t\"\nrollback = \"\"\nstatement = \"delete from t where ':range'\"",
        "kind = \"backfill\"\nname = \"a\"\ntable = \"t\"\nrollback = \"\"\nset.b = \":range\"",
        "kind = \"backfill\"\nname = \"a\"\ntable = \"t\"\nrollback = \"\"\nset.b = \":each\"",
        "kind = \"backfill\"\nname = \"a\"\ntable = \"t\"\nrollback = \":each\"\nset.b = \":each\"\nfor_each = \"select 1\"",
        "kind = \"backfill\"\nname = \"a\"\ntable = \"t\"\nrollback = \"\"\nset.b = \":each\"\nfor_each = \"select 1\"",
        "kind = \"backfill\"\nname = \"a\"\ntable = \"a b\"\nrollback = \"\"\nset.b = \"1\"",
        "kind = \"backfill\"\nname = \"a\"\ntable = \"t\"\nrollback = \"\"\nset.b = \"1\"\nrows = 0",
        "kind = \"backfill\"\nname = \"a\"\ntable = \"t\"\nrollback = \"\"\nset.b = \"1\"\nalias = \"x\"",
        "kind = \"backfill\"\nname = \"a\"\ntable = \"t\"\nrollback = \"\"\nstatement = \":range\"\nalias = \"a b\"",
        "kind = \"backfill\"\nname = \"a\"\ntable = \"t\"\nrollback = \"\"\nset.b = \"1\"\nwhere = \"a) or (true\"",
        "kind = \"backfill\"\nname = \"a\"\ntable = \"t\"\nrollback = \"\"\nset.b = \"(1\"",
        "kind = \"backfill\"\nname = \"a\"\ntable = \"t\"\nrollback = \"\"\nset.b = \"1 -- one\"",
        "kind = \"backfill\"\nname = \"a\"\ntable = \"t\"\nrollback = \"\"\nset.b = \"1;\"",
        "kind = \"backfill\"\nname = \"a\"\ntable = \"t\"\nrollback = \"\"\nset.b = \"f(')', 1) -- one\\n\"",
        "kind = \"verify\"\nname = \"a\"\nquery = \"select 1\"\ntolerance = \"few\"",
        "kind = \"wait_until\"\nname = \"a\"\nquery = \"select true\"\nevery = \"soon\"",
        "kind = \"command\"\nname = \"a\"\ncommand = []\nrollback = []",
        "kind = \"command\"\nname = \"a\"\ncommand = [\"\"]\nrollback = []",
        "kind = \"command\"\nname = \"a\"\ncommand = [\"true\"]",
        "kind = \"http\"\nname = \"a\"\nmethod = \"GET\"\nurl = \"http://x\"",
        "kind = \"http\"\nname = \"a\"\nmethod = \"get\"\nurl = \"http://x\"\nirreversible = \"a call\"",
        "kind = \"http\"\nname = \"a\"\nmethod = \"GET\"\nurl = \"ftp://x\"\nirreversible = \"a call\"",
        "kind = \"http\"\nname = \"a\"\nmethod = \"GET\"\nurl = \"http:///x\"\nirreversible = \"a call\"",
        "kind = \"http\"\nname = \"a\"\nmethod = \"GET\"\nurl = \"http://x\"\nirreversible = \"a call\"\nexpect = [20]",
        "kind = \"http\"\nname = \"a\"\nmethod = \"GET\"\nurl = \"http://x\"\nirreversible = \"a call\"\nheaders.\"a b\" = \"c\"",
        "kind = \"index\"\nname = \"a\"\ntable = \"t\"\nindex = \"\"\ndefinition = \"(a)\"",
        "kind = \"constraint\"\nname = \"a\"\ntable = \"t\"\nconstraint = \"c\"\ndefinition = \"check (a > 0)\"\nlock_budget = \"5\"",
        "kind = \"constraint\"\nname = \"a\"\ntable = \"t\"\nconstraint = \"c\"\ndefinition = \"check (a > 0) -- so that\"",
        "kind = \"index\"\nname = \"a\"\ntable = \"t\"\nindex = \"i\"\ndefinition = \"(a); drop table t\"",
        "kind = \"sql\"\nname = \"a\"\nstatement = \"select 1\"\nrollback = \"drop index concurrently i\"",
        "kind = \"sql\"\nname = \"a\"\nstatement = \"select 1; commit\"\nrollback = \"\"",
        "kind = \"verify\"\nname = \"a\"\ntolerance = \"0\"\nquery = \"commit; select 0\"",
        "kind = \"backfill\"\nname = \"a\"\ntable = \"t\"\nrollback = \"\"\nstatement = \"delete from t where :range; delete from u\"",
        "kind = \"check\"\nname = \"a\"\nquery = \"select true\"\n[[operations]]\nkind = \"check\"\nname = \"a\"\nquery = \"select true\"",
    ]);
    insta::assert_snapshot!(told, @r#"
    MIG-106 m.toml:4: operation `1a`: a name is a lower-case letter, then letters, digits, `-` and `_`, at most 61
    MIG-103 m.toml:5: operation `a`: `statement` is missing or empty
    MIG-107 m.toml:2: operation `a`: it has neither `rollback` nor `irreversible`
    MIG-107 m.toml:7: operation `a`: it has `rollback` and `irreversible`
    MIG-107 m.toml:6: operation `a`: `irreversible` does not say why
    MIG-120 m.toml:7: operation `a`: it runs without a transaction and has no `done_when`
    MIG-102 m.toml:7: operation `a`: timeout: the server counts at most 596h
    MIG-115 m.toml:5: operation `a`, statement: a constant in single quotes does not end; it begins in line 1 of the statement: 'it
    MIG-109 m.toml:5: operation `a`, statement: `:'…'` and `:"…"` are psql's; write `:name`, which is a literal already
    MIG-109 m.toml:5: operation `a`, statement: `:each` has no value here; it has one in `set`, `where` and `statement` of a backfill with `for_each`
    MIG-108 m.toml:2: operation `a`: it has neither `set` nor `statement`
    MIG-107 m.toml:2: operation `a`: it has neither `rollback` nor `irreversible`
    MIG-108 m.toml:8: operation `a`: it has `set` and `statement`
    MIG-108 m.toml:7: operation `a`: `statement` does not have `:range` in it: each batch would do the whole
    MIG-108 m.toml:7: operation `a`: `statement` does not have `:range` in it: each batch would do the whole
    MIG-109 m.toml:7: operation `a`, set.b: `:range` has no value here; it has one in the `statement` of a backfill
    MIG-109 m.toml:7: operation `a`, set.b: `:each` has no value here; it has one in `set`, `where` and `statement` of a backfill with `for_each`
    MIG-109 m.toml:6: operation `a`, rollback: `:each` has no value here; it has one in `set`, `where` and `statement` of a backfill with `for_each`
    taken
    MIG-102 m.toml:5: operation `a`: table: "a b": ' ' needs double quotes around the name
    MIG-102 m.toml:8: operation `a`: rows: at least 1
    MIG-108 m.toml:8: operation `a`: `alias` goes with `statement`
    MIG-102 m.toml:8: operation `a`: alias: "a b" is not a name
    MIG-115 m.toml:8: operation `a`, where: a bracket is closed that was not opened
    MIG-115 m.toml:7: operation `a`, set.b: a bracket is not closed
    MIG-115 m.toml:7: operation `a`, set.b: the comment at its end would go on behind it; use `/* … */`
    MIG-115 m.toml:7: operation `a`, set.b: a part of a statement, without `;`
    taken
    MIG-102 m.toml:6: operation `a`, tolerance: "few"; a number of rows (`0`, `12`) or a share (`1%`, at most `100%`)
    MIG-102 m.toml:6: operation `a`, every: "soon"; a time with its unit, from 1ms to 8760h: `500ms`, `5s`, `30min`, `2h`
    MIG-103 m.toml:5: operation `a`: `command` is missing or empty
    MIG-103 m.toml:5: operation `a`: command: the program has no name
    MIG-107 m.toml:2: operation `a`: it has neither `rollback` nor `irreversible`
    MIG-107 m.toml:2: operation `a`: it does not say with `irreversible` why it cannot be taken back
    MIG-102 m.toml:5: operation `a`: method: "get" is not one of GET, HEAD, POST, PUT, PATCH, DELETE; did you mean `GET`?
    MIG-102 m.toml:6: operation `a`: url: "ftp://x" is not an address such as `https://host/path`
    MIG-102 m.toml:6: operation `a`: url: "http:///x" is not an address such as `https://host/path`
    MIG-102 m.toml:8: operation `a`: expect: 20 is not a status of HTTP, 100 to 599
    MIG-102 m.toml:8: operation `a`: headers: "a b" cannot be sent
    MIG-103 m.toml:6: operation `a`: `index` is missing or empty
    MIG-102 m.toml:8: operation `a`, lock_budget: "5"; a time with its unit, from 1ms to 8760h: `500ms`, `5s`, `30min`, `2h`
    MIG-115 m.toml:7: operation `a`, definition: the comment at its end would go on behind it; use `/* … */`
    MIG-115 m.toml:7: operation `a`, definition: a part of a statement, without `;`
    MIG-121 m.toml:6: operation `a`, rollback: `drop … concurrently` cannot be run in a transaction, as this is; an operation with `no_transaction = true` and `done_when` can
    MIG-121 m.toml:5: operation `a`, statement: `commit` would end the transaction that Corridor runs it in
    MIG-121 m.toml:6: operation `a`, query: 2 statements, where one can be run
    MIG-121 m.toml:7: operation `a`, statement: 2 statements, where one can be run
    MIG-106 m.toml:8: operation `a`: another operation has this name
    "#);
}

#[test]
fn parameters_are_declared_and_used() {
    let sql = "kind = \"sql\"\nname = \"a\"\nrollback = \"\"\nstatement = ";
    let parameter = "[parameters.team_id]\ntype = \"integer\"\n";
    let case = |statement: &str| {
        refusal(&format!(
            "description = \"x\"\n{parameter}[[operations]]\n{sql}'''{statement}'''"
        ))
    };
    let told = [
        "select :team_id",
        "select :teamid",
        "select ':team_id'",
        "select a[1:team_id]",
        "select a[1:(:team_id)], b[1:n], c[x::int:y]",
        "select :Team_id",
        "select team_id::team_id",
    ]
    .map(case)
    .join("\n");
    insta::assert_snapshot!(told, @r#"
    taken
    MIG-109 m.toml:8: operation `a`, statement: no parameter is named `teamid`; did you mean `team_id`?
    MIG-110 m.toml:2: parameter `team_id`: nothing uses `:team_id`
    MIG-109 m.toml:8: operation `a`, statement: `:team_id` may be a parameter or the end of a slice; write `(:team_id)` for the one, `: team_id` for the other
    taken
    MIG-109 m.toml:8: operation `a`, statement: no parameter is named `Team_id`; did you mean `team_id`?
    MIG-110 m.toml:2: parameter `team_id`: nothing uses `:team_id`
    "#);
    // A program gets all of them in its environment.
    let command = "[[operations]]\nkind = \"command\"\nname = \"a\"\ncommand = [\"true\"]\nrollback = []";
    assert_eq!(
        refusal(&format!("description = \"x\"\n{parameter}{command}")),
        "taken"
    );
}

#[test]
fn a_thousand_operations_and_no_more() {
    let with = |count: usize| {
        let one = |i| format!("[[operations]]\nkind = \"check\"\nname = \"a{i}\"\nquery = \"select true\"\n");
        refusal(&format!(
            "description = \"x\"\n{}",
            (0..count).map(one).collect::<String>()
        ))
    };
    assert_eq!(with(1_000), "taken");
    insta::assert_snapshot!(with(1_001), @r#"
    MIG-106 m.toml:2: 1001 operations; at most 1000 are allowed
    "#);
}
