//! The facts of the repository are what the servers do.

use std::collections::BTreeMap;

use corridor_testbed::Servers;

use corridor_lint::facts;
use corridor_lint::facts::key::effects;
use corridor_lint::parse;
use corridor_lint::world::World;

use crate::measure::{cases, function_list, functions, measure, table};

const KEPT: &str = include_str!("../../facts/facts.tsv");

#[tokio::test(flavor = "multi_thread")]
async fn the_facts_are_what_the_servers_do() {
    let mut majors: Vec<u32> = Servers::find()
        .into_iter()
        .map(|server| server.major)
        .filter(|major| *major <= 18)
        .collect();
    let is_writing = std::env::var_os("CORRIDOR_WRITE_FACTS").is_some();
    if std::env::var_os("CORRIDOR_TEST_QUICK").is_some() && !is_writing {
        majors.retain(|major| *major == 15);
    }
    let tasks: Vec<_> = majors
        .into_iter()
        .map(|major| (major, tokio::spawn(measure(major))))
        .collect();
    let mut seen = BTreeMap::new();
    for (major, task) in tasks {
        seen.insert(major, task.await.unwrap());
    }
    if is_writing {
        std::fs::write(
            concat!(env!("CARGO_MANIFEST_DIR"), "/facts/facts.tsv"),
            table(&seen),
        )
        .unwrap();
        let mut known: BTreeMap<String, bool> = BTreeMap::new();
        for major in seen.keys() {
            for (name, is_volatile) in functions(*major).await {
                *known.entry(name).or_default() |= is_volatile;
            }
        }
        std::fs::write(
            concat!(env!("CARGO_MANIFEST_DIR"), "/facts/functions.txt"),
            function_list(&known),
        )
        .unwrap();
        return;
    }
    // Line by line and major by major: a machine may have only some of them.
    for (major, rows) in &seen {
        for (key, row) in rows {
            let kept = facts::of(key, *major).unwrap_or_else(|| panic!("{key} is not measured on {major}"));
            assert_eq!(
                kept.row(),
                row,
                "{key} on PostgreSQL {major}; script/facts writes the file anew"
            );
        }
    }
    if seen.len() == 5 {
        assert_eq!(KEPT, table(&seen), "script/facts writes the file anew");
    }
}

/// What is predicted from a statement's text is what was observed when it ran, on every major: who is locked how, whose rows
/// are written anew, whose are read.
#[test]
fn what_is_predicted_from_the_text_is_what_was_observed() {
    let base = parse::read(include_str!("../../facts/base.sql"));
    let mut wrong = Vec::new();
    for case in cases() {
        let mut world = World {
            is_catalogue: true,
            ..World::default()
        };
        base.statements
            .iter()
            .chain(&parse::read(&case.before).statements)
            .for_each(|statement| world.apply(statement));
        world.settle();
        let script = parse::read(&case.sql);
        let is_utc = case.session.is_empty() || case.session.contains("UTC");
        let found = effects(&script.statements[0], &world, Some(is_utc));
        for major in 14..=18 {
            let Some(observed) = facts::of(&case.key, major) else {
                continue;
            };
            let predicted: Vec<_> = found
                .iter()
                .filter_map(|effect| facts::of(effect.key, major))
                .collect();
            for role in [
                "table",
                "referenced",
                "referencing",
                "partition",
                "default",
                "parent",
                "user",
            ] {
                let lock = predicted.iter().filter_map(|fact| fact.lock(role)).max();
                // Plain reading and writing is no business of a linter.
                let seen = observed
                    .lock(role)
                    .filter(|mode| *mode > facts::Mode::RowExclusive || lock.is_some());
                let rewrites = predicted.iter().any(|fact| fact.rewrites(role));
                let scans = predicted.iter().any(|fact| fact.scans(role));
                if (lock, rewrites, scans || case.key == "select")
                    != (
                        seen,
                        observed.rewrites(role),
                        observed.scans(role) || case.key == "select",
                    )
                {
                    wrong.push(format!("{} on {major}, {role}: {}", case.key, case.sql));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
