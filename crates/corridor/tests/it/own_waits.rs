//! What stands still and why: a plan that cannot be read, a start that waits for a free worker.

use crate::desk::{Desk, mark};
use crate::driver::{Run, corridor_on, end};
use crate::serving::{TABLES, WAITS};

/// Words as they are meant, however the lines are broken.
fn words(run: &Run) -> String {
    run.stdout.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// As if a newer version of Corridor had stored it.
async fn of_a_newer_version(desk: &Desk, name: &str) {
    let sql = format!(
        "update corridor.migration set plan = jsonb_set(plan, '{{version}}', '99') where name = '{name}';
         update corridor.migration set plan_digest = encode(sha256(convert_to(plan::text, 'UTF8')), 'hex') \
         where name = '{name}'"
    );
    desk.client.batch_execute(&sql).await.unwrap();
}

/// One plan that nobody here understands is shown as that; the others are listed, started and gated.
#[tokio::test]
async fn one_plan_that_cannot_be_read_does_not_hold_up_the_others() {
    let desk = Desk::new("waits_unreadable", TABLES).await;
    desk.add("0001_new", &mark("new")).await;
    desk.add("0002_old", &mark("old")).await;
    let behind = format!("depends_on = [\"0001_new\"]\n{}", mark("behind"));
    desk.add("0003_behind", &behind).await;
    of_a_newer_version(&desk, "0001_new").await;

    let list = words(&desk.run(&["migration", "list"]).await.expect_code(0));
    assert!(
        list.contains("cannot be read") && list.contains("MIG-144") && list.contains("0002_old"),
        "{list}"
    );
    let json = desk
        .run(&["migration", "list", "--json"])
        .await
        .expect_code(0)
        .json();
    assert!(json["migrations"][0]["unreadable"].is_string(), "{json}");
    assert!(json["migrations"][1]["unreadable"].is_null(), "{json}");
    let shown = words(&desk.run(&["status", "0001_new"]).await.expect_code(0));
    assert!(
        shown.contains("MIG-144") && !shown.contains("corridor resume"),
        "{shown}"
    );
    // It closes the gate, and it alone.
    let gate = desk
        .run(&["gate", "--app-version", "1.0.0", "--json"])
        .await
        .expect_code(1)
        .json();
    let blockers = gate["standing_in_the_way"].as_array().unwrap();
    assert_eq!(blockers.len(), 1, "{gate}");
    assert_eq!(blockers[0]["name"], "0001_new", "{gate}");
    assert!(
        blockers[0]["next"][0].as_str().unwrap().contains("MIG-144"),
        "{gate}"
    );
    // More can be added, and a service starts what is due.
    desk.add("0004_more", &mark("more")).await;
    let service = desk.serve("auto_start = true").await;
    desk.until_state("0002_old", "finished").await;
    desk.until_state("0004_more", "finished").await;
    service.until_said("0001_new is not started").await;
    let page = service.get("/migrations?tab=needed").await.1;
    assert!(
        page.contains("0003_behind") && page.contains("unreadable") && page.contains("MIG-144"),
        "{page}"
    );
    service.stop().await;
    desk.run(&["migration", "start", "0001_new"])
        .await
        .expect_code(4)
        .expect_fault("MIG-144");
    desk.run(&["migration", "start", "0003_behind"])
        .await
        .expect_code(4)
        .expect_fault("MIG-131");
    assert_eq!(desk.done().await, ["more", "old"]);
}

/// A file that is changed later closes a circle with what is stored: refused from a file and over HTTP, and nothing is stored.
#[tokio::test]
async fn a_circle_through_what_is_stored_is_refused() {
    let desk = Desk::new("waits_circle", TABLES).await;
    desk.add("loop_a", &mark("a")).await;
    desk.add("loop_b", &format!("depends_on = [\"loop_a\"]\n{}", mark("b")))
        .await;
    let changed = format!("depends_on = [\"loop_b\"]\n{}", mark("a"));
    let file = desk.write_migration("loop_a", &changed);
    desk.run(&["migration", "add", &file])
        .await
        .expect_code(2)
        .expect_fault("MIG-117");
    let service = desk.serve("").await;
    let text = format!("description = \"a test\"\n{changed}");
    let sent = serde_json::json!({ "file": "loop_a.toml", "text": text });
    let (status, said) = service.post("/api/clusters/main/migrations", &sent).await;
    assert!((400..500).contains(&status), "{said}");
    assert_eq!(said["error"]["code"], "MIG-117", "{said}");
    assert!(
        said["error"]["detail"]
            .as_str()
            .unwrap()
            .contains("loop_a -> loop_b -> loop_a"),
        "{said}"
    );
    service.stop().await;
    // What was stored is as it was, and can be done.
    for name in ["loop_a", "loop_b"] {
        desk.run(&["migration", "start", name]).await.expect_code(0);
    }
    assert_eq!(desk.done().await, ["a", "b"]);
}

/// A name is what one types, and a state what one looks for: into a pipe nothing is cut, and a terminal cuts neither.
#[tokio::test]
async fn the_list_cuts_no_name_and_no_state() {
    let desk = Desk::new("waits_list", TABLES).await;
    let name = format!("0001_{}", "long_".repeat(7));
    let name = name.trim_end_matches('_');
    let what = format!("what it is for, {}the end", "at great length, ".repeat(8));
    let text = format!(
        "description = \"{what}\"\nversions = \">=1.33.0-alpha.1, <1.42.0-rc.1\"\n{}",
        mark("x")
    );
    std::fs::write(desk.dir.join(format!("{name}.toml")), text).unwrap();
    let file = desk.dir.join(format!("{name}.toml")).display().to_string();
    desk.run(&["migration", "add", &file]).await.expect_code(0);
    let list = desk.run(&["migration", "list"]).await.expect_code(0).stdout;
    let line = list.lines().find(|line| line.starts_with(name)).unwrap();
    for whole in ["not started", "<1.42.0-rc.1", &what] {
        assert!(line.contains(whole), "{whole}: {list}");
    }
    let binary = env!("CARGO_BIN_EXE_corridor");
    let command = format!("{binary} --database '{}' migration list", desk.database.url);
    let shown = tokio::process::Command::new("script")
        .args(["-qec", &command, "/dev/null"])
        .stdin(std::process::Stdio::null())
        .output()
        .await
        .unwrap();
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    let line = shown.lines().find(|line| line.contains(name)).unwrap();
    assert!(
        line.contains("not started") && !line.contains("what it is for"),
        "{shown}"
    );
    let end = shown.lines().find(|line| line.contains("the end")).unwrap();
    assert!(
        end.starts_with("    ") && end.trim_end().chars().count() <= 80,
        "{shown}"
    );
    desk.run(&[
        "migration",
        "skip",
        name,
        "--reason",
        "of a length that no column has, and that is said below",
    ])
    .await
    .expect_code(0);
    let list = words(&desk.run(&["migration", "list"]).await.expect_code(0));
    assert!(list.contains(&format!("{name} skipped ")), "{list}");
    assert!(list.contains("and that is said below"), "{list}");
}

/// What nobody knows to be needed is left to a person, who is told so once; by hand it starts.
#[tokio::test]
async fn what_nobody_knows_to_be_needed_is_not_started_by_itself() {
    let desk = Desk::new("waits_unknown", TABLES).await;
    for (name, required) in [
        ("0001_null", "select null::boolean"),
        ("0002_fails", "select 1 / 0 = 1"),
        ("0003_needed", "select true"),
    ] {
        desk.add(name, &format!("required_when = \"{required}\"\n{}", mark(name)))
            .await;
    }
    let service = desk.serve("auto_start = true").await;
    // Names are gone through in order: both were asked before this one began.
    desk.until_state("0003_needed", "finished").await;
    for name in ["0001_null", "0002_fails"] {
        service
            .until_said(&format!(
                "{name} is not started: nobody knows whether it is needed"
            ))
            .await;
    }
    assert_eq!(desk.done().await, ["0003_needed"]);
    desk.run(&["migration", "start", "0001_null"])
        .await
        .expect_code(0);
    desk.run(&["migration", "start", "0002_fails", "--detach"])
        .await
        .expect_code(0);
    desk.until_state("0002_fails", "finished").await;
    let said = service.stop().await;
    assert_eq!(said.matches("0002_fails is not started").count(), 1, "{said}");
}

/// Who has asked for a start reads that it waits, since when and behind what, and not that nobody has asked.
#[tokio::test]
async fn a_start_that_waits_for_a_free_worker_says_so() {
    let desk = Desk::new("waits_busy", TABLES).await;
    desk.add("0001_long", WAITS).await;
    desk.add("0002_short", &mark("short")).await;
    let service = desk.serve("workers = 1").await;
    desk.run(&["migration", "start", "0001_long", "--detach"])
        .await
        .expect_code(0);
    desk.until_running("wait").await;
    desk.run(&["migration", "start", "0002_short", "--detach"])
        .await
        .expect_code(0);
    let list = words(&desk.run(&["migration", "list"]).await.expect_code(0));
    assert!(
        list.contains("start asked for") && list.contains("waits for a free worker"),
        "{list}"
    );
    let shown = words(&desk.run(&["status", "0002_short"]).await.expect_code(0));
    assert!(shown.contains("start, asked for at"), "{shown}");
    assert!(shown.contains("waits for a free worker"), "{shown}");
    let json = desk
        .run(&["status", "0002_short", "--json"])
        .await
        .expect_code(0)
        .json();
    assert_eq!(json["asked"]["verb"], "start", "{json}");
    assert!(
        json["asked"]["by"].is_string() && json["asked"]["at"].is_string(),
        "{json}"
    );
    for path in ["/migrations?tab=needed", "/clusters/main/migrations/0002_short"] {
        let page = service.get(path).await.1;
        assert!(page.contains("waits for a free worker"), "{path}: {page}");
    }
    desk.client
        .batch_execute("insert into gate default values")
        .await
        .unwrap();
    desk.until_state("0002_short", "finished").await;
    let shown = words(&desk.run(&["status", "0002_short"]).await.expect_code(0));
    assert!(!shown.contains("waits for a free worker"), "{shown}");
    service.stop().await;
}

/// Each verb keeps the reason of whoever gave it.
#[tokio::test]
async fn every_verb_keeps_its_reason() {
    let desk = Desk::new("waits_why", TABLES).await;
    let tell = "[[operations]]\nkind = \"command\"\nname = \"tell\"\ncommand = [\"true\"]\nrollback = []\n";
    let text = format!("finish = \"by_hand\"\n{}{tell}", mark("x"));
    desk.add("0001_kept", &text).await;
    desk.add("0002_back", &text).await;
    desk.add("0003_stopped", &format!("{WAITS}{tell}")).await;
    corridor_on(
        &desk.database,
        &["migration", "start", "0001_kept", "--why", "of start"],
    )
    .env("CORRIDOR_FAILPOINT", "before-attempt-end")
    .run()
    .await
    .expect_code(134);
    let steps: [(&[&str], i32); 12] = [
        (&["resume", "0001_kept", "--why", "of resume"], 6),
        (
            &[
                "migration",
                "settle",
                "0001_kept",
                "tell",
                "--done",
                "--why",
                "of settle",
            ],
            0,
        ),
        (&["set", "0001_kept", "nice=0.5", "--why", "of set"], 0),
        (&["set", "0001_kept", "nice=default", "--why", "of unset"], 0),
        (&["set", "--all", "nice=0.5", "--why", "of all"], 0),
        (&["set", "--all", "nice=default", "--why", "of none"], 0),
        (&["resume", "0001_kept"], 5),
        (&["finish", "0001_kept", "--why", "of finish"], 0),
        (&["migration", "start", "0002_back"], 5),
        (&["rollback", "0002_back", "--why", "of rollback"], 0),
        (
            &[
                "migration",
                "start",
                "0003_stopped",
                "--detach",
                "--why",
                "of detach",
            ],
            0,
        ),
        (&["stop", "0003_stopped", "--why", "of stop"], 0),
    ];
    for (args, code) in steps {
        desk.run(args).await.expect_code(code);
    }
    for (name, event, why) in [
        ("0001_kept", "start", "of start"),
        ("0001_kept", "resume", "of resume"),
        ("0001_kept", "settled", "of settle"),
        ("0001_kept", "set", "of set"),
        ("0001_kept", "unset", "of unset"),
        ("0001_kept", "finish", "of finish"),
        ("0002_back", "rollback", "of rollback"),
        ("0003_stopped", "stop", "of stop"),
    ] {
        let sql = format!(
            "select count(*) from corridor.journal j join corridor.migration m on m.id = j.migration_id \
             where m.name = '{name}' and j.event = '{event}' and j.detail ->> 'why' = '{why}'"
        );
        assert_eq!(desk.figure(&sql).await, 1, "{event} of {name}");
    }
    for why in ["of all", "of none"] {
        let sql = format!("select count(*) from corridor.audit where detail ->> 'why' = '{why}'");
        assert_eq!(desk.figure(&sql).await, 1, "{why}");
    }
    let asked =
        "select count(*) from corridor.request where verb = 'start' and argument ->> 'why' = 'of detach'";
    assert_eq!(desk.figure(asked).await, 1);
    let logs = words(&desk.run(&["logs", "0001_kept"]).await.expect_code(0));
    assert!(logs.contains("of finish"), "{logs}");
}

/// The time that somebody had paused it is told apart.
#[tokio::test]
async fn what_was_paused_is_no_time_that_it_took() {
    let desk = Desk::new("waits_paused", TABLES).await;
    desk.add("0001_wait", WAITS).await;
    let worker = corridor_on(&desk.database, &["migration", "start", "0001_wait"]).start();
    desk.until_running("wait").await;
    desk.run(&["pause", "0001_wait"]).await.expect_code(0);
    end(worker).await;
    // As if it had begun two hours ago, and been paused one hour ago.
    desk.client
        .batch_execute(
            "update corridor.operation set started_at = started_at - interval '2 h';
             update corridor.migration set started_at = started_at - interval '2 h';
             update corridor.journal set at = at - interval '1 h' where to_state = 'paused'",
        )
        .await
        .unwrap();
    let shown = words(&desk.run(&["status", "0001_wait"]).await.expect_code(0));
    assert!(shown.contains("of it paused"), "{shown}");
    desk.client
        .batch_execute("insert into gate default values")
        .await
        .unwrap();
    desk.run(&["resume", "0001_wait"]).await.expect_code(0);
    let shown = words(&desk.run(&["status", "0001_wait"]).await.expect_code(0));
    assert_eq!(shown.matches("of it paused").count(), 2, "{shown}");
    let json = desk
        .run(&["status", "0001_wait", "--json"])
        .await
        .expect_code(0)
        .json();
    let hour_ms = 3_600_000.0;
    for one in [&json["operations"][0], &json] {
        let (took, paused) = (
            one["took_ms"].as_f64().unwrap(),
            one["paused_ms"].as_f64().unwrap(),
        );
        // Over from here on: neither grows any more.
        assert!(paused >= hour_ms && paused < took, "{took} {paused}");
        assert!(took >= 2.0 * hour_ms, "{took}");
    }
    let again = desk
        .run(&["status", "0001_wait", "--json"])
        .await
        .expect_code(0)
        .json();
    assert_eq!(again["paused_ms"], json["paused_ms"]);
}

/// The tab asks what the gate asks: what is not needed here is not shown as needed, and a dear query holds nobody up.
#[tokio::test]
async fn what_is_not_required_here_is_not_shown_as_needed() {
    let desk = Desk::new("waits_needed", TABLES).await;
    for (name, required) in [
        ("0001_none", "required_when = \"select false\"\n"),
        ("0002_some", "required_when = \"select true\"\n"),
        ("0003_always", ""),
        // Nobody knows, so it is.
        ("0004_dear", "required_when = \"select pg_sleep(600) is null\"\n"),
    ] {
        desk.add(name, &format!("{required}{}", mark(name))).await;
    }
    let service = desk.serve("").await;
    let needed = service.get("/migrations?tab=needed").await.1;
    for name in ["0002_some", "0003_always", "0004_dear"] {
        assert!(needed.contains(name), "{name}: {needed}");
    }
    assert!(!needed.contains("0001_none"), "{needed}");
    let done = service.get("/migrations?tab=done").await.1;
    assert!(
        done.contains("0001_none") && done.contains("not needed"),
        "{done}"
    );
    // It was asked once, for all who looked.
    for _ in 0..5 {
        service.get("/migrations?tab=needed").await;
    }
    let asked = "select count(*) from pg_stat_activity \
                 where datname = current_database() and query like '%pg_sleep(600)%' and state = 'active' \
                   and pid <> pg_backend_pid()";
    assert!(desk.figure(asked).await <= 1);
    service.stop().await;
}

/// All mistakes of all files are told in one run.
#[tokio::test]
async fn a_file_with_several_mistakes_is_refused_once() {
    let desk = Desk::new("waits_mistakes", TABLES).await;
    let one = desk.write_migration(
        "0001_one",
        &format!("verions = \"1\"\n{}timeout = \"soon\"\n", mark("x")),
    );
    let two = desk.write_migration("0002_two", "depends_on = [\"A B\"]\n");
    let run = desk.run(&["migration", "add", &one, &two]).await.expect_code(2);
    for words in [
        "verions",
        "timeout",
        "0001_one.toml:2",
        "0002_two.toml:2",
        "`operations`",
    ] {
        assert!(run.stderr.contains(words), "{words}: {}", run.stderr);
    }
}
