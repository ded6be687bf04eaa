//! Bad luck with the server: each has its code, its exit code, and nothing left behind.

use corridor_testbed::{Auth, Cluster, ClusterOptions};

use crate::driver::{corridor, corridor_on, database};

const MOVE: &[&str] = &["move", "t", "--same-shape"];

#[tokio::test]
async fn no_server_exits_3() {
    let port = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port().to_string()
    };
    for args in [
        MOVE,
        &["status"],
        &["status", "x"],
        &["logs", "x"],
        &["set", "x"],
        &["cutover", "x"],
        &["pause", "x"],
    ] {
        let run = corridor(args)
            .env("PGHOST", "127.0.0.1")
            .env("PGPORT", &port)
            .env("PGUSER", "somebody")
            .run()
            .await
            .expect_code(3)
            .expect_fault("PG-002");
        assert!(run.stdout.is_empty() && run.stderr.contains(&port), "{run:?}");
    }
}

#[tokio::test]
async fn a_wrong_password_exits_3_and_is_not_shown() {
    let options = ClusterOptions {
        auth: Auth::ScramSha256 {
            password: "right".to_owned(),
        },
        ..ClusterOptions::new(15)
    };
    let cluster = Cluster::start(options).await.unwrap();
    let wrong = cluster.url("postgres").replace(":right@", ":wr0ng@");
    assert!(wrong.contains("wr0ng"));
    for extra in [&[] as &[&str], &["--json"], &["-vvv"]] {
        let args = [&["status", "--database", &wrong], extra].concat();
        let run = corridor(&args).run().await.expect_code(3).expect_fault("PG-003");
        assert!(
            !run.stdout.contains("wr0ng") && !run.stderr.contains("wr0ng"),
            "{run:?}"
        );
    }
    let right = corridor(&["status", "--database", &cluster.url("postgres")]);
    right.run().await.expect_code(0);
    let by_variable = corridor(&["status"])
        .env("PGHOST", "127.0.0.1")
        .env("PGPORT", &cluster.port().to_string())
        .env("PGUSER", cluster.superuser())
        .env("PGDATABASE", "postgres")
        .env("PGPASSWORD", "right");
    by_variable.run().await.expect_code(0);
}

#[tokio::test]
async fn what_happens_inside_is_told_when_asked_for() {
    let database = database("logs_inside").await;
    let run = corridor_on(&database, &["status", "-vv"])
        .run()
        .await
        .expect_code(0);
    assert!(
        run.stderr.contains("DEBUG corridor_pg::connect: connected"),
        "{}",
        run.stderr
    );
    let run = corridor_on(&database, &["status"]).run().await.expect_code(0);
    assert_eq!(run.stderr, "");
}

#[tokio::test]
async fn a_missing_database_exits_3() {
    let here = database("faults_here").await;
    let url = here.url.replace(&here.name, "not_there");
    let run = corridor(&["status", "--database", &url, "--json"]).run().await;
    run.expect_code(3).expect_fault("PG-004");
}

#[tokio::test]
async fn a_database_without_migrations_says_so_kindly() {
    let database = database("faults_empty").await;
    let run = corridor_on(&database, &["status"]).run().await.expect_code(0);
    assert!(
        run.stdout.contains(&database.name) && run.stderr.is_empty(),
        "{run:?}"
    );
    let run = corridor_on(&database, &["status", "--json"])
        .run()
        .await
        .expect_code(0);
    assert_eq!(run.json()["migrations"], serde_json::json!([]));
    for verb in [
        "status", "logs", "set", "pause", "resume", "stop", "verify", "cutover", "rollback", "finish",
    ] {
        let run = corridor_on(&database, &[verb, "persons"]).run().await;
        let run = run.expect_code(2).expect_fault("MIG-003");
        assert!(run.stdout.is_empty(), "{verb}: {run:?}");
    }
}

#[tokio::test]
async fn a_schema_of_the_same_name_is_left_alone() {
    let database = database("faults_foreign").await;
    let client = corridor_testbed::cluster::connect(&database.url).await.unwrap();
    client
        .batch_execute("create schema corridor; create table corridor.migration (id int)")
        .await
        .unwrap();
    for args in [
        &["status"] as &[&str],
        &["status", "x"],
        &["logs", "x"],
        &["cutover", "x"],
    ] {
        corridor_on(&database, args)
            .run()
            .await
            .expect_code(4)
            .expect_fault("MIG-001");
    }
}

/// A standby shows the plan, refuses to carry it out, and follows a move on its primary without changing anything.
#[tokio::test]
async fn a_read_only_server_refuses_a_move_and_shows_the_rest() {
    let primary = Cluster::start(ClusterOptions::new(15)).await.unwrap();
    let database = primary.fresh_database("read_only").await.unwrap();
    let client = corridor_testbed::cluster::connect(&database.url).await.unwrap();
    client
        .batch_execute("create table t (id int primary key); insert into t select generate_series(1, 100)")
        .await
        .unwrap();
    let replica = primary.replica("reader").await.unwrap();
    let reader = replica.standby().url(&database.name);
    let on_the_reader = |args: &[&str]| corridor(&[args, &["--database", &reader]].concat());
    replica.wait_until_caught_up(&primary).await.unwrap();

    let plan = on_the_reader(MOVE).run().await.expect_code(0);
    assert!(plan.stdout.contains("public.t"), "{plan:?}");
    for extra in [&["--execute"] as &[&str], &["--execute", "--json"]] {
        let run = on_the_reader(&[MOVE, extra].concat()).run().await;
        run.expect_code(4).expect_fault("PG-008");
    }

    // On the primary the move is made; the standby tells of it, and no order given there does anything.
    let run = corridor_on(&database, &[MOVE, &["--execute"]].concat())
        .run()
        .await;
    run.expect_code(5);
    replica.wait_until_caught_up(&primary).await.unwrap();
    let status = on_the_reader(&["status", "t"]).run().await.expect_code(0);
    assert!(status.stdout.contains("waits for `cutover`"), "{status:?}");
    on_the_reader(&["logs", "t"]).run().await.expect_code(0);
    for args in [
        &["cutover", "t"] as &[&str],
        &["verify", "t"],
        &["rollback", "t"],
        &["pause", "t"],
        &["set", "t", "nice=1"],
    ] {
        let run = on_the_reader(args).run().await;
        run.expect_code(4).expect_fault("PG-008");
    }
    let state: String = client
        .query_one("select state from corridor.migration", &[])
        .await
        .unwrap()
        .get(0);
    assert_eq!(state, "waiting");
}
