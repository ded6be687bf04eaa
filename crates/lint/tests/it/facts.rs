//! The facts of the repository are what the servers do.

use std::collections::BTreeMap;

use corridor_testbed::Servers;

use crate::measure::{measure, table};

const KEPT: &str = include_str!("../../facts/facts.tsv");

#[tokio::test(flavor = "multi_thread")]
async fn the_facts_are_what_the_servers_do() {
    let mut majors: Vec<u32> = Servers::find().into_iter().map(|server| server.major).filter(|major| *major <= 18).collect();
    let is_writing = std::env::var_os("CORRIDOR_WRITE_FACTS").is_some();
    if std::env::var_os("CORRIDOR_TEST_QUICK").is_some() && !is_writing {
        majors.retain(|major| *major == 15);
    }
    let tasks: Vec<_> = majors.into_iter().map(|major| (major, tokio::spawn(measure(major)))).collect();
    let mut seen = BTreeMap::new();
    for (major, task) in tasks {
        seen.insert(major, task.await.unwrap());
    }
    if is_writing {
        std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/facts/facts.tsv"), table(&seen)).unwrap();
        return;
    }
    // Line by line and major by major: a machine may have only some of them.
    for (major, rows) in &seen {
        for (key, row) in rows {
            let kept = corridor_lint::facts::of(key, *major).unwrap_or_else(|| panic!("{key} is not measured on {major}"));
            assert_eq!(kept.row(), row, "{key} on PostgreSQL {major}; script/facts writes the file anew");
        }
    }
    if seen.len() == 5 {
        assert_eq!(KEPT, table(&seen), "script/facts writes the file anew");
    }
}
