//! Looking at migrations and asking for things, with a worker that this test plays itself.

use std::time::Duration;

use corridor_migration::store::{self, Naming, NewMigration};
use corridor_migration::{Event, Lease, Name, State, Verb, Wait, lease, schema};
use corridor_pg::{ApplicationName, ConnectOptions, Isolation, Session};
use corridor_testbed::Database;
use serde_json::json;

use crate::driver::{corridor_on, database, end};

/// A migration in a database of its own, and the session of the worker that the test plays.
struct Stage {
    database: Database,
    session: Session,
    id: i64,
}

const OPERATIONS: &[&str] = &["prepare", "copy", "index", "verify", "cutover", "finish"];

impl Stage {
    async fn new(label: &str) -> Stage {
        let database = database(label).await;
        let options = ConnectOptions::from_process(Some(&database.url)).unwrap();
        let mut session = options
            .connect(&ApplicationName::new("control", "persons"))
            .await
            .unwrap();
        schema::ensure(&mut session).await.unwrap();
        let mut stage = Stage {
            database,
            session,
            id: 0,
        };
        stage.id = stage
            .store(
                "persons",
                "move public.persons into 4 partitions by hash of (team_id)",
            )
            .await;
        stage
    }

    async fn store(&mut self, name: &str, description: &str) -> i64 {
        let new = NewMigration {
            naming: Naming::Exactly(Name::new(name).unwrap()),
            kind: "move".to_owned(),
            description: description.to_owned(),
            plan: json!({}),
            operations: OPERATIONS.iter().map(|o| (*o).to_owned()).collect(),
            created_by: "somebody@here 1".to_owned(),
        };
        let tx = self.session.begin(Isolation::ReadCommitted).await.unwrap();
        let migration = store::create(&tx, &new).await.unwrap();
        tx.commit().await.unwrap();
        migration.id
    }

    async fn lease(&mut self) -> Lease {
        lease::take(
            &mut self.session,
            self.id,
            "worker@there 2",
            Duration::from_secs(60),
        )
        .await
        .unwrap()
    }

    async fn apply(&mut self, lease: &Lease, events: &[Event]) {
        let tx = self.session.begin(Isolation::ReadCommitted).await.unwrap();
        for event in events {
            store::apply(&tx, lease, event).await.unwrap();
        }
        tx.commit().await.unwrap();
    }
}

fn started(operation: &str) -> Event {
    Event::OperationStarted {
        operation: operation.to_owned(),
    }
}

fn finished(operation: &str) -> Event {
    Event::OperationFinished {
        operation: operation.to_owned(),
    }
}

#[tokio::test]
async fn the_list_has_the_newest_first_and_fits_80_columns() {
    let mut stage = Stage::new("list").await;
    let long = "an-uncommonly-long-name-of-41-characters_";
    stage
        .store(
            long,
            "move \"Order Items\" \u{1b}[31m🐘🐘🐘 into the same shape, written anew",
        )
        .await;
    let run = corridor_on(&stage.database, &["status"])
        .run()
        .await
        .expect_code(0);
    let (newer, older) = (
        run.stdout.find(&long[..20]).unwrap(),
        run.stdout.find("persons").unwrap(),
    );
    assert!(newer < older && run.stdout.contains("planned"), "{}", run.stdout);
    let run = corridor_on(&stage.database, &["status", "--json"])
        .run()
        .await
        .expect_code(0);
    let names: Vec<_> = run.json()["migrations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| m["name"].clone())
        .collect();
    assert_eq!(names, [json!(long), json!("persons")]);
}

#[tokio::test]
async fn a_status_says_what_is_done_who_works_and_what_comes_next() {
    let mut stage = Stage::new("block").await;
    let lease = stage.lease().await;
    stage
        .apply(
            &lease,
            &[
                Event::asked(Verb::Start, "me"),
                started("prepare"),
                finished("prepare"),
                started("copy"),
            ],
        )
        .await;
    let progress = json!({
        "rows": {"is_verification": false, "rows": 250, "rows_estimate": 1000, "rows_per_s": 50.0},
        "throttle": {"event": "throttle", "reasons": [
            {"signal": "replica_lag_ms", "figure": 7300.0, "limit": 5000.0, "unit": "ms", "why": null}
        ]},
        "pending_changes": 12,
    });
    let vitals = corridor_migration::Vitals {
        backend_pids: vec![],
        progress,
    };
    assert!(lease.beat(&stage.session, &vitals).await.unwrap());
    let run = corridor_on(&stage.database, &["status", "persons"])
        .run()
        .await
        .expect_code(0);
    for text in [
        "state     running",
        "worker    worker@there 2, heard of",
        "held      replica_lag_ms is 7,300 ms, limit 5,000 ms",
        "pending   12 changes pending",
        "[x] prepare    done",
        "[>] copy       running",
        "25.0 %, 250 of about 1,000 rows",
        "[ ] index      pending",
        "corridor pause persons",
    ] {
        assert!(run.stdout.contains(text), "{text:?} is not in\n{}", run.stdout);
    }
    assert!(!run.stdout.contains("corridor cutover"), "{}", run.stdout);
    let run = corridor_on(&stage.database, &["status", "persons", "--json"])
        .run()
        .await
        .expect_code(0);
    let value = run.json();
    assert_eq!(value["state"], "running");
    assert_eq!(value["worker"]["holder"], "worker@there 2");
    assert_eq!(value["operations"][1]["state"], "running");
}

#[tokio::test]
async fn settings_are_listed_set_and_given_back() {
    let stage = Stage::new("set").await;
    let on = |args: &'static [&'static str]| corridor_on(&stage.database, args);
    let run = on(&["set", "persons"]).run().await.expect_code(0);
    for definition in corridor_migration::setting::DEFINITIONS {
        assert!(
            run.stdout.contains(&format!("{} = ", definition.key)),
            "{}",
            run.stdout
        );
    }
    let run = on(&["set", "persons", "workers=4", "throttle.replica_lag_ms=2s"])
        .run()
        .await
        .expect_code(0);
    assert_eq!(
        run.stdout,
        "workers = 4 (was 2)\nthrottle.replica_lag_ms = 2000 ms (was 5000 ms)\n"
    );
    // All or nothing.
    let run = on(&["set", "persons", "workers=8", "nice=2"])
        .run()
        .await
        .expect_code(2)
        .expect_fault("MIG-012");
    assert!(run.stderr.contains("nice"), "{}", run.stderr);
    let run = on(&["set", "persons", "--json"]).run().await.expect_code(0);
    let value = run.json();
    let workers = value["settings"]
        .as_array()
        .unwrap()
        .iter()
        .find(|s| s["key"] == "workers")
        .unwrap()
        .clone();
    assert_eq!(
        (&workers["value"], &workers["default"]),
        (&json!("4"), &json!("2"))
    );
    assert!(
        workers["set_by"].as_str().unwrap().starts_with("postgres@"),
        "{workers}"
    );
    let run = on(&["set", "persons", "workers=default"])
        .run()
        .await
        .expect_code(0);
    assert_eq!(run.stdout, "workers = 2 (was 4)\n");
    let run = on(&["set", "persons", "workers=2", "--json"])
        .run()
        .await
        .expect_code(0);
    assert_eq!(run.json()["settings"].as_array().unwrap().len(), 1);
    let run = on(&["status", "persons"]).run().await.expect_code(0);
    assert!(
        run.stdout.contains("throttle.replica_lag_ms = 2000"),
        "{}",
        run.stdout
    );
    let run = on(&["set", "nobody", "workers=2"])
        .run()
        .await
        .expect_code(2)
        .expect_fault("MIG-003");
    assert!(run.stderr.contains("nobody"), "{}", run.stderr);
    for args in [
        &["status", "presons"] as &[&str],
        &["logs", "presons"],
        &["cutover", "presons"],
    ] {
        let run = on(args).run().await.expect_code(2).expect_fault("MIG-003");
        assert!(
            run.stderr.contains("presons; did you mean persons?"),
            "{args:?}: {}",
            run.stderr
        );
    }
}

#[tokio::test]
async fn the_journal_is_shown_oldest_first_and_may_be_cut() {
    let mut stage = Stage::new("logs").await;
    let lease = stage.lease().await;
    let why = Event::Asked {
        verb: Verb::Pause,
        by: "alice".into(),
        why: "the\ndeploy \u{1b}[2J".into(),
    };
    stage.apply(&lease, &[Event::asked(Verb::Start, "me"), why]).await;
    let run = corridor_on(&stage.database, &["logs", "persons"])
        .run()
        .await
        .expect_code(0);
    let at = |text: &str| {
        run.stdout
            .find(text)
            .unwrap_or_else(|| panic!("{text:?} is not in {}", run.stdout))
    };
    assert!(
        at("created") < at("start") && at("start") < at("planned -> running") && at("running -> paused") > 0
    );
    assert!(at("the\\ndeploy \\u{1b}[2J") > 0);
    let run = corridor_on(&stage.database, &["logs", "persons", "--limit", "1", "--json"])
        .run()
        .await
        .expect_code(0);
    let value = run.json();
    let entries = value["entries"].as_array().unwrap();
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0]["event"], "pause");
    // `| head` ends it quietly.
    for _ in 0..300 {
        stage
            .apply(
                &lease,
                &[Event::asked(Verb::Resume, "me"), Event::asked(Verb::Pause, "me")],
            )
            .await;
    }
    let script = format!(
        "{{ '{}' logs persons --limit 10000 -d '{}'; echo $? >&2; }} | head -n 1",
        env!("CARGO_BIN_EXE_corridor"),
        stage.database.url
    );
    let output = tokio::process::Command::new("sh")
        .args(["-c", &script])
        .output()
        .await
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "0\n");
    assert!(String::from_utf8_lossy(&output.stdout).contains("created"));
}

#[tokio::test]
async fn a_pause_keeps_its_reason_and_what_cannot_be_asked_for_is_refused() {
    let mut stage = Stage::new("pause").await;
    let run = corridor_on(&stage.database, &["pause", "persons"]).run().await;
    let run = run.expect_code(4).expect_fault("MIG-007");
    assert!(run.stderr.contains("nothing was changed"), "{}", run.stderr);
    let lease = stage.lease().await;
    stage
        .apply(&lease, &[Event::asked(Verb::Start, "me"), started("prepare")])
        .await;
    assert!(lease.release(&stage.session).await.unwrap());
    let run = corridor_on(&stage.database, &["pause", "persons", "--why", "the deploy"])
        .run()
        .await
        .expect_code(0);
    assert!(
        run.stdout.contains("the deploy") && run.stdout.contains("corridor resume persons"),
        "{}",
        run.stdout
    );
    let run = corridor_on(&stage.database, &["status", "persons"])
        .run()
        .await
        .expect_code(0);
    assert!(
        run.stdout.contains("paused by postgres@") && run.stdout.contains(": the deploy"),
        "{}",
        run.stdout
    );
    corridor_on(&stage.database, &["pause", "persons", "--json"])
        .run()
        .await
        .expect_code(4)
        .expect_fault("MIG-007");
}

#[tokio::test]
async fn a_pause_is_handed_to_the_worker_that_lives() {
    let mut stage = Stage::new("pause_alive").await;
    let lease = stage.lease().await;
    stage.apply(&lease, &[Event::asked(Verb::Start, "me")]).await;
    let asking = corridor_on(&stage.database, &["pause", "persons", "--why", "x", "--json"]).start();
    let request = loop {
        let tx = stage.session.begin(Isolation::ReadCommitted).await.unwrap();
        let requests = store::take_requests(&tx, &lease).await.unwrap();
        if let Some(request) = requests.into_iter().next() {
            let event = Event::Asked {
                verb: request.verb,
                by: request.asked_by.clone(),
                why: request.argument["why"].as_str().unwrap().to_owned(),
            };
            store::apply(&tx, &lease, &event).await.unwrap();
            store::answer(&tx, &lease, request.id, &json!({"granted": true}))
                .await
                .unwrap();
            tx.commit().await.unwrap();
            break request;
        }
    };
    assert_eq!(request.verb, Verb::Pause);
    assert!(lease.release(&stage.session).await.unwrap());
    let run = end(asking).await.expect_code(0);
    let value = run.json();
    assert_eq!(
        (&value["outcome"], &value["why"]),
        (&json!("paused"), &json!("x"))
    );
    assert_eq!(value["next"], json!(["corridor resume persons"]));
}

#[tokio::test]
async fn a_watch_without_a_terminal_has_a_line_for_each_change_and_ends_with_the_migration() {
    use tokio::io::{AsyncBufReadExt, BufReader};
    let mut stage = Stage::new("watch").await;
    let mut watch = corridor_on(&stage.database, &["status", "persons", "--watch"]).start();
    let mut lines = BufReader::new(watch.stdout.take().unwrap()).lines();
    let mut see = async |text: &str| {
        let line = lines.next_line().await.unwrap().unwrap();
        assert!(line.contains(text), "{text:?} is not in {line:?}");
    };
    see("persons: planned").await;
    let lease = stage.lease().await;
    stage
        .apply(&lease, &[Event::asked(Verb::Start, "me"), started("prepare")])
        .await;
    // The lease may have been seen alone, before its first transition.
    loop {
        let line = lines.next_line().await.unwrap().unwrap();
        if line.contains("running; prepare runs") {
            break;
        }
        assert!(line.contains("planned"), "{line}");
    }
    stage
        .apply(
            &lease,
            &[
                finished("prepare"),
                Event::asked(Verb::Stop, "me"),
                Event::CleanedUp,
            ],
        )
        .await;
    let mut rest = String::new();
    while let Some(line) = lines.next_line().await.unwrap() {
        rest.push_str(&line);
    }
    assert!(rest.contains("stopped; the database is as it was"), "{rest}");
    end(watch).await.expect_code(0);
}

#[tokio::test]
async fn a_watch_is_left_with_ctrl_c() {
    use tokio::io::{AsyncBufReadExt, BufReader};
    let stage = Stage::new("watch_int").await;
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let mut watch = corridor_on(&stage.database, &["status", "persons", "--watch", "--json"]).start();
        let mut lines = BufReader::new(watch.stdout.take().unwrap()).lines();
        let line = lines.next_line().await.unwrap().unwrap();
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["state"], "planned");
        let pid = watch.id().unwrap().to_string();
        let killed = tokio::process::Command::new("kill")
            .args(["-s", signal, &pid])
            .status()
            .await
            .unwrap();
        assert!(killed.success());
        end(watch).await.expect_code(code);
    }
}

#[tokio::test]
async fn a_watch_outlives_the_server() {
    use corridor_testbed::{Cluster, ClusterOptions, Mode};
    use tokio::io::{AsyncBufReadExt, BufReader};
    let cluster = Cluster::start(ClusterOptions::new(15)).await.unwrap();
    let database = cluster.fresh_database("watch_away").await.unwrap();
    let options = ConnectOptions::from_process(Some(&database.url)).unwrap();
    let connect = async || {
        options
            .connect(&ApplicationName::new("control", "persons"))
            .await
            .unwrap()
    };
    let mut session = connect().await;
    schema::ensure(&mut session).await.unwrap();
    let mut stage = Stage {
        database,
        session,
        id: 0,
    };
    stage.id = stage.store("persons", "move").await;
    let mut watch = corridor_on(&stage.database, &["status", "persons", "--watch"]).start();
    let mut lines = BufReader::new(watch.stdout.take().unwrap()).lines();
    lines.next_line().await.unwrap().unwrap();
    cluster.restart(Mode::Immediate).await.unwrap();
    stage.session = connect().await;
    let lease = stage.lease().await;
    stage.apply(&lease, &[Event::asked(Verb::Stop, "me")]).await;
    let mut last = String::new();
    while let Some(line) = lines.next_line().await.unwrap() {
        last = line;
    }
    assert!(last.contains("stopped"), "{last}");
    let run = end(watch).await.expect_code(0);
    assert!(run.stderr.contains("connecting again"), "{}", run.stderr);
}

#[tokio::test]
async fn a_state_that_waits_names_the_commands() {
    let mut stage = Stage::new("waits").await;
    let lease = stage.lease().await;
    stage
        .apply(&lease, &[Event::asked(Verb::Start, "me"), Event::ReadyForCutover])
        .await;
    let run = corridor_on(&stage.database, &["status"])
        .run()
        .await
        .expect_code(0);
    assert!(
        run.stdout.contains("waits for cutover") && run.stdout.contains("alive"),
        "{}",
        run.stdout
    );
    let run = corridor_on(&stage.database, &["status", "persons"])
        .run()
        .await
        .expect_code(0);
    for verb in ["cutover", "rollback", "verify", "stop", "pause"] {
        assert!(
            run.stdout.contains(&format!("corridor {verb} persons")),
            "{}",
            run.stdout
        );
    }
    assert!(!run.stdout.contains("finish persons"), "{}", run.stdout);
    let state = store::read_state(&*stage.session, stage.id).await.unwrap();
    assert_eq!(
        state,
        State::Waiting {
            for_what: Wait::Cutover
        }
    );
}
