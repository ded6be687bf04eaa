//! A person's own migrations, driven as a person drives them: to the end, killed at each durable step, and back.

use std::time::Duration;

use corridor_testbed::faults::FaultProxy;

use crate::desk::Desk;
use crate::driver::{corridor, corridor_on, end};

/// What a shell says of a process that aborted.
const ABORTED: i32 = 134;

/// People of five teams, a list of what was done, and a gate.
const PEOPLE: &str =
    "create table people (id bigint generated always as identity primary key, team_id int not null, \
     n int not null default 0, name text);
     insert into people (team_id, name) select 1 + i % 5, 'n' || i from generate_series(1, 500) i;
     create table done (what text not null);
     create table gate ();
     analyze people";

const EACH_KIND: &str = r#"
finish = "by_hand"

[[operations]]
kind = "sql"
name = "mark"
statement = "insert into done values ('mark'); create table extra (id int)"
rollback = "delete from done where what = 'mark'; drop table if exists extra"

[[operations]]
kind = "backfill"
name = "fill"
table = "people"
set = { n = "n + 1" }
where = "team_id = :each"
for_each = "select distinct team_id from people order by 1"
rows = 40
rollback = "update people set n = 0"

[[operations]]
kind = "index"
name = "by_name"
table = "people"
index = "people_name"
definition = "(name)"

[[operations]]
kind = "constraint"
name = "positive"
table = "people"
constraint = "n_is_small"
definition = "check (n < 5)"

[[operations]]
kind = "sql"
name = "alone"
no_transaction = true
statement = "alter table done set (fillfactor = 70)"
done_when = "select reloptions is not null from pg_class where oid = 'done'::regclass"
rollback = "alter table done reset (fillfactor)"

[[operations]]
kind = "verify"
name = "all_of_them"
query = "select count(*) filter (where n <> 1), count(*) from people"
tolerance = "0"

[[operations]]
kind = "command"
name = "tell"
command = ["sh", "-c", "echo told"]
rollback = []
repeat = "safe"
"#;

/// Everything was done exactly once.
async fn expect_done(desk: &Desk, story: &str) {
    assert_eq!(
        desk.figure("select count(*) from done where what = 'mark'").await,
        1,
        "{story}"
    );
    assert_eq!(
        desk.figure("select count(*) from people where n = 1").await,
        500,
        "{story}"
    );
    let valid = "select count(*) from pg_index where indexrelid = 'people_name'::regclass and indisvalid";
    assert_eq!(desk.figure(valid).await, 1, "{story}");
    let valid = "select count(*) from pg_constraint where conname = 'n_is_small' and convalidated";
    assert_eq!(desk.figure(valid).await, 1, "{story}");
    let set = "select count(*) from pg_class where oid = 'done'::regclass and reloptions is not null";
    assert_eq!(desk.figure(set).await, 1, "{story}");
    assert_eq!(
        desk.figure(
            "select count(*) from corridor.item i join corridor.migration m on m.id = i.migration_id \
             where is_done and m.name = '0001_all'"
        )
        .await,
        5,
        "{story}"
    );
}

/// Nothing is left of it.
async fn expect_undone(desk: &Desk, story: &str) {
    assert_eq!(desk.figure("select count(*) from done").await, 0, "{story}");
    assert_eq!(
        desk.figure("select count(*) from people where n = 0").await,
        500,
        "{story}"
    );
    let left = "select count(*) from pg_class where relname in ('people_name', 'extra')";
    assert_eq!(desk.figure(left).await, 0, "{story}");
    let left = "select count(*) from pg_constraint where conname = 'n_is_small'";
    assert_eq!(desk.figure(left).await, 0, "{story}");
    let left = "select count(*) from pg_class where oid = 'done'::regclass and reloptions is not null";
    assert_eq!(desk.figure(left).await, 0, "{story}");
}

#[tokio::test]
async fn from_file_to_finish_and_back() {
    let desk = Desk::new("own_life", PEOPLE).await;
    desk.add("0001_all", EACH_KIND).await;
    let run = desk.run(&["migration", "plan", "0001_all"]).await.expect_code(0);
    assert!(
        run.stdout.contains("create index concurrently people_name"),
        "{}",
        run.stdout
    );
    assert_eq!(
        desk.figure("select count(*) from done").await,
        0,
        "a plan changes nothing"
    );
    let run = desk.run(&["migration", "start", "0001_all"]).await.expect_code(5);
    assert!(
        run.stdout.contains("corridor rollback 0001_all"),
        "{}",
        run.stdout
    );
    expect_done(&desk, "started").await;
    desk.run(&["cutover", "0001_all"])
        .await
        .expect_code(4)
        .expect_fault("MIG-143");
    let run = desk.run(&["status", "0001_all"]).await.expect_code(0);
    assert!(
        run.stdout.contains("done; waits for `finish` or `rollback`")
            && run.stdout.contains("[x] all_of_them"),
        "{}",
        run.stdout
    );
    desk.run(&["rollback", "0001_all"]).await.expect_code(0);
    expect_undone(&desk, "rolled back").await;
    // Once more, from the same definition; the run before keeps its journal.
    desk.run(&["migration", "start", "0001_all"]).await.expect_code(5);
    let run = desk.run(&["finish", "0001_all", "--json"]).await.expect_code(0);
    assert_eq!(run.json_lines().last().unwrap()["outcome"], "finished");
    expect_done(&desk, "finished").await;
    desk.run(&["logs", "0001_all-2"]).await.expect_code(0);
    let run = desk.run(&["migration", "list", "--json"]).await.expect_code(0);
    assert_eq!(run.json()["migrations"].as_array().unwrap().len(), 2);
}

/// Starts it with a failpoint until it has ended; `resume` takes up what is left. Returns how often it died.
async fn kill_at(desk: &Desk, point: &str) -> u32 {
    let run = corridor_on(&desk.database, &["migration", "start", "0001_all"])
        .env("CORRIDOR_FAILPOINT", point)
        .run()
        .await;
    if run.code == 5 {
        return 0;
    }
    assert_eq!(run.code, ABORTED, "{point}: {}", run.stderr);
    let state = desk.state("0001_all").await;
    let again = match state.as_str() {
        "planned" => desk.run(&["migration", "start", "0001_all"]).await,
        _ => desk.run(&["resume", "0001_all"]).await,
    };
    assert_eq!(again.code, 5, "{point}, {state}: {}", again.stderr);
    1
}

async fn killed_at_each(label: &str, points: &[&str]) {
    let mut died = 0;
    for point in points {
        let desk = Desk::new(&format!("own_{label}_{}", point.replace([':', '-'], "_")), PEOPLE).await;
        desk.add("0001_all", EACH_KIND).await;
        died += kill_at(&desk, point).await;
        expect_done(&desk, point).await;
    }
    assert_eq!(died as usize, points.len(), "each failpoint must be reached");
}

#[tokio::test]
async fn a_worker_that_dies_before_a_durable_step_is_followed() {
    killed_at_each(
        "before",
        &[
            "before-order",
            "before-attempt:2",
            "before-statement",
            "before-freeze",
            "before-batch:3",
            "before-attempt-end",
            "before-operation-done:4",
            "before-event:3",
        ],
    )
    .await;
}

#[tokio::test]
async fn a_worker_that_dies_after_a_durable_step_is_followed() {
    killed_at_each(
        "after",
        &[
            "after-lease",
            "after-order",
            "after-attempt",
            "after-attempt:3",
            "after-statement",
            "after-freeze",
            "after-batch:9",
            "after-attempt-end:2",
            "after-operation-done",
            "after-progress:3",
        ],
    )
    .await;
}

/// Going back is taken up again from each step, too; and it may fail first.
#[tokio::test]
async fn a_rollback_that_dies_or_fails_is_taken_up_again() {
    for point in [
        "before-statement-back",
        "after-operation-undone:2",
        "after-attempt-end",
        "before-event",
    ] {
        let desk = Desk::new(&format!("own_back_{}", point.replace([':', '-'], "_")), PEOPLE).await;
        desk.add("0001_all", EACH_KIND).await;
        desk.run(&["migration", "start", "0001_all"]).await.expect_code(5);
        corridor_on(&desk.database, &["rollback", "0001_all"])
            .env("CORRIDOR_FAILPOINT", point)
            .run()
            .await
            .expect_code(ABORTED);
        // Stopping what is going back is refused: it would leave half of it.
        desk.run(&["stop", "0001_all"])
            .await
            .expect_code(4)
            .expect_fault("MIG-007");
        let run = desk.run(&["resume", "0001_all"]).await;
        assert_eq!(
            desk.state("0001_all").await,
            "rolled_back",
            "{point}: {}",
            run.stderr
        );
        expect_undone(&desk, point).await;
    }
    let desk = Desk::new("own_back_fails", PEOPLE).await;
    desk.add("0001_all", EACH_KIND).await;
    desk.run(&["migration", "start", "0001_all"]).await.expect_code(5);
    let trap = "create function trap() returns trigger language plpgsql as $$ begin raise 'not now'; end $$;
                create trigger trap before delete on done for each row execute function trap()";
    desk.client.batch_execute(trap).await.unwrap();
    let run = desk.run(&["rollback", "0001_all"]).await;
    assert!(run.code != 0 && run.stderr.contains("not now"), "{}", run.stderr);
    assert_eq!(desk.state("0001_all").await, "failed");
    desk.client
        .batch_execute("drop trigger trap on done")
        .await
        .unwrap();
    desk.run(&["resume", "0001_all"]).await;
    assert_eq!(desk.state("0001_all").await, "rolled_back");
    expect_undone(&desk, "after a failure").await;
}

/// Two workers at once: one works, the other one is refused, nothing is done twice.
#[tokio::test]
async fn of_two_that_start_at_once_one_works() {
    let desk = Desk::new("own_two", PEOPLE).await;
    desk.add("0001_all", EACH_KIND).await;
    let start = || corridor_on(&desk.database, &["migration", "start", "0001_all"]).run();
    let (one, two) = tokio::join!(start(), start());
    let mut codes = [one.code, two.code];
    codes.sort_unstable();
    assert_eq!(codes, [4, 5], "{}\n{}", one.stderr, two.stderr);
    expect_done(&desk, "two workers").await;
}

/// The list is frozen: what comes and goes between a crash and `resume` does not shift it. And the file is frozen, too.
#[tokio::test]
async fn what_was_frozen_stays_although_the_world_changes() {
    let desk = Desk::new("own_frozen", PEOPLE).await;
    desk.add("0001_all", EACH_KIND).await;
    corridor_on(&desk.database, &["migration", "start", "0001_all"])
        .env("CORRIDOR_FAILPOINT", "after-batch:4")
        .run()
        .await
        .expect_code(ABORTED);
    // A team that sorts before all others, and one of those that were done vanishes.
    desk.client
        .batch_execute("delete from people where team_id = 1; insert into people (team_id, n) values (0, 1)")
        .await
        .unwrap();
    let changed = EACH_KIND.replace("n + 1", "n + 2");
    let path = desk.write_migration("0001_all", &changed);
    desk.run(&["migration", "add", &path])
        .await
        .expect_code(4)
        .expect_fault("MIG-130");
    desk.run(&["resume", "0001_all"]).await.expect_code(5);
    assert_eq!(desk.figure("select count(*) from people where n <> 1").await, 0);
    let values = "select string_agg(value, ',' order by position) from corridor.item";
    let values: String = desk.client.query_one(values, &[]).await.unwrap().get(0);
    assert_eq!(values, "1,2,3,4,5");
}

const LONG: &str = r#"
[[operations]]
kind = "index"
name = "build"
table = "people"
index = "people_name"
definition = "(name)"
"#;

/// The worker is killed while the server still builds: whoever follows waits for it and does not build twice.
#[tokio::test]
async fn a_build_that_outlives_its_worker_is_waited_for() {
    let desk = Desk::new("own_orphan", PEOPLE).await;
    desk.add("0001_long", LONG).await;
    // A build waits for the transactions before it.
    let holder = corridor_testbed::cluster::connect(&desk.database.url)
        .await
        .unwrap();
    holder
        .batch_execute("begin; lock table people in row exclusive mode; select txid_current()")
        .await
        .unwrap();
    let mut worker = corridor_on(&desk.database, &["migration", "start", "0001_long"]).start();
    let building =
        "select exists (select from pg_stat_progress_create_index where datname = current_database())";
    desk.until(building).await;
    worker.start_kill().unwrap();
    worker.wait().await.unwrap();
    let next = corridor_on(&desk.database, &["resume", "0001_long"]).start();
    desk.until("select holder is not null and epoch > 1 from corridor.lease")
        .await;
    tokio::time::sleep(Duration::from_millis(700)).await;
    let tries = "select count(*) from corridor.attempt";
    assert_eq!(desk.figure(tries).await, 1, "the first build is still at work");
    holder.batch_execute("commit").await.unwrap();
    end(next).await.expect_code(0);
    assert_eq!(desk.figure(tries).await, 1, "it was built once");
    let valid = "select count(*) from pg_index where indexrelid = 'people_name'::regclass and indisvalid";
    assert_eq!(desk.figure(valid).await, 1);
}

const HEALTHY: &str = r#"
health_every = "100ms"
health_checks = [{ name = "traffic", query = "select not exists (select from gate)", message = "the gate is closed" }]

[[operations]]
kind = "sql"
name = "mark"
statement = "insert into done values ('mark')"
rollback = "delete from done"

[[operations]]
kind = "wait_until"
name = "wait"
query = "select exists (select from done where what = 'go')"
every = "100ms"
"#;

#[tokio::test]
async fn a_health_check_that_fails_in_the_middle_ends_the_work_and_resume_goes_on() {
    let desk = Desk::new("own_health", PEOPLE).await;
    desk.add("0001_healthy", HEALTHY).await;
    let worker = corridor_on(&desk.database, &["migration", "start", "0001_healthy"]).start();
    desk.until_running("wait").await;
    desk.client
        .batch_execute("insert into gate default values")
        .await
        .unwrap();
    let run = end(worker).await.expect_code(1).expect_fault("MIG-135");
    assert!(run.stderr.contains("the gate is closed"), "{}", run.stderr);
    assert_eq!(desk.state("0001_healthy").await, "failed");
    desk.client
        .batch_execute("delete from gate; insert into done values ('go')")
        .await
        .unwrap();
    desk.run(&["resume", "0001_healthy"]).await.expect_code(0);
    assert_eq!(
        desk.figure("select count(*) from done where what = 'mark'").await,
        1
    );
    // The same, told to go back by itself; and refused at once while it is sick.
    desk.client.batch_execute("delete from done").await.unwrap();
    desk.add("0002_back", &format!("rollback_on_failure = true\n{HEALTHY}"))
        .await;
    let worker = corridor_on(&desk.database, &["migration", "start", "0002_back"]).start();
    desk.until("select exists (select from done where what = 'mark')")
        .await;
    desk.client
        .batch_execute("insert into gate default values")
        .await
        .unwrap();
    end(worker).await.expect_code(1).expect_fault("MIG-135");
    assert_eq!(desk.state("0002_back").await, "rolled_back");
    assert_eq!(desk.figure("select count(*) from done").await, 0);
    desk.add("0003_sick", HEALTHY).await;
    desk.run(&["migration", "start", "0003_sick"])
        .await
        .expect_code(1)
        .expect_fault("MIG-135");
    assert_eq!(desk.state("0003_sick").await, "planned", "nothing was begun");
}

/// A pause ends a statement that runs for an hour; `resume` does it again, once.
#[tokio::test]
async fn a_pause_ends_what_runs_and_a_stop_leaves_what_is_done() {
    let desk = Desk::new("own_pause", PEOPLE).await;
    let text = r#"
[[operations]]
kind = "sql"
name = "long"
statement = "insert into done values ('long'); select pg_sleep(case when exists (select from gate) then 3600 else 0 end)"
rollback = "delete from done"

[[operations]]
kind = "wait_until"
name = "wait"
query = "select false"
every = "100ms"
"#;
    desk.add("0001_long", text).await;
    desk.client
        .batch_execute("insert into gate default values")
        .await
        .unwrap();
    let worker = corridor_on(&desk.database, &["migration", "start", "0001_long"]).start();
    desk.until("select exists (select from pg_stat_activity where query like '%pg_sleep(case%' and application_name like 'corridor:work:%' and datname = current_database())")
        .await;
    desk.run(&["pause", "0001_long", "--why", "a test"])
        .await
        .expect_code(0);
    end(worker).await.expect_code(5);
    assert_eq!(desk.figure("select count(*) from done").await, 0);
    desk.client.batch_execute("delete from gate").await.unwrap();
    let worker = corridor_on(&desk.database, &["resume", "0001_long"]).start();
    desk.until_running("wait").await;
    desk.run(&["stop", "0001_long"]).await.expect_code(0);
    end(worker).await;
    assert_eq!(desk.state("0001_long").await, "stopped");
    assert_eq!(
        desk.figure("select count(*) from done").await,
        1,
        "what is done stays"
    );
}

/// A middleman swallows what one of the worker's connections sends, while its heart beats on: the worker notices, and goes on with
/// a new connection.
#[tokio::test]
async fn a_connection_that_has_gone_silent_is_given_up() {
    let silent = |role: &'static str| async move {
        let desk = Desk::new(&format!("own_silent_{role}"), PEOPLE).await;
        desk.add(
            "0001_silent",
            "health_every = \"100ms\"\n[[health_checks]]\nname = \"well\"\nquery = \"select not exists (select from done)\"\n\
             [[operations]]\nkind = \"wait_until\"\nname = \"gate\"\nquery = \"select exists (select from gate)\"\n\
             every = \"100ms\"\n",
        )
        .await;
        let port = desk.figure("select current_setting('port')::bigint").await;
        let proxy = FaultProxy::start(u16::try_from(port).unwrap()).unwrap();
        let url = proxy.url(&desk.database.url).unwrap();
        let worker = corridor(&["migration", "start", "0001_silent", "--database", &url]).start();
        desk.until("select exists (select from corridor.operation where state = 'running')")
            .await;
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert!(proxy.silence(&format!("corridor:{role}:")) >= 1, "{role}");
        match role {
            "work" => desk
                .client
                .batch_execute("insert into gate default values")
                .await
                .unwrap(),
            "health" => desk
                .client
                .batch_execute("insert into done values ('ill')")
                .await
                .unwrap(),
            _ => drop(desk.run(&["pause", "0001_silent"]).await.expect_code(0)),
        }
        let ended = tokio::time::timeout(Duration::from_secs(50), end(worker)).await;
        assert!(ended.is_ok(), "{role}: it hangs");
        desk.state("0001_silent").await
    };
    let (work, control, health) = tokio::join!(silent("work"), silent("control"), silent("health"));
    assert_eq!(
        (work.as_str(), control.as_str(), health.as_str()),
        ("finished", "paused", "failed")
    );
}
