use proptest::prelude::*;

use super::lexer::Token;
use super::*;
use crate::definition::file::read;

fn names(sql: &str) -> Vec<String> {
    tokens(sql)
        .into_iter()
        .filter_map(|token| match token.kind {
            Kind::Placeholder(name) => Some(name.to_owned()),
            Kind::SliceOrPlaceholder(name) => Some(format!("{name}?")),
            Kind::Psql => Some("psql".to_owned()),
            Kind::Unended(_) => Some("unended".to_owned()),
            _ => None,
        })
        .collect()
}

#[test]
fn placeholders_are_found_where_they_are() {
    for (sql, wanted) in [
        ("select :a, :b_2", &["a", "b_2"][..]),
        (
            "select ':a', \":a\", $$:a$$, $x$ :a $$ :a $x$, E'\\':a', U&':a'",
            &[],
        ),
        ("select 'it''s :a', :b", &["b"]),
        ("select E'it\\'s :a', :b", &["b"]),
        ("select 'a\\', :b", &["b"]),
        ("select nameE'\\', :b", &["b"]),
        ("select 1 -- :a\n, :b", &["b"]),
        ("/* :a /* :a */ :a */ :b", &["b"]),
        ("select a::text, a :: text, :b::text", &["b"]),
        ("f(x := :a, y => :b)", &["a", "b"]),
        (
            "select a[1:2], a[x:y], a[1:y], a[:a], array[:a, :b]",
            &["y?", "y?", "a", "a", "b"],
        ),
        (
            "select a[x + :a], a[f(:a):2], a[case when x then :a end]",
            &["a", "a", "a"],
        ),
        ("select a$b:c, tab$x$:a", &["c", "a"]),
        ("select $1, $1:a, $tag:a", &["a", "a"]),
        ("select :'a', :\"b\", :a", &["psql", "psql", "a"]),
        ("select 'a'\n':b', E'a' -- '\n '\\' :b'", &[]),
        ("select +:a -:b*:c", &["a", "b", "c"]),
        ("select :größe", &["größe"]),
        ("select :1, : a, :-1", &[]),
        ("select 'open :a", &["unended"]),
        ("select $$ open :a", &["unended"]),
        ("select /* /* */ :a", &["unended"]),
        ("select \"open :a", &["unended"]),
        ("1--:a", &[]),
        ("1+/*:a*/:b", &["b"]),
    ] {
        assert_eq!(names(sql), wanted, "{sql}");
    }
}

fn definition(kind: &str, statement: &str) -> Definition {
    let text = format!(
        "description = \"x\"\n[parameters.p]\ntype = \"{kind}\"\n[[operations]]\nkind = \"sql\"\nname = \"a\"\n\
         rollback = \"\"\nstatement = '''{statement}'''"
    );
    read("m.toml", &text).unwrap()
}

fn bound(kind: &str, statement: &str, value: &str) -> Result<String> {
    let given = BTreeMap::from([("p".to_owned(), value.to_owned())]);
    let bound = bind(&definition(kind, statement), &given)?;
    let crate::definition::Operation::Sql(sql) = &bound.operations[0] else {
        panic!("{bound:?}");
    };
    assert_eq!(bound.parameters["p"].default.as_deref(), Some(value));
    assert_eq!(
        bind(&bound, &BTreeMap::new())?,
        bound,
        "binding again changes nothing"
    );
    Ok(sql.statement.clone())
}

#[test]
fn a_value_becomes_a_typed_literal() {
    let of = |kind: &str, value: &str| bound(kind, "select :p", value).unwrap();
    assert_eq!(of("integer", " 5 "), "select ('5'::bigint)");
    assert_eq!(of("numeric", "-1.5e3"), "select ('-1.5e3'::numeric)");
    assert_eq!(of("boolean", "true"), "select ('true'::boolean)");
    assert_eq!(
        of("timestamp", "2026-11-20"),
        "select ('2026-11-20'::timestamptz)"
    );
    assert_eq!(
        of("json", "{\"a\": 'x'}".replace('\'', "\"").as_str()),
        "select ('{\"a\": \"x\"}'::jsonb)"
    );
    assert_eq!(of("text", " it's :p\\ "), "select (E' it''s :p\\\\ '::text)");
}

#[test]
fn a_value_has_to_fit() {
    let told = |kind: &str, value: &str| match bound(kind, "select :p", value) {
        Ok(_) => "fits".to_owned(),
        Err(fault) => format!("{} {}", fault.code().id, fault.detail()),
    };
    for (kind, value) in [
        ("integer", "9223372036854775807"),
        ("integer", "-1"),
        ("numeric", ".5"),
        ("numeric", "1e-5"),
        ("boolean", "OFF"),
        ("timestamp", "2026-11-20T19:30:00.123+02:00"),
        ("timestamp", "2026-11-20 19:30 Europe/Berlin"),
        ("json", "null"),
    ] {
        assert_eq!(told(kind, value), "fits", "{kind} {value}");
    }
    let told = [
        ("integer", "1.0"),
        ("integer", "9223372036854775808"),
        ("numeric", "1e"),
        ("numeric", "."),
        ("numeric", "NaN"),
        ("boolean", "maybe"),
        ("timestamp", "tomorrow"),
        ("timestamp", "2026-11-2"),
        ("timestamp", "2026-11-20 noon'"),
        ("timestamp", "2026-11-2🐘"),
        ("json", "{a}"),
        ("text", "a\0b"),
    ]
    .map(|(kind, value)| told(kind, value))
    .join("\n");
    insta::assert_snapshot!(told, @r#"
    MIG-113 p = "1.0"; a whole number from -9223372036854775808 to 9223372036854775807
    MIG-113 p = "9223372036854775808"; a whole number from -9223372036854775808 to 9223372036854775807
    MIG-113 p = "1e"; a number, for example `-1.5` or `2e3`
    MIG-113 p = "."; a number, for example `-1.5` or `2e3`
    MIG-113 p = "NaN"; a number, for example `-1.5` or `2e3`
    MIG-113 p = "maybe"; `true` or `false`
    MIG-113 p = "tomorrow"; a time such as `2026-11-20`, `2026-11-20 19:30` or `2026-11-20T19:30:00+00`
    MIG-113 p = "2026-11-2"; a time such as `2026-11-20`, `2026-11-20 19:30` or `2026-11-20T19:30:00+00`
    MIG-113 p = "2026-11-20 noon'"; a time such as `2026-11-20`, `2026-11-20 19:30` or `2026-11-20T19:30:00+00`
    MIG-113 p = "2026-11-2🐘"; a time such as `2026-11-20`, `2026-11-20 19:30` or `2026-11-20T19:30:00+00`
    MIG-113 p = "{a}"; JSON
    MIG-113 p = "a\0b"; at most 1 MiB of text without a NUL character
    "#);
}

#[test]
fn what_is_missing_or_unknown_is_named() {
    let definition = definition("integer", "select :p");
    let told = |pairs: &[(&str, &str)]| {
        let given = pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        let fault = bind(&definition, &given).unwrap_err();
        format!("{} {}", fault.code().id, fault.detail())
    };
    assert_eq!(told(&[]), "MIG-111 `p` (bigint)");
    assert_eq!(
        told(&[("p", "1"), ("pp", "2")]),
        "MIG-112 \"pp\"; did you mean `p`?"
    );
    let mut plain = definition.clone();
    plain.parameters.clear();
    let given = BTreeMap::from([("p".to_owned(), "1".to_owned())]);
    assert_eq!(
        bind(&plain, &given).unwrap_err().detail(),
        "\"p\"; it has no parameters"
    );
}

#[test]
fn every_text_is_bound_and_nothing_else() {
    let mut whole = read("m.toml", include_str!("every_text.toml")).unwrap();
    let given = BTreeMap::from([("p".to_owned(), "7".to_owned())]);
    let bound = bind(&whole, &given).unwrap();
    let mut seen = Vec::new();
    text::for_each_mut(&mut bound.clone(), &mut |text, sql| {
        assert!(sql.contains("('7'::bigint)"), "{}: {sql}", text.path);
        assert!(!names(sql).contains(&"p".to_owned()), "{}: {sql}", text.path);
        if text.has_each {
            assert_eq!(names(sql)[0], "each", "{}: {sql}", text.path);
        }
        seen.push(text.path.clone());
    });
    insta::assert_snapshot!(seen.join("\n"), @r#"
    required_when
    prechecks[0].query
    health_checks[0].query
    operations[0].statement
    operations[0].rollback
    operations[0].done_when
    operations[1].set.a
    operations[1].set.b
    operations[1].where
    operations[1].for_each
    operations[2].statement
    operations[2].rollback
    operations[3].definition
    operations[4].definition
    operations[5].query
    operations[6].query
    operations[7].query
    "#);
    // What was not bound is as it was.
    let put_back = |_: &text::Text, sql: &mut String| *sql = sql.replace("('7'::bigint)", ":p");
    let mut back = bound;
    text::for_each_mut(&mut back, &mut { put_back });
    whole.parameters.clear();
    back.parameters.clear();
    assert_eq!(back, whole);
}

#[test]
fn the_runner_fills_its_own_two() {
    let sql =
        "insert into t select * from s where team = :each or :range -- :each\n and ':range' <> $$:each$$";
    assert_eq!(
        fill(sql, Some("'a:range'"), Some("id >= 1 and id < 2 or :each")),
        "insert into t select * from s where team = ('a:range') or (id >= 1 and id < 2 or :each) -- :each\n and \
         ':range' <> $$:each$$"
    );
    assert_eq!(fill(":each :range", None, Some("true")), ":each (true)");
}

/// The pieces of a statement without the texts of its constants; what counts for the server's parser.
fn skeleton(sql: &str) -> Vec<String> {
    let is_plain = |token: &Token<'_>| !matches!(token.kind, Kind::Space | Kind::Comment);
    tokens(sql)
        .iter()
        .filter(|token| is_plain(token))
        .map(|token| match token.kind {
            Kind::Constant => "constant".to_owned(),
            Kind::Unended(_) => "unended".to_owned(),
            _ => token.text.to_owned(),
        })
        .collect()
}

/// Statements of everything that has a meaning to the lexer, in any order.
fn statements() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => Just(":p".to_owned()),
        8 => "(select|where|a|E|U&|x|'|''|\"|\\$\\$|\\$t\\$|--|\n|/\\*|\\*/|\\\\|\\(|\\)|\\[|\\]|:|::|:=|,|1| |'a'|E'b'|é|\\$1)",
        1 => "\\PC{0,4}",
    ];
    proptest::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

fn values() -> impl Strategy<Value = String> {
    prop_oneof![
        "['\\\\E$();:?\\[\\]\"*/\n -]{0,12}",
        "\\PC{0,12}",
        Just("'; drop table t; --".to_owned()),
        Just("\\'; drop table t; --".to_owned()),
        Just("$$".to_owned()),
        Just(":p".to_owned()),
    ]
}

proptest! {
    /// The pieces of a statement, put together, are the statement.
    #[test]
    fn nothing_gets_lost(sql in statements()) {
        let again: String = tokens(&sql).iter().map(|token| token.text).collect();
        prop_assert_eq!(again, sql);
    }

    /// Whatever the value, the statement has the pieces that it would have with any other.
    #[test]
    fn a_value_never_becomes_sql(sql in statements(), value in values()) {
        let with = |value: &str| {
            let literal = literal(ParameterType::Text, value);
            replace(&sql, |name| (name == "p").then_some(literal.as_str()))
        };
        prop_assert_eq!(skeleton(&with(&value)), skeleton(&with("harmless")), "{:?}", with(&value));
    }

    /// And where the placeholder stood is now a literal of its type in brackets, between the same neighbours.
    #[test]
    fn a_placeholder_becomes_five_pieces(sql in statements(), value in values()) {
        let literal = literal(ParameterType::Text, &value);
        let bound = replace(&sql, |name| (name == "p").then_some(literal.as_str()));
        let wanted: Vec<String> = tokens(&sql)
            .iter()
            .filter(|token| !matches!(token.kind, Kind::Space | Kind::Comment))
            .flat_map(|token| match token.kind {
                Kind::Placeholder("p") => ["(", "constant", "::", "text", ")"].map(str::to_owned).to_vec(),
                Kind::Constant => vec!["constant".to_owned()],
                Kind::Unended(_) => vec!["unended".to_owned()],
                _ => vec![token.text.to_owned()],
            })
            .collect();
        prop_assert_eq!(skeleton(&bound), wanted, "{:?}", bound);
    }

    /// What fills in is not looked at again.
    #[test]
    fn filling_in_two_is_filling_in_one_after_the_other(sql in statements(), value in values()) {
        let each = Literal(&value).to_string();
        prop_assert_eq!(
            fill(&sql, Some(&each), None),
            fill(&fill(&sql, None, None), Some(&each), None)
        );
    }
}
