//! What holds for all rules, and for the reader.

use std::collections::BTreeSet;
use std::path::Path;

use proptest::prelude::*;

use super::{CODES, RULES, Topology, lint, rules};
use crate::finding::Rule;

const CORPUS: &str = include_str!("corpus.sql");

fn found(rule: &Rule, topology: &Topology, text: &str) -> usize {
    let report = lint("case.sql", text, topology);
    assert_eq!(report.not_evaluated, [], "{text}");
    report
        .findings
        .iter()
        .filter(|finding| finding.rule.code.id == rule.code.id)
        .count()
}

pub(super) fn fires_with(rule: &Rule, topology: &str, texts: &[&str]) {
    let topology = Topology::from_toml(topology).unwrap();
    for text in texts {
        assert!(found(rule, &topology, text) > 0, "{rule:?} should find: {text}");
    }
}

pub(super) fn silent_with(rule: &Rule, topology: &str, texts: &[&str]) {
    let topology = Topology::from_toml(topology).unwrap();
    for text in texts {
        assert_eq!(
            found(rule, &topology, text),
            0,
            "{rule:?} should not find: {text}"
        );
    }
}

pub(super) fn fires(rule: &Rule, texts: &[&str]) {
    fires_with(rule, "", texts);
}

pub(super) fn silent(rule: &Rule, texts: &[&str]) {
    silent_with(rule, "", texts);
}

/// The text with all edits of a rule.
pub(super) fn mended(rule: &Rule, text: &str) -> String {
    let report = lint("case.sql", text, &Topology::default());
    let ours = report.findings.iter().filter(|f| f.rule.code.id == rule.code.id);
    let mut edits: Vec<_> = ours
        .filter_map(|f| f.fix.clone())
        .flat_map(|fix| fix.edits)
        .collect();
    edits.sort_by_key(|edit| std::cmp::Reverse(edit.0.start));
    let mut text = text.to_owned();
    for (range, new) in edits {
        text.replace_range(range, &new);
    }
    text
}

/// The code blocks of a page in one language.
fn blocks<'a>(page: &'a str, language: &str) -> Vec<&'a str> {
    let open = format!("```{language}\n");
    page.split(&open)
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap())
        .collect()
}

#[test]
fn every_rule_file_is_listed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/clickhouse/rules");
    let files: BTreeSet<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            entry
                .unwrap()
                .path()
                .file_stem()
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    let listed: BTreeSet<String> = rules::MODULES.iter().map(|module| (*module).to_owned()).collect();
    assert_eq!(files, listed);
}

#[test]
fn codes_and_names_are_unique_and_in_order() {
    let codes: Vec<&str> = RULES.iter().map(|rule| rule.code.id).collect();
    let expected: Vec<String> = (301..=320).map(|number| format!("LNT-{number}")).collect();
    assert_eq!(codes, expected);
    let names: BTreeSet<&str> = RULES.iter().map(|rule| rule.name).collect();
    assert_eq!(names.len(), RULES.len());
    assert_eq!(CODES.len(), RULES.len() + 1);
}

#[test]
fn pages_are_whole_and_their_examples_do_as_they_say() {
    for rule in RULES {
        let page = rule.code.page;
        for part in ["**Symptom.**", "**Why.**", "**Safe way.**", "Not found:"] {
            assert!(page.contains(part), "{rule:?}: {part}");
        }
        let topology = blocks(page, "toml").first().copied().unwrap_or_default();
        let [bad, good] = blocks(page, "sql")[..] else {
            panic!("{rule:?}: two examples")
        };
        fires_with(rule, topology, &[bad]);
        silent_with(rule, topology, &[good]);
    }
}

#[test]
fn the_corpus_is_read_to_the_last_statement() {
    let report = lint("corpus.sql", CORPUS, &Topology::default());
    assert_eq!(report.not_evaluated, []);
    assert!(report.statements >= 60, "{}", report.statements);
    for finding in &report.findings {
        assert!(
            CORPUS
                .get(finding.span.clone())
                .is_some_and(|text| !text.is_empty()),
            "{finding:?}"
        );
    }
}

/// `CORRIDOR_CLICKHOUSE="clickhouse local"` compares with a real parser; without it there is nothing to compare with.
#[test]
fn a_server_reads_the_corpus_and_the_pages_too() {
    let Ok(command) = std::env::var("CORRIDOR_CLICKHOUSE") else {
        return;
    };
    let mut words = command.split_whitespace();
    let program = words.next().expect("CORRIDOR_CLICKHOUSE names a command");
    let words: Vec<&str> = words.collect();
    let mut refused = Vec::new();
    let pages = RULES.iter().flat_map(|rule| blocks(rule.code.page, "sql"));
    for text in std::iter::once(CORPUS).chain(pages) {
        let mut unread = Vec::new();
        let script = super::script::Script::read(text, &mut unread);
        for part in &script.statements {
            // Rows of an INSERT are not kept: the statement ends at VALUES.
            let statement = &text[script.span(*part)];
            let is_meant_to_fail = statement.contains("modify partition by");
            let query = format!("explain ast {statement}");
            let output = std::process::Command::new(program)
                .args(&words)
                .args(["--query", &query])
                .output()
                .unwrap();
            if !output.status.success() && !is_meant_to_fail {
                refused.push(format!(
                    "{statement}\n  {}",
                    String::from_utf8_lossy(&output.stderr)
                ));
            }
        }
    }
    assert!(refused.is_empty(), "{}", refused.join("\n"));
}

#[test]
fn what_cannot_be_read_is_said_and_the_rest_is_read() {
    let unread = |text: &str| -> (Vec<String>, usize) {
        let report = lint("x.sql", text, &Topology::default());
        (
            report
                .not_evaluated
                .iter()
                .map(|n| text[n.span.clone()].to_owned())
                .collect(),
            report.statements,
        )
    };
    let text = "frobnicate all; alter table t add column a Int8, jump over b; drop table 'x; select 1";
    assert_eq!(
        unread(text),
        (
            vec![
                "frobnicate all".into(),
                ", jump over b".into(),
                "drop table 'x; select 1".into()
            ],
            1
        )
    );
    let text = "alter table t add column a Int8, drop wheel b, drop index i; drop table a) ; drop view v";
    assert_eq!(
        unread(text),
        (vec!["drop wheel b".into(), "drop table a)".into()], 2)
    );
    assert_eq!(
        unread("alter table t drop index i, jump over b").0,
        ["drop index i, jump over b"]
    );
}

#[test]
fn rows_of_an_insert_are_passed_over() {
    let text = "insert into t values (1, 'a;b'), (2, 'c'); insert into t (a) format JSONEachRow {\"a\": \"it's\"}\n\
                {\"a\": 2}\n\ninsert into t select 1; drop view v";
    let report = lint("x.sql", text, &Topology::default());
    assert_eq!(report.not_evaluated, []);
    assert_eq!(report.statements, 4);
}

#[test]
fn depth_is_counted() {
    for depth in [999, 1001, 200_000] {
        let text = format!(
            "alter table t update a = {}1{} where 1; drop view v",
            "(".repeat(depth),
            ")".repeat(depth)
        );
        let report = lint("x.sql", &text, &Topology::default());
        assert_eq!(report.not_evaluated.len(), usize::from(depth > 1000), "{depth}");
        assert_eq!(report.statements, if depth > 1000 { 1 } else { 2 });
    }
    let nested = format!(
        "alter table t modify column a {}String{}",
        "Array(".repeat(900),
        ")".repeat(900)
    );
    let topology = Topology::from_toml("[[table]]\nname='t'\ncolumns={a='Array(Array(String))'}").unwrap();
    assert_eq!(lint("x.sql", &nested, &topology).not_evaluated, []);
}

#[test]
fn settings_and_databases_are_followed() {
    let text =
        "use d; create table t (a Int8) engine=MergeTree order by a; use e; alter table t delete where a = 1";
    let codes = |text: &str| -> Vec<&str> {
        lint("x.sql", text, &Topology::default())
            .findings
            .iter()
            .map(|f| f.rule.code.id)
            .collect()
    };
    assert!(codes(text).contains(&"LNT-309"), "another table of that name");
    assert!(
        !codes(&text.replace("use e; ", "")).contains(&"LNT-309"),
        "new and empty"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn truncated_texts_do_not_panic(from in 0usize..12_000, length in 0usize..4_000) {
        let text: String = CORPUS.chars().skip(from).take(length).collect();
        let report = lint("x.sql", &text, &Topology::default());
        for span in report.findings.iter().map(|f| &f.span).chain(report.not_evaluated.iter().map(|n| &n.span)) {
            prop_assert!(text.get(span.clone()).is_some(), "{span:?}");
        }
    }

    #[test]
    fn mixed_up_texts_do_not_panic(
        from in 0usize..12_000,
        cuts in proptest::collection::vec((0usize..800, r#"[();,.'"`{}$#/*\-\\ a=A-Z\n]{0,6}"#), 1..12),
    ) {
        let mut text: Vec<char> = CORPUS.chars().skip(from).take(800).collect();
        for (at, new) in cuts {
            let at = at.min(text.len());
            let end = (at + 2).min(text.len());
            text.splice(at..end, new.chars());
        }
        let text: String = text.into_iter().collect();
        let report = lint("x.sql", &text, &Topology::default());
        for finding in &report.findings {
            prop_assert!(text.get(finding.span.clone()).is_some());
            for (range, _) in finding.fix.iter().flat_map(|fix| &fix.edits) {
                prop_assert!(text.get(range.clone()).is_some());
            }
        }
    }

    #[test]
    fn any_text_does_not_panic(text in "\\PC{0,300}") {
        lint("x.sql", &text, &Topology::default());
    }
}
