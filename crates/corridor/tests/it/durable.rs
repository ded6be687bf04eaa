//! Workers that die right at a durable step, by failpoint, and what whoever comes after them makes of it.

use std::time::Duration;

use corridor_testbed::faults::{Cut, FaultProxy};
use corridor_testbed::{Cluster, Database};
use tokio_postgres::Client;

use crate::driver::{corridor_on, database, end};

/// What a shell says of a process that aborted.
const ABORTED: i32 = 134;

const REFERRED: &str = "
    create table team (id int primary key);
    insert into team select generate_series(1, 7);
    create table persons (team_id int not null constraint team references team, id int, primary key (team_id, id))";

async fn referred(label: &str, rest: &str) -> (Database, Client) {
    let database = database(label).await;
    let client = corridor_testbed::cluster::connect(&database.url).await.unwrap();
    let fill = "insert into persons select 1 + i % 7, i from generate_series(1, 1000) i; analyze persons";
    client
        .batch_execute(&format!("{REFERRED} {rest}; {fill}"))
        .await
        .unwrap();
    (database, client)
}

/// Foreign keys of the table itself that are not validated, or all of them.
async fn foreign_keys(client: &Client, is_validated: bool) -> i64 {
    let sql = "select count(*) from pg_constraint
               where contype = 'f' and convalidated = $1 and conrelid = 'persons'::regclass";
    client.query_one(sql, &[&is_validated]).await.unwrap().get(0)
}

/// The constraints that a swap leaves to be validated are validated by `finish`, when nobody came to it before.
#[tokio::test]
async fn finish_validates_what_a_dead_worker_left() {
    for shape in [
        &["--same-shape"][..],
        &["--partition-by", "hash(team_id)", "--partitions", "3"],
    ] {
        let (database, client) = referred("unsettled", "").await;
        let args = [&["move", "persons", "--execute"], shape].concat();
        corridor_on(&database, &args).run().await.expect_code(5);
        corridor_on(&database, &["cutover", "persons"])
            .env("CORRIDOR_FAILPOINT", "after-swap")
            .run()
            .await
            .expect_code(ABORTED);
        assert_eq!(foreign_keys(&client, true).await, 0, "the worker died before it");
        corridor_on(&database, &["finish", "persons", "--drop"])
            .run()
            .await
            .expect_code(0);
        assert_eq!(foreign_keys(&client, true).await, 1, "{shape:?}");
        assert_eq!(foreign_keys(&client, false).await, 0, "{shape:?}");
    }
}

/// The same on the way back, also when the worker died before it could record that the cut-over has ended.
#[tokio::test]
async fn a_rollback_validates_after_a_cut_over_of_which_only_the_swap_is_there() {
    let (database, client) = referred("unrecorded", "").await;
    let args = ["move", "persons", "--execute", "--same-shape"];
    corridor_on(&database, &args).run().await.expect_code(5);
    corridor_on(&database, &["cutover", "persons"])
        .env("CORRIDOR_FAILPOINT", "after-swap")
        .run()
        .await
        .expect_code(ABORTED);
    corridor_on(&database, &["rollback", "persons"])
        .run()
        .await
        .expect_code(0);
    assert_eq!(foreign_keys(&client, true).await, 1);
}

/// Before PostgreSQL 18 the key of a partitioned table comes from those of its partitions, once.
#[tokio::test]
async fn a_rollback_that_dies_before_it_cleans_up_goes_on_where_it_was() {
    let partitions = "partition by hash (team_id);
        create table persons_0 partition of persons for values with (modulus 2, remainder 0);
        create table persons_1 partition of persons for values with (modulus 2, remainder 1)";
    let (database, client) = referred("resettled", partitions).await;
    let args = ["move", "persons", "--execute", "--unpartitioned"];
    corridor_on(&database, &args).run().await.expect_code(5);
    corridor_on(&database, &["cutover", "persons"])
        .run()
        .await
        .expect_code(0);
    corridor_on(&database, &["rollback", "persons"])
        .env("CORRIDOR_FAILPOINT", "before-clean-up")
        .run()
        .await
        .expect_code(ABORTED);
    // It was validated, and the process died before anything else.
    assert_eq!(foreign_keys(&client, true).await, 1);
    corridor_on(&database, &["rollback", "persons"])
        .run()
        .await
        .expect_code(0);
    assert_eq!(foreign_keys(&client, true).await, 1);
}

/// A pause that is granted while the swap waits for its locks: the swap is given up, and that is no bug.
#[tokio::test]
async fn an_order_that_overtakes_the_swap_wins() {
    let (database, client) = referred("overtaken", "").await;
    let patient = ["--setting", "cutover.lock_budget_ms=10000"];
    let args = [&["move", "persons", "--execute", "--same-shape"][..], &patient].concat();
    corridor_on(&database, &args).run().await.expect_code(5);
    let reader = corridor_testbed::cluster::connect(&database.url).await.unwrap();
    reader
        .batch_execute("begin; lock table persons in access share mode")
        .await
        .unwrap();
    let cutover = corridor_on(&database, &["cutover", "persons"]).start();
    let is_so = async |sql: &str| {
        let search = async { while !client.query_one(sql, &[]).await.unwrap().get::<_, bool>(0) {} };
        tokio::time::timeout(Duration::from_secs(30), search)
            .await
            .expect(sql);
    };
    is_so(
        "select exists (select from pg_stat_activity where application_name = 'corridor:swap:persons' \
         and wait_event_type = 'Lock' and datname = current_database())",
    )
    .await;
    let pause = corridor_on(&database, &["pause", "persons"]).start();
    is_so("select state = 'paused' from corridor.migration").await;
    reader.batch_execute("commit").await.unwrap();
    end(pause).await.expect_code(0);
    end(cutover).await.expect_code(5);
    corridor_on(&database, &["rollback", "persons"])
        .run()
        .await
        .expect_code(0);
    assert_eq!(foreign_keys(&client, true).await, 1);
}

/// What was recorded is not recorded again when only the answer to its commit was lost.
#[tokio::test]
async fn a_commit_whose_answer_was_lost_is_not_done_again() {
    let (database, client) = referred("unanswered", "").await;
    let proxy = FaultProxy::start(Cluster::shared(15).await.port()).unwrap();
    let through = Database {
        url: proxy.url(&database.url).unwrap(),
        ..database.clone()
    };
    let args = ["move", "persons", "--execute", "--same-shape"];
    corridor_on(&database, &args).run().await.expect_code(5);
    // Of the events of a cut-over the second one is that it has ended; retiring is one transaction.
    for (sprung, verb, commit, skip) in [(1, "cutover", "event", 1), (2, "finish", "clean-up", 0)] {
        proxy.cut_at(&format!("commit /* corridor: {commit} */"), skip, Cut::AfterDone);
        let run = corridor_on(&through, &[verb, "persons"]).run().await;
        assert_eq!(proxy.sprung(), sprung, "{verb}: {commit}");
        run.expect_code(0);
    }
    assert_eq!(foreign_keys(&client, true).await, 1);
}
