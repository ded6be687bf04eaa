//! Cases of rules: SQL that a rule must fire on, and SQL that it must let pass.

use crate::finding::Rule;
use crate::judge::{Settings, Source, judge};
use crate::policy::Hot;
use crate::world::World;

fn findings(rule: &Rule, sql: &str) -> Vec<String> {
    // `@V1__a.sql text`: the file's name, for the rules about runners.
    let (path, text) = match sql.strip_prefix('@') {
        Some(rest) => rest.split_once(' ').unwrap(),
        None => ("case.sql", sql),
    };
    let settings = Settings {
        hygiene: true,
        hot_tables: vec![Hot::named("hot")],
        ..Settings::default()
    };
    let found = judge(
        &[Source {
            path,
            text,
            config: None,
        }],
        &settings,
        &World::default(),
        None,
    );
    found
        .into_iter()
        .filter(|finding| finding.rule.code.id == rule.code.id)
        .map(|finding| finding.what)
        .collect()
}

/// The rule says something about each of them.
pub(crate) fn fires(rule: &Rule, cases: &[&str]) {
    for sql in cases {
        assert!(
            !findings(rule, sql).is_empty(),
            "{} does not fire on: {sql}",
            rule.name
        );
    }
}

/// It says nothing about any of them.
pub(crate) fn passes(rule: &Rule, cases: &[&str]) {
    for sql in cases {
        let found = findings(rule, sql);
        assert!(found.is_empty(), "{} fires on: {sql}\n{found:?}", rule.name);
    }
}
