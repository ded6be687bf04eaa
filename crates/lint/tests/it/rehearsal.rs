//! Rehearsals on real servers: what is observed beside what is predicted.

use std::time::Duration;

use corridor_lint::evidence::read::{names, read};
use corridor_lint::facts::{self, Fact};
use corridor_lint::finding::Severity;
use corridor_lint::judge::{Settings, Source};
use corridor_lint::parse;
use corridor_lint::rehearse::compare::Mark;
use corridor_lint::rehearse::course::Course;
use corridor_lint::rehearse::prediction::{FactsOf, MEASURED};
use corridor_lint::rehearse::{Played, State, findings};
use corridor_pg::{ApplicationName, ConnectOptions, Session};
use corridor_testbed::{Cluster, ClusterOptions, Database};

use crate::measure::cases;

const BASE: &str = include_str!("../../facts/base.sql");

async fn session(url: &str) -> Session {
    let options = ConnectOptions::from_process(Some(url)).unwrap();
    options
        .connect(&ApplicationName::new("rehearse", "test"))
        .await
        .unwrap()
}

/// Rehearses files on a database as it stands.
async fn play(url: &str, files: &[(&str, &str)], facts_of: FactsOf, is_empty: bool) -> Vec<Played> {
    let (worker, watcher) = (session(url).await, session(url).await);
    let sources: Vec<Source<'_>> = files
        .iter()
        .map(|(path, text)| Source {
            path,
            text,
            config: None,
        })
        .collect();
    let scripts: Vec<_> = files.iter().map(|(_, text)| parse::read(text)).collect();
    let (world, live) = read(&watcher, &names(&scripts)).await.unwrap();
    let settings = Settings {
        major: live.major,
        ..Settings::default()
    };
    let connect = ConnectOptions::from_process(Some(url)).unwrap();
    let course = Course {
        session: &worker,
        watcher: &watcher,
        connect: &connect,
        settings: &settings,
        facts_of,
        limit: Duration::from_secs(60),
        is_given: false,
        is_empty,
        is_utc: true,
        has_gaps: false,
    };
    course.run(&sources, &world).await.unwrap()
}

/// The schema that the facts are measured on, without its rows where they are not wanted, as a template.
async fn template(cluster: &Cluster, has_rows: bool) -> Database {
    let database = cluster.fresh_database("ground").await.unwrap();
    let client = cluster.connect(&database.name).await.unwrap();
    let base: Vec<&str> = BASE
        .lines()
        .filter(|line| has_rows || !line.starts_with("insert"))
        .collect();
    client.batch_execute("create schema ground").await.unwrap();
    let path = format!("alter database \"{}\" set search_path = ground", database.name);
    client.batch_execute(&path).await.unwrap();
    client.batch_execute("set search_path = ground").await.unwrap();
    client.batch_execute(&base.join("\n")).await.unwrap();
    database
}

/// Every case of the facts, rehearsed where there are rows and where there are none: nothing differs, and what cannot be seen
/// without rows is said to be so.
async fn all_cases_agree(has_rows: bool) {
    let cluster = Cluster::start(ClusterOptions::new(15).setting("autovacuum", "off"))
        .await
        .unwrap();
    let template = template(&cluster, has_rows).await;
    let server = cluster.connect("postgres").await.unwrap();
    let (mut wrong, mut unseen, mut count) = (Vec::new(), Vec::new(), 0);
    // `copy.to` starts a program, which a rehearsal does not.
    for case in cases()
        .into_iter()
        .filter(|case| case.since <= 15 && case.key != "copy.to")
    {
        let make = format!("create database trial template \"{}\"", template.name);
        server.batch_execute(&make).await.unwrap();
        let path = "alter database trial set search_path = ground";
        server.batch_execute(path).await.unwrap();
        let url = cluster.url("trial");
        let client = cluster.connect("trial").await.unwrap();
        for part in case.before.split(';').filter(|part| !part.trim().is_empty()) {
            client.batch_execute(part).await.unwrap();
        }
        drop(client);
        let begin = if case.key.starts_with("lock-table") {
            "begin;"
        } else {
            ""
        };
        let text = format!("{begin}{};\n{}", case.session, case.sql);
        let played = play(&url, &[("case.sql", &text)], MEASURED, !has_rows).await;
        let step = played[0].steps.last().unwrap();
        let comparison = step.comparison.as_ref();
        let mark = comparison.map(|it| it.mark);
        let expected = facts::of(&case.key, 15).unwrap().failure;
        let failed = match &step.state {
            State::Ran => None,
            State::Failed { failure, .. } => Some(failure.sqlstate.as_str()),
            State::NotRun { why } => Some(*why),
        };
        count += 1;
        let is_unseen = mark == Some(Mark::NotObservable);
        if is_unseen {
            unseen.push(case.key.clone());
        }
        if failed != expected && !(is_unseen && failed.is_none()) {
            wrong.push(format!("{}: ended with {failed:?}: {}", case.key, case.sql));
        }
        if matches!(mark, Some(Mark::Differs | Mark::Unsure)) {
            wrong.push(format!("{}: {}\n{comparison:#?}", case.key, case.sql));
        }
        server
            .batch_execute("drop database trial with (force)")
            .await
            .unwrap();
        server
            .batch_execute("drop database if exists fresh_database_x")
            .await
            .unwrap();
    }
    println!("{count} cases, not observable: {unseen:?}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(!has_rows || unseen.is_empty(), "{unseen:?}");
    assert!(count > 200, "{count}");
}

#[tokio::test(flavor = "multi_thread")]
async fn all_cases_of_the_facts_agree_with_their_rehearsal() {
    all_cases_agree(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_cases_of_the_facts_agree_where_there_are_no_rows() {
    all_cases_agree(false).await;
}

/// Facts that are wrong: `create index` takes no lock, `truncate` leaves the rows.
fn falsified(key: &str, major: u32) -> Option<&'static Fact> {
    facts::of(
        if matches!(key, "create-index" | "truncate") {
            "set-default"
        } else {
            key
        },
        major,
    )
}

#[tokio::test]
async fn a_wrong_fact_is_loud() {
    let database = Cluster::shared(15).await.fresh_database("wrong").await.unwrap();
    let client = corridor_testbed::cluster::connect(&database.url).await.unwrap();
    client
        .batch_execute("create table t (id int primary key, a int)")
        .await
        .unwrap();
    let file = [(
        "x.sql",
        "create index i on t (a);\ntruncate t;\nalter table t add column b int;\n",
    )];
    let sources = [Source {
        path: file[0].0,
        text: file[0].1,
        config: None,
    }];
    let played = play(&database.url, &file, falsified, true).await;
    let found = findings(&sources, &played, "15");
    let codes: Vec<&str> = found.iter().map(|finding| finding.rule.code.id).collect();
    assert_eq!(codes, ["LNT-906", "LNT-906"], "{found:#?}");
    assert!(found.iter().all(|finding| finding.severity == Severity::Error));
    assert!(
        found[1]
            .what
            .contains("its rows were written anew; predicted: they stay"),
        "{}",
        found[1].what
    );
    for what in ["t predicted", "t observed", "fact", "server", "statement"] {
        assert!(
            found[0].evidence.iter().any(|it| it.name == what),
            "{what}: {:?}",
            found[0].evidence
        );
    }
}
