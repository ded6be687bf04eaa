//! No text brings the room down: statements that are cut off, mixed up, or nest a hundred thousand deep.

use corridor_lint::judge::{Settings, Source, judge};
use corridor_lint::world::World;
use corridor_lint::{evidence, mend, parse, plan};
use proptest::prelude::*;

const CORPUS: &str = include_str!("../../facts/cases.sql");

/// Everything that is done with a file, without a database.
fn all_of_it(text: &str) {
    let settings = Settings {
        hygiene: true,
        ..Settings::default()
    };
    let world = World::default();
    let source = Source {
        path: "x.sql",
        text,
        config: None,
    };
    let findings = judge(std::slice::from_ref(&source), &settings, &world, None);
    for finding in &findings {
        assert!(
            finding.span.start <= finding.span.end && text.get(finding.span.clone()).is_some(),
            "{finding:?}"
        );
    }
    mend::mend(text, &findings.iter().collect::<Vec<_>>());
    plan::plan(&source, "x", &settings, &world);
    parse::accesses(text);
    evidence::read::names(&[parse::read(text)]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn statements_that_are_cut_off(from in 0..CORPUS.len(), length in 0_usize..400) {
        let from = CORPUS.floor_char_boundary(from);
        let to = CORPUS.floor_char_boundary((from + length).min(CORPUS.len()));
        all_of_it(&CORPUS[from..to]);
    }

    #[test]
    fn statements_with_foreign_bytes(from in 0..CORPUS.len(), length in 0_usize..200, at in 0_usize..200, noise in "\\PC{0,4}|[();'\"$\\\\:,.*-]{1,6}") {
        let from = CORPUS.floor_char_boundary(from);
        let to = CORPUS.floor_char_boundary((from + length).min(CORPUS.len()));
        let mut text = CORPUS[from..to].to_owned();
        let at = text.floor_char_boundary(at.min(text.len()));
        text.insert_str(at, &noise);
        all_of_it(&text);
    }

    #[test]
    fn any_text_at_all(text in "\\PC{0,200}") {
        all_of_it(&text);
    }
}

#[test]
fn text_that_nests_without_end() {
    for text in [
        format!("select {}1{}", "(".repeat(100_000), ")".repeat(100_000)),
        format!("select {}1{}", "(".repeat(390), ")".repeat(390)),
        format!("select {}", "(".repeat(100_000)),
        format!("select {} true", "not ".repeat(100_000)),
        format!("select 1 {}", "union select 1 ".repeat(50_000)),
        format!("select 1{}", "+1".repeat(100_000)),
        format!("select {}1{}", "case when ".repeat(50_000), " end".repeat(50_000)),
        format!("select {}", "a.".repeat(100_000)),
        format!("select a{}", "[1]".repeat(100_000)),
        format!("select a{}", "::int".repeat(100_000)),
        format!("{}select 1", "explain ".repeat(100_000)),
        format!("create table t (a int{})", "[]".repeat(50_000)),
        "/*".repeat(100_000),
        format!("insert into t values {}(1)", "(1),".repeat(100_000)),
        "begin atomic ".repeat(10_000),
        "create schema a ".repeat(20_000),
        format!("alter table t {} add x int", "add x int, ".repeat(20_000)),
        format!("select {} 1", "- ".repeat(50_000)),
        format!("with {} select 1", "a as (with ".repeat(5_000)),
    ] {
        parse::read(&text);
    }
}
