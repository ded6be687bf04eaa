//! The guide says what files are read by: each example of its page is read.

use super::{file, json_schema};

const PAGE: &str = include_str!("../../../../docs/src/guide/migrations.md");

/// The blocks of one language.
fn blocks(language: &str) -> Vec<&'static str> {
    let begin = format!("```{language}\n");
    PAGE.split(begin.as_str())
        .skip(1)
        .map(|rest| rest.split("\n```").next().unwrap())
        .collect()
}

#[test]
fn every_example_is_read_and_every_kind_has_one() {
    let mut kinds = std::collections::BTreeSet::new();
    for block in blocks("toml") {
        let whole = match block.starts_with("[[operations]]") {
            true => format!("description = \"one operation\"\n{block}"),
            false => block.to_owned(),
        };
        let definition =
            file::read("example.toml", &whole).unwrap_or_else(|fault| panic!("{fault:?}\n{block}"));
        kinds.extend(definition.operations.iter().map(super::Operation::kind));
    }
    for block in blocks("sql") {
        file::read("example.sql", block).unwrap_or_else(|fault| panic!("{fault:?}\n{block}"));
    }
    assert_eq!(blocks("sql").len(), 1);
    let known: Vec<&str> = super::validate::REQUIRED.iter().map(|(kind, _)| *kind).collect();
    let mut found: Vec<&str> = kinds.into_iter().collect();
    found.sort_unstable_by_key(|kind| known.iter().position(|it| it == kind));
    assert_eq!(found, known);
}

#[test]
fn every_key_is_spoken_of() {
    let schema = json_schema();
    let mut keys: Vec<&String> = schema["properties"].as_object().unwrap().keys().collect();
    for kind in schema["$defs"]["Operation"]["oneOf"].as_array().unwrap() {
        keys.extend(kind["properties"].as_object().unwrap().keys());
    }
    for key in keys {
        let is_there = [format!("`{key}`"), format!("`{key} ="), format!("\n{key} =")]
            .iter()
            .any(|form| PAGE.contains(form.as_str()));
        assert!(is_there, "the guide says nothing of `{key}`");
    }
}

#[test]
fn what_each_kind_must_have_is_listed() {
    for (kind, keys) in super::validate::REQUIRED {
        let begin = format!("| `{kind}` | ");
        let row = PAGE.lines().find(|line| line.starts_with(&begin));
        let row = row.unwrap_or_else(|| panic!("{kind} has no row"));
        for key in *keys {
            assert!(row.contains(&format!("`{key}`")), "{kind}: {key}");
        }
    }
}

/// Markers of SQL files that the page does not show would be found by nobody.
#[test]
fn every_marker_is_shown() {
    let [block] = blocks("sql")[..] else {
        panic!("one SQL file")
    };
    for marker in [
        "operation",
        "roll back",
        "done when",
        "irreversible",
        "no transaction",
        "timeout",
        "lock timeout",
        "lock budget",
    ] {
        assert!(block.contains(&format!("\n-- {marker}: ")), "{marker}");
    }
}
