//! The whole life of a move, driven as a person drives it, under live traffic.

use std::time::Duration;

use serde_json::Value;
use tokio::process::Command;

use crate::driver::{corridor_on, end};
use crate::stage::{BRAKE, SHAPE, Stage, Worker};

#[tokio::test]
async fn from_plan_to_finish() {
    let stage = Stage::new("life").await;
    let args = [&["move", "persons", "--execute", "--name", "first"], SHAPE].concat();
    let run = stage.run(&args).await.expect_code(5);
    assert!(
        run.stdout.contains("waits for `cutover`") && run.stdout.contains("corridor cutover first"),
        "{}",
        run.stdout
    );
    assert!(
        run.stderr.contains("copy: begun") && run.stderr.contains("verify: done"),
        "{}",
        run.stderr
    );
    assert_eq!(stage.kind().await, "r");
    let run = stage.run(&["status", "first"]).await.expect_code(0);
    assert!(
        run.stdout.contains("[x] verify") && run.stdout.contains("[ ] cutover"),
        "{}",
        run.stdout
    );
    let run = stage.run(&["verify", "first"]).await.expect_code(0);
    assert!(run.stderr.contains("every row is equal"), "{}", run.stderr);
    stage
        .run(&["finish", "first"])
        .await
        .expect_code(4)
        .expect_fault("MIG-007");
    let run = stage.run(&["cutover", "first"]).await.expect_code(0);
    assert!(run.stdout.contains("corridor finish first"), "{}", run.stdout);
    assert_eq!(stage.kind().await, "p");
    stage
        .run(&["stop", "first"])
        .await
        .expect_code(4)
        .expect_fault("MIG-007");
    stage.traffic.wait_for_writes(300).await;
    stage.run(&["verify", "first"]).await.expect_code(0);
    let run = stage.run(&["finish", "first", "--json"]).await.expect_code(0);
    assert_eq!(run.json_lines().last().unwrap()["outcome"], "finished");
    let run = stage.run(&["logs", "first"]).await.expect_code(0);
    assert!(
        run.stdout.contains("cut over") && run.stdout.contains("-> finished"),
        "{}",
        run.stdout
    );
    stage
        .run(&["rollback", "first"])
        .await
        .expect_code(4)
        .expect_fault("MIG-007");
    let (_database, client) = stage.settle().await;
    let retired: i64 = client
        .query_one(
            "select count(*) from pg_class c join pg_namespace n on n.oid = relnamespace
             where nspname = 'corridor_retired' and relkind = 'r'",
            &[],
        )
        .await
        .unwrap()
        .get(0);
    assert_eq!(retired, 1);
}

#[tokio::test]
async fn a_move_may_cut_over_by_itself_and_the_old_table_may_be_dropped() {
    let stage = Stage::new("auto").await;
    let mut worker = stage.start_move(&["--auto-cutover"]);
    worker
        .until(|v| v["event"] == "planned" && v["plan"]["partitions"].is_array())
        .await;
    worker
        .until(|v| v["event"] == "stored" && v["name"] == "persons")
        .await;
    worker
        .until(|v| v["event"] == "verified" && v["report"]["is_proven"] == true)
        .await;
    worker.until(|v| v["event"] == "swapped").await;
    let (code, last) = worker.end().await;
    assert_eq!(
        (code, &last["outcome"], &last["for_what"]),
        (5, &"waiting".into(), &"finish".into()),
        "{last}"
    );
    assert_eq!(last["exit"], 5);
    stage.run(&["finish", "persons", "--drop"]).await.expect_code(0);
    let (_database, client) = stage.settle().await;
    let left: i64 = client
        .query_one(
            "select count(*) from pg_class c join pg_namespace n on n.oid = relnamespace
             where relname like 'persons%' and relkind = 'r' and not relispartition",
            &[],
        )
        .await
        .unwrap()
        .get(0);
    assert_eq!(left, 0);
}

#[tokio::test]
async fn a_rollback_before_and_after_the_cut_over_keeps_every_write() {
    let stage = Stage::new("rollback").await;
    let mut worker = stage.held_move().await;
    let asking = Worker::start(&stage.database, &["rollback", "persons"]);
    let rolled_back: Value = "rolled_back".into();
    let (code, last) = asking.end().await;
    assert_eq!((code, &last["outcome"]), (0, &rolled_back), "{last}");
    // The worker did it, and says that this was not what it was started for.
    let last = worker.until(|v| v.get("outcome").is_some()).await;
    assert_eq!((&last["outcome"], &last["exit"]), (&rolled_back, &1.into()));
    assert_eq!(end(worker.child).await.code, 1);
    assert_eq!(stage.kind().await, "r");

    stage.open_gate().await;
    let (code, _) = stage
        .start_move(&["--auto-cutover", "--name", "again"])
        .end()
        .await;
    assert_eq!(code, 5);
    assert_eq!(stage.kind().await, "p");
    let run = stage.run(&["rollback", "again"]).await.expect_code(0);
    assert!(
        run.stdout.contains("rolled back; everything is as it was"),
        "{}",
        run.stdout
    );
    assert_eq!(stage.kind().await, "r");
    stage.settle().await;
}

#[tokio::test]
async fn a_stop_leaves_the_database_as_it_was() {
    let stage = Stage::new("stop").await;
    let worker = stage.held_move().await;
    let run = stage.run(&["stop", "persons"]).await.expect_code(0);
    assert!(
        run.stdout.contains("stopped; the database is as it was"),
        "{}",
        run.stdout
    );
    assert_eq!(worker.end().await.0, 1);
    let (_database, client) = stage.settle().await;
    let left: i64 = client
        .query_one(
            "select (select count(*) from pg_class where relname like 'persons%' and relkind in ('r', 'p'))
                  + (select count(*) from pg_trigger where tgrelid = 'persons'::regclass and not tgisinternal)",
            &[],
        )
        .await
        .unwrap()
        .get(0);
    assert_eq!(left, 1, "only the table itself");
}

#[tokio::test]
async fn it_is_paused_resumed_and_set_while_it_runs() {
    let stage = Stage::new("steer").await;
    let worker = stage.held_move().await;
    let status = stage.status_when(|s| !s["throttle"]["reasons"].is_null()).await;
    assert_eq!(
        (&status["state"], &status["worker"]["is_alive"]),
        (&"running".into(), &true.into())
    );
    let run = stage.run(&["status", "persons"]).await.expect_code(0);
    assert!(
        run.stdout.contains("held      custom is 1, limit 0"),
        "{}",
        run.stdout
    );
    let run = stage
        .run(&["pause", "persons", "--why", "lunch"])
        .await
        .expect_code(0);
    assert!(run.stdout.contains("lunch"), "{}", run.stdout);
    let (code, last) = worker.end().await;
    assert_eq!(
        (code, &last["outcome"], &last["why"]),
        (5, &"paused".into(), &"lunch".into()),
        "{last}"
    );

    let mut worker = Worker::start(&stage.database, &["resume", "persons"]);
    worker.until_held().await;
    stage
        .run(&["set", "persons", "throttle.custom=off"])
        .await
        .expect_code(0);
    worker
        .until(|v| v["event"] == "throttle" && v["reasons"].as_array().is_some_and(Vec::is_empty))
        .await;
    worker.until(|v| v["event"] == "verified").await;
    stage.until_ready().await;
    // Resumed, it stays and keeps the new table in step until somebody says more.
    stage.run(&["cutover", "persons"]).await.expect_code(0);
    stage.run(&["finish", "persons"]).await.expect_code(0);
    let (code, last) = worker.end().await;
    assert_eq!((code, &last["outcome"]), (0, &"finished".into()), "{last}");
    stage.settle().await;
}

#[tokio::test]
async fn a_second_worker_is_refused() {
    let stage = Stage::new("second").await;
    let worker = stage.held_move().await;
    let run = stage
        .run(&["resume", "persons"])
        .await
        .expect_code(4)
        .expect_fault("MIG-009");
    assert!(run.stderr.contains("is held by postgres@"), "{}", run.stderr);
    // The same table may not move twice either.
    let args = [&["move", "persons", "--execute", "--name", "other"], SHAPE].concat();
    stage.run(&args).await.expect_code(4).expect_fault("MOV-019");
    stage.open_gate().await;
    assert_eq!(worker.end().await.0, 5);
    stage.run(&["rollback", "persons"]).await.expect_code(0);
    stage.settle().await;
}

#[tokio::test]
async fn ctrl_c_checkpoints_and_resume_goes_on() {
    let stage = Stage::new("interrupt").await;
    for (signal, wanted) in [("INT", 130), ("TERM", 143)] {
        let worker = match wanted {
            130 => stage.held_move().await,
            _ => {
                let mut worker = Worker::start(&stage.database, &["resume", "persons"]);
                worker.until_held().await;
                worker
            }
        };
        worker.signal(signal).await;
        let (code, last) = worker.end().await;
        assert_eq!(
            (code, &last["outcome"]),
            (wanted, &"interrupted".into()),
            "{last}"
        );
        let status = stage.status().await;
        assert_eq!(
            status["worker"]["holder"],
            Value::Null,
            "the lease was given back: {status}"
        );
        assert_eq!(status["needs_worker"], true);
    }
    stage.open_gate().await;
    let mut worker = Worker::start(&stage.database, &["resume", "persons"]);
    worker.until(|v| v["event"] == "verified").await;
    stage.until_ready().await;
    stage.run(&["cutover", "persons"]).await.expect_code(0);
    stage.run(&["finish", "persons"]).await.expect_code(0);
    assert_eq!(worker.end().await.0, 0);
    stage.settle().await;
}

#[tokio::test]
async fn a_killed_worker_is_taken_over() {
    let stage = Stage::new("killed").await;
    let worker = stage.held_move().await;
    worker.signal("KILL").await;
    assert_eq!(end(worker.child).await.code, 137);
    stage.open_gate().await;
    let mut worker = Worker::start(&stage.database, &["resume", "persons"]);
    worker
        .until(|v| v["event"] == "verified" && v["report"]["is_proven"] == true)
        .await;
    stage.until_ready().await;
    worker.signal("KILL").await;
    assert_eq!(end(worker.child).await.code, 137);
    // Nobody is alive: the command does it itself.
    stage.run(&["cutover", "persons"]).await.expect_code(0);
    assert_eq!(stage.kind().await, "p");
    stage.run(&["finish", "persons"]).await.expect_code(0);
    stage.settle().await;
}

#[tokio::test]
async fn killed_at_random_instants_it_loses_nothing_and_can_still_go_back() {
    const SLOWLY: &[&str] = &[
        "move",
        "persons",
        "--execute",
        "--auto-cutover",
        "--set",
        "lease.ttl_ms=1000",
        "--set",
        "chunk.target_ms=20",
        "--set",
        "nice=1",
    ];
    let seed = fastrand::u64(..);
    let mut random = fastrand::Rng::with_seed(seed);
    let within = Duration::from_millis(50)..Duration::from_millis(2_500);
    let stage = Stage::with_rows("random_kills", 30_000).await;
    let mut worker = Worker::start(&stage.database, &[SLOWLY, SHAPE].concat());
    worker.until(|v| v["event"] == "stored").await;
    let mut kills = 0;
    for round in 0..12 {
        kills += u32::from(worker.kill_at_random(within.clone(), &mut random).await);
        // In the last rounds on the way back.
        let status = stage.status().await;
        println!(
            "{round}: {} {} {}",
            status["state"], status["current_operation"], status["waits_for"]
        );
        let verb = match status["waits_for"] == "finish" && round > 6 {
            true => "rollback",
            false => "resume",
        };
        worker = Worker::start(&stage.database, &[verb, "persons"]);
    }
    assert!(kills > 6, "seed {seed}: {kills} kills");
    worker.kill_at_random(within, &mut random).await;
    let status = stage.status().await;
    if status["state"] == "planned" {
        stage.run(&["stop", "persons"]).await.expect_code(0);
    } else if status["state"] != "rolled_back" {
        stage.run(&["rollback", "persons"]).await.expect_code(0);
    }
    assert_eq!(stage.kind().await, "r", "seed {seed}");
    stage.settle().await;
}

#[tokio::test]
async fn the_second_ctrl_c_leaves_at_once() {
    let stage = Stage::new("twice").await;
    let worker = stage.held_move().await;
    // Both at once: whether the checkpoint comes first or not, it ends with the signal's code, and resumes.
    worker.signal("INT").await;
    worker.signal("INT").await;
    assert_eq!(end(worker.child).await.code, 130);
    stage.run(&["rollback", "persons"]).await.expect_code(0);
    stage.settle().await;
}

#[tokio::test]
async fn whoever_stands_in_the_way_of_the_cut_over_is_named_and_left_alone() {
    let stage = Stage::new("blocked").await;
    let (code, _) = stage.start_move(&["--set", "cutover.attempts=2"]).end().await;
    assert_eq!(code, 5);
    let reader = corridor_testbed::cluster::connect(&stage.database.url)
        .await
        .unwrap();
    reader
        .batch_execute("set application_name = 'the report'; begin; select count(*) from persons")
        .await
        .unwrap();
    let pid: i32 = reader
        .query_one("select pg_backend_pid()", &[])
        .await
        .unwrap()
        .get(0);
    let run = stage.run(&["cutover", "persons"]).await;
    let run = run.expect_code(5).expect_fault("MOV-102");
    assert!(run.stderr.contains("attempt 2 of 2"), "{}", run.stderr);
    assert!(run.stderr.contains(&pid.to_string()), "{}", run.stderr);
    assert_eq!(stage.status().await["waits_for"], "cutover");
    reader.batch_execute("commit").await.unwrap();
    stage.run(&["cutover", "persons"]).await.expect_code(0);
    stage.run(&["finish", "persons"]).await.expect_code(0);
    stage.settle().await;
}

#[tokio::test]
async fn a_name_that_somebody_else_took_is_left_to_a_person() {
    let database = crate::driver::database("impostor").await;
    let client = corridor_testbed::cluster::connect(&database.url).await.unwrap();
    let ddl = "create table persons (team_id int not null, id int, primary key (team_id, id));
               insert into persons select i % 7, i from generate_series(1, 1000) i; create table gate ()";
    client.batch_execute(ddl).await.unwrap();
    let args = [&["move", "persons", "--execute"], SHAPE].concat();
    corridor_on(&database, &args).run().await.expect_code(5);
    let impostor = "alter table persons rename to the_real_persons;
                    create table persons (like the_real_persons including all)";
    client.batch_execute(impostor).await.unwrap();
    let run = corridor_on(&database, &["cutover", "persons"]).run().await;
    // Whoever looks first says it: the applier, or the swap itself.
    let run = run.expect_code(6);
    assert!(
        run.stderr.contains("MIR-007") || run.stderr.contains("MOV-103"),
        "{}",
        run.stderr
    );
    assert!(!run.stderr.contains("nothing was changed"), "{}", run.stderr);
    let honest = "drop table persons; alter table the_real_persons rename to persons";
    client.batch_execute(honest).await.unwrap();
    corridor_on(&database, &["rollback", "persons"])
        .run()
        .await
        .expect_code(0);
    let rows: i64 = client
        .query_one("select count(*) from persons", &[])
        .await
        .unwrap()
        .get(0);
    assert_eq!(rows, 1000);
}

#[tokio::test]
async fn changes_are_never_refreshed_from_an_impostor() {
    let database = crate::driver::database("impostor_applied").await;
    let client = corridor_testbed::cluster::connect(&database.url).await.unwrap();
    let ddl = "create table persons (id int primary key, v int);
               insert into persons select i, 0 from generate_series(1, 100) i";
    client.batch_execute(ddl).await.unwrap();
    let args = ["move", "persons", "--execute", "--same-shape"];
    corridor_on(&database, &args).run().await.expect_code(5);
    let mut worker = Worker::start(&database, &["resume", "persons"]);
    let status = async || {
        let run = corridor_on(&database, &["status", "persons", "--json"])
            .run()
            .await;
        run.expect_code(0).json()
    };
    while status().await["worker"]["is_alive"] != true {}
    let impostor = "alter table persons rename to the_real_persons;
                    create table persons (like the_real_persons including all);
                    update the_real_persons set v = 1 where id <= 10";
    client.batch_execute(impostor).await.unwrap();
    // The applier meets the impostor: it stops, or leaves the changes where they are.
    let stopped = tokio::time::timeout(Duration::from_secs(2), worker.child.wait()).await;
    if stopped.is_err() {
        worker.signal("KILL").await;
    }
    let honest = "drop table persons; alter table the_real_persons rename to persons";
    client.batch_execute(honest).await.unwrap();
    let mut worker = Worker::start(&database, &["resume", "persons"]);
    while status().await["waits_for"] != "cutover" {}
    let run = corridor_on(&database, &["cutover", "persons"]).run().await;
    worker.signal("INT").await;
    worker.child.wait().await.unwrap();
    let row = client
        .query_one("select count(*), sum(v) from persons", &[])
        .await
        .unwrap();
    let found: (i64, i64) = (row.get(0), row.get(1));
    assert_eq!(found, (100, 10), "{run:?}");
}

#[tokio::test]
async fn a_server_that_goes_away_and_comes_back_is_waited_for() {
    use corridor_testbed::{Cluster, ClusterOptions, Mode};
    let cluster = Cluster::start(ClusterOptions::new(15)).await.unwrap();
    let database = cluster.fresh_database("away").await.unwrap();
    let connect = async || corridor_testbed::cluster::connect(&database.url).await.unwrap();
    let ddl = "create table persons (team_id int not null, id int, primary key (team_id, id));
               insert into persons select i % 7, i from generate_series(1, 1000) i;
               create table gate (); insert into gate default values";
    connect().await.batch_execute(ddl).await.unwrap();
    let args = [&["move", "persons", "--execute"], SHAPE, BRAKE].concat();
    let mut worker = Worker::start(&database, &args);
    worker.until_held().await;
    cluster.stop(Mode::Immediate).await.unwrap();
    worker.until(|v| v["event"] == "retrying").await;
    cluster.start_again().await.unwrap();
    connect().await.batch_execute("delete from gate").await.unwrap();
    let (code, last) = worker.end().await;
    assert_eq!((code, &last["for_what"]), (5, &"cutover".into()), "{last}");
    corridor_on(&database, &["cutover", "persons"])
        .run()
        .await
        .expect_code(0);
    let rows: i64 = connect()
        .await
        .query_one("select count(*) from persons", &[])
        .await
        .unwrap()
        .get(0);
    assert_eq!(rows, 1000);
}

#[tokio::test]
async fn on_a_terminal_a_bar_moves_and_colour_is_a_choice() {
    let stage = Stage::new("terminal").await;
    // `script` gives it a terminal.
    let on_terminal = async |args: &str, env: &[(&str, &str)]| {
        let command = format!(
            "stty cols 90 rows 30; '{}' {args} -d '{}'",
            env!("CARGO_BIN_EXE_corridor"),
            stage.database.url
        );
        let output = Command::new("script")
            .args(["-qec", &command, "/dev/null"])
            .env("TERM", "xterm")
            .env_remove("NO_COLOR")
            .envs(env.iter().copied())
            .stdin(std::process::Stdio::null())
            .output()
            .await
            .unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let args = "move persons --partition-by 'hash(team_id)' --partitions 4 --execute";
    let (code, text) = on_terminal(args, &[]).await;
    assert_eq!(code, Some(5), "{text}");
    assert!(
        text.contains("[####") && text.contains("rows/s") && text.contains("\u{1b}[2K"),
        "{text}"
    );
    assert!(text.contains("\u{1b}[33mpersons: ready"), "{text}");
    let (code, text) = on_terminal("status persons", &[("NO_COLOR", "1")]).await;
    assert_eq!(code, Some(0));
    assert!(text.contains("[x] copy") && !text.contains('\u{1b}'), "{text}");
    let (code, text) = on_terminal("rollback persons", &[("TERM", "dumb")]).await;
    assert_eq!(code, Some(0));
    assert!(!text.contains('\u{1b}'), "{text}");
    let (code, text) = on_terminal("status persons --watch", &[]).await;
    assert_eq!(code, Some(0));
    assert!(text.contains("rolled back"), "{text}");
    stage.settle().await;
}
