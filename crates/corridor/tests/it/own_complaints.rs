//! What people complained of in a framework for long data migrations that ran for years, each as a test. Where another file has it,
//! the list says where.
//!
//! | complaint | here |
//! |---|---|
//! | an insert ran out of memory, the runner went on, and the migration was "complete" with rows missing | [`what_fails_in_the_middle_never_ends_in_done`] |
//! | the executor of several parts swallowed the error of one | [`what_fails_in_the_middle_never_ends_in_done`] |
//! | no way back after completion | `own::from_file_to_finish_and_back` |
//! | what is not needed was not completed, because what it depends on was not | [`what_is_not_needed_is_completed_after_what_it_depends_on`], `serving::what_is_due_is_started_by_itself_when_it_is_told_to` |
//! | migrations ran inside of the upgrade's own check | `own_ready::the_gate_says_what_stands_in_the_way_and_starts_nothing` |
//! | a script took a failed check for a passed one | [`a_gate_that_cannot_ask_is_neither_open_nor_closed`] |
//! | the check fails in the same way when the database is down | [`a_gate_that_cannot_ask_is_neither_open_nor_closed`] |
//! | the worker that would run the migration refuses to boot because it is pending | `serving::what_is_due_is_started_by_itself_when_it_is_told_to`: one that is out of range does not keep the service from its work |
//! | fresh installations stand before the gate | `gate::tests::what_is_not_required_never_stands_in_the_way`, `own_ready::the_gate_says_what_stands_in_the_way_and_starts_nothing` |
//! | one's own deployments are blocked | `own_ready::the_gate_says_what_stands_in_the_way_and_starts_nothing`: `skip` lets them in, and is journalled |
//! | stuck at 82 %: a long operation that says nothing | [`a_long_operation_says_how_far_it_is`] |
//! | pods in a crash loop while it is "running" | `serving::what_comes_to_nothing_is_not_begun_again_and_again` |
//! | the id of the task was overwritten: two run at once, or the wrong one is ended | `own::of_two_that_start_at_once_one_works`, `own_ready::a_rollback_ends_what_another_worker_is_about_to_do` |
//! | resume does not resume | `own::a_worker_that_dies_before_a_durable_step_is_followed`, `own::a_worker_that_dies_after_a_durable_step_is_followed` |
//! | resume goes on with another operation, because the list has changed | `own::what_was_frozen_stays_although_the_world_changes` |
//! | stuck in "starting" | `serving::a_wish_outlives_the_service_that_took_it`, `own::a_worker_that_dies_before_a_durable_step_is_followed` (`before-order`) |
//! | the page breaks when a definition is gone | [`a_file_that_vanishes_changes_nothing`] |
//! | an error of "is it required" completes the migration | `own_ready::unknown_never_completes_a_migration` |
//! | there is no state for going back | `own::a_rollback_that_dies_or_fails_is_taken_up_again`, [`stopping_what_goes_back_is_refused_by_the_worker_that_lives`] |
//! | a roll back ran for what had never run | [`a_rollback_leaves_alone_what_never_ran`] |
//! | the filter missed rows, and nobody looked | [`what_a_verification_finds_keeps_it_from_being_done`] |
//! | the check behind it was too strict, and was switched off | [`what_a_verification_finds_keeps_it_from_being_done`]: a tolerance |
//! | the disk check looked at the wrong table | `own_ready::what_is_not_ready_is_refused_and_nothing_is_done`: a precheck is the author's own query, and its answer is shown |
//! | statements without end | [`a_statement_over_its_time_is_ended_and_leaves_nothing`], [`the_budget_for_locks_ends`] |
//! | errors are cut | [`a_long_error_is_told_whole_and_by_the_name_of_its_operation`] |
//! | an index where the operation's name should be | [`a_long_error_is_told_whole_and_by_the_name_of_its_operation`] |
//! | in no order | `migrations::the_list_has_the_newest_first_and_fits_80_columns` |
//! | forbidden actions are offered | `migrations::a_state_that_waits_names_the_commands`, `step::tests::a_refusal_says_what_is_allowed` |
//! | a refusal is not shown | `migrations::a_pause_keeps_its_reason_and_what_cannot_be_asked_for_is_refused` |
//! | nobody was told of a failure | `serving::a_failure_is_posted` |
//! | the autoscaler ends workers | [`a_worker_that_is_told_to_leave_checkpoints_and_is_followed`], `serving::of_two_services_the_other_one_goes_on` |
//! | a migration of days takes the place of all others | [`a_long_one_does_not_hold_up_a_short_one`] |

use crate::desk::{Desk, mark};
use crate::driver::{corridor, corridor_on, end};

const TABLES: &str =
    "create table people (id bigint generated always as identity primary key, team_id int not null, \
     n int not null default 0, name text);
     insert into people (team_id, name) select 1 + i % 5, 'n' || i from generate_series(1, 500) i;
     create table done (what text not null);
     create table gate ();
     analyze people";

/// Words as they are meant, however the lines are broken.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

const FILL: &str = "[[operations]]\nkind = \"backfill\"\nname = \"fill\"\ntable = \"people\"\nset = { n = \"n + 1\" }\n\
     for_each = \"select distinct team_id from people order by 1\"\nwhere = \"team_id = :each\"\nrows = 20\n\
     rollback = \"update people set n = 0\"\n";

#[tokio::test]
async fn what_fails_in_the_middle_never_ends_in_done() {
    let desk = Desk::new("complaint_silent", TABLES).await;
    desk.client
        .batch_execute(
            "create function trap() returns trigger language plpgsql as $$ begin \
             if new.id = 300 then raise 'out of memory' using errcode = '53200'; end if; return new; end $$; \
             create trigger trap before update on people for each row execute function trap()",
        )
        .await
        .unwrap();
    desk.add("0001_m", &format!("{FILL}{}", mark("after"))).await;
    desk.add(
        "0002_next",
        &format!("depends_on = [\"0001_m\"]\n{}", mark("next")),
    )
    .await;
    let run = desk
        .run(&["migration", "start", "0001_m"])
        .await
        .expect_code(1)
        .expect_fault("MIG-157");
    assert!(run.stderr.contains("out of memory"), "{}", run.stderr);
    assert_eq!(desk.state("0001_m").await, "failed");
    assert!(desk.done().await.is_empty(), "what comes after it was begun");
    // The ledger is what the rows are, and nothing that rests on it goes on.
    let rows = "select sum(rows)::int8 - (select count(*) from people where n = 1) from corridor.item";
    assert_eq!(desk.figure(rows).await, 0);
    desk.run(&["migration", "start", "0002_next"])
        .await
        .expect_code(4)
        .expect_fault("MIG-131");
    desk.client
        .batch_execute("drop trigger trap on people")
        .await
        .unwrap();
    desk.run(&["resume", "0001_m"]).await.expect_code(0);
    assert_eq!(desk.figure("select count(*) from people where n = 1").await, 500);
    assert_eq!(desk.done().await, ["after"]);
}

#[tokio::test]
async fn what_is_not_needed_is_completed_after_what_it_depends_on() {
    let desk = Desk::new("complaint_noop", TABLES).await;
    let none = "required_when = \"select false\"\n";
    desk.add("0001_first", &mark("first")).await;
    desk.add(
        "0002_none",
        &format!("depends_on = [\"0001_first\"]\n{none}{}", mark("never")),
    )
    .await;
    desk.add(
        "0003_none",
        &format!("depends_on = [\"0002_none\"]\n{none}{}", mark("never")),
    )
    .await;
    // It is not completed before its turn, and it does not stand in the gate for that.
    desk.run(&["migration", "start", "0003_none"])
        .await
        .expect_code(4)
        .expect_fault("MIG-131");
    assert_eq!(desk.state("0003_none").await, "planned");
    for name in ["0001_first", "0002_none", "0003_none"] {
        desk.run(&["migration", "start", name]).await.expect_code(0);
        assert_eq!(desk.state(name).await, "finished");
    }
    assert_eq!(desk.done().await, ["first"]);
    desk.run(&["gate", "--app-version", "9.0.0"]).await.expect_code(0);
}

#[tokio::test]
async fn a_gate_that_cannot_ask_is_neither_open_nor_closed() {
    let nowhere = "postgres://nobody@127.0.0.1:1/nothing";
    corridor(&["gate", "--app-version", "1.0.0", "--database", nowhere])
        .run()
        .await
        .expect_code(3)
        .expect_fault("PG-002");
}

#[tokio::test]
async fn a_long_operation_says_how_far_it_is() {
    let desk = Desk::new("complaint_stuck", TABLES).await;
    let text = FILL.replace(
        "set = { n = \"n + 1\" }",
        "set = { n = \"n + 1 + 0 * length(pg_sleep(0.01)::text)\" }",
    );
    desk.add("0001_m", &text).await;
    let worker = corridor_on(&desk.database, &["migration", "start", "0001_m"]).start();
    let told = "coalesce((select (progress ->> 'rows')::int from corridor.operation where name = 'fill'), 0)";
    desk.until(&format!("select {told} > 0")).await;
    let before = desk
        .run(&["status", "0001_m", "--json"])
        .await
        .expect_code(0)
        .json();
    let progress = &before["operations"][0]["progress"];
    assert_eq!(progress["items"], 5, "{before}");
    let rows = progress["rows"].as_i64().unwrap();
    assert!(
        rows > 0 && rows < 500 && progress["each"].is_string(),
        "{progress}"
    );
    desk.until(&format!("select {told} > {rows}")).await;
    end(worker).await.expect_code(0);
}

#[tokio::test]
async fn a_file_that_vanishes_changes_nothing() {
    let desk = Desk::new("complaint_vanished", TABLES).await;
    let text = format!("finish = \"by_hand\"\n{}", mark("x"));
    desk.add("0001_m", &text).await;
    std::fs::remove_file(desk.dir.join("0001_m.toml")).unwrap();
    for args in [
        &["migration", "list"][..],
        &["migration", "show", "0001_m"],
        &["migration", "plan", "0001_m"],
        &["status", "0001_m"],
    ] {
        desk.run(args).await.expect_code(0);
    }
    desk.run(&["migration", "start", "0001_m"]).await.expect_code(5);
    desk.run(&["rollback", "0001_m"]).await.expect_code(0);
    assert!(desk.done().await.is_empty());
}

const BACK: &str = r#"
finish = "by_hand"

[[operations]]
kind = "sql"
name = "one"
statement = "insert into done values ('one')"
rollback = "delete from done; select case when exists (select from gate) then pg_sleep(3600) end"

[[operations]]
kind = "check"
name = "gate"
query = "select not exists (select from people where name is null)"

[[operations]]
kind = "sql"
name = "never"
statement = "create table never (id int)"
rollback = "drop table never"
"#;

#[tokio::test]
async fn a_rollback_leaves_alone_what_never_ran() {
    let desk = Desk::new("complaint_never_ran", TABLES).await;
    desk.client
        .batch_execute("update people set name = null where id = 1")
        .await
        .unwrap();
    desk.add("0001_m", BACK).await;
    // Amid the work: 4 would say that nothing was changed.
    desk.run(&["migration", "start", "0001_m"])
        .await
        .expect_code(1)
        .expect_fault("MIG-134");
    // `drop table never` would fail.
    desk.run(&["rollback", "0001_m"]).await.expect_code(0);
    assert_eq!(desk.state("0001_m").await, "rolled_back");
    assert!(desk.done().await.is_empty());
    let states = "select string_agg(state, ',' order by position) from corridor.operation";
    let states: String = desk.client.query_one(states, &[]).await.unwrap().get(0);
    assert_eq!(states, "undone,undone,pending");
}

/// A worker takes it back; somebody asks for a stop meanwhile. It is refused, and the way back goes on.
#[tokio::test]
async fn stopping_what_goes_back_is_refused_by_the_worker_that_lives() {
    let desk = Desk::new("complaint_stop_back", TABLES).await;
    desk.add("0001_m", BACK).await;
    desk.run(&["migration", "start", "0001_m"]).await.expect_code(5);
    desk.client
        .batch_execute("insert into gate default values")
        .await
        .unwrap();
    let worker = corridor_on(&desk.database, &["rollback", "0001_m"]).start();
    desk.until(
        "select exists (select from pg_stat_activity where application_name like 'corridor:%:0001_m' \
         and wait_event = 'PgSleep' and datname = current_database())",
    )
    .await;
    desk.run(&["stop", "0001_m"])
        .await
        .expect_code(4)
        .expect_fault("MIG-007");
    assert_eq!(desk.state("0001_m").await, "rolling_back");
    // A pause holds it; it is gone on with to its end, and nothing else.
    desk.run(&["pause", "0001_m"]).await.expect_code(0);
    end(worker).await.expect_code(5);
    assert_eq!(desk.state("0001_m").await, "paused");
    assert_eq!(desk.done().await, ["one"], "half of it is not taken back");
    desk.run(&["stop", "0001_m"])
        .await
        .expect_code(4)
        .expect_fault("MIG-007");
    desk.client.batch_execute("delete from gate").await.unwrap();
    desk.run(&["resume", "0001_m"]).await;
    assert_eq!(desk.state("0001_m").await, "rolled_back");
    assert!(desk.done().await.is_empty());
}

#[tokio::test]
async fn what_a_verification_finds_keeps_it_from_being_done() {
    let desk = Desk::new("complaint_filter", TABLES).await;
    // The filter misses a tenth of the rows.
    let text = |tolerance: &str, total: &str| {
        format!(
            "[[operations]]\nkind = \"backfill\"\nname = \"fill\"\ntable = \"people\"\nset = {{ n = \"n + 1\" }}\n\
             where = \"id % 10 <> 0\"\nrollback = \"\"\n\
             [[operations]]\nkind = \"verify\"\nname = \"all\"\ntolerance = \"{tolerance}\"\n\
             query = \"select count(*) filter (where n = 0), {total} from people\"\n"
        )
    };
    for (name, tolerance, total, passes) in [
        ("0001_none", "0", "count(*)", false),
        ("0002_few", "9%", "count(*)", false),
        ("0003_some", "10%", "count(*)", true),
        ("0004_number", "49", "count(*)", false),
        ("0005_number", "50", "count(*)", true),
        ("0006_unknown", "10%", "null::bigint", false),
    ] {
        desk.client
            .batch_execute("update people set n = 0")
            .await
            .unwrap();
        desk.add(name, &text(tolerance, total)).await;
        let run = desk.run(&["migration", "start", name]).await;
        if passes {
            run.expect_code(0);
            continue;
        }
        let run = run.expect_code(1).expect_fault("MIG-141");
        assert!(run.stderr.contains("50"), "{}", run.stderr);
        assert_eq!(desk.state(name).await, "failed");
    }
    // Mended, it is asked again, and done.
    desk.client
        .batch_execute("update people set n = 1")
        .await
        .unwrap();
    desk.run(&["resume", "0001_none"]).await.expect_code(0);
}

#[tokio::test]
async fn a_statement_over_its_time_is_ended_and_leaves_nothing() {
    let desk = Desk::new("complaint_timeout", TABLES).await;
    let text = "[[operations]]\nkind = \"sql\"\nname = \"long\"\ntimeout = \"300ms\"\nrollback = \"\"\n\
         statement = \"insert into done values ('half'); select pg_sleep(3600)\"\n";
    desk.add("0001_in", text).await;
    let text = "[[operations]]\nkind = \"sql\"\nname = \"long\"\ntimeout = \"300ms\"\nrollback = \"\"\n\
         no_transaction = true\ndone_when = \"select exists (select from done)\"\nstatement = \"select pg_sleep(3600)\"\n";
    desk.add("0002_alone", text).await;
    for name in ["0001_in", "0002_alone"] {
        desk.run(&["migration", "start", name])
            .await
            .expect_code(5)
            .expect_fault("MIG-156");
        assert_eq!(desk.state(name).await, "failed");
        assert!(desk.done().await.is_empty());
    }
    let tries = "select count(*) from corridor.attempt";
    assert_eq!(
        desk.figure(tries).await,
        2,
        "each was tried once: it would take as long again"
    );
}

/// Outside of a transaction, too: the locks are tried for as long as the file says.
#[tokio::test]
async fn the_budget_for_locks_ends() {
    let desk = Desk::new("complaint_budget", TABLES).await;
    let text = "[[operations]]\nkind = \"sql\"\nname = \"locks\"\nlock_timeout = \"100ms\"\nlock_budget = \"1s\"\nrollback = \"\"\n\
         statement = \"alter table people set (fillfactor = 70)\"\n";
    desk.add("0001_in", text).await;
    let alone = "no_transaction = true\n\
         done_when = \"select reloptions::text like '%71%' from pg_class where oid = 'people'::regclass\"\n";
    desk.add("0002_alone", &format!("{}{alone}", text.replace("70", "71")))
        .await;
    let holder = corridor_testbed::cluster::connect(&desk.database.url)
        .await
        .unwrap();
    holder
        .batch_execute("begin; lock table people in share update exclusive mode")
        .await
        .unwrap();
    for name in ["0001_in", "0002_alone"] {
        desk.run(&["migration", "start", name])
            .await
            .expect_code(5)
            .expect_fault("MIG-151");
    }
    holder.batch_execute("commit").await.unwrap();
    for name in ["0001_in", "0002_alone"] {
        desk.run(&["resume", name]).await.expect_code(0);
    }
}

#[tokio::test]
async fn a_long_error_is_told_whole_and_by_the_name_of_its_operation() {
    let desk = Desk::new("complaint_errors", TABLES).await;
    let long: Vec<String> = (1..=300).map(|n| format!("word{n}")).collect();
    let long = long.join(" ");
    desk.client
        .batch_execute(&format!(
            "create function fails() returns void language plpgsql as $$ begin raise '{long}'; end $$"
        ))
        .await
        .unwrap();
    let text = "[[operations]]\nkind = \"sql\"\nname = \"the-one-that-fails\"\nstatement = \"select fails()\"\nrollback = \"\"\n";
    desk.add("0001_m", text).await;
    let run = desk.run(&["migration", "start", "0001_m"]).await;
    assert!(words(&run.stderr).contains(&long), "{}", run.stderr);
    for args in [&["status", "0001_m"], &["logs", "0001_m"]] {
        let told = words(&desk.run(args).await.expect_code(0).stdout);
        assert!(told.contains(&long), "{args:?}: {told}");
        assert!(told.contains("the-one-that-fails"), "{args:?}: {told}");
    }
}

/// SIGTERM in the middle of a statement and of a backfill: it leaves in order, gives its lease back, and who follows does each
/// row once.
#[tokio::test]
async fn a_worker_that_is_told_to_leave_checkpoints_and_is_followed() {
    let desk = Desk::new("complaint_sigterm", TABLES).await;
    let slow = FILL.replace(
        "set = { n = \"n + 1\" }",
        "set = { n = \"n + 1 + 0 * length(pg_sleep(0.01)::text)\" }",
    );
    desk.add(
        "0001_m",
        &format!(
            "{slow}[[operations]]\nkind = \"sql\"\nname = \"long\"\nrollback = \"\"\n\
             statement = \"insert into done values ('x'); select pg_sleep(case when exists (select from gate) then 3600 else 0 end)\"\n"
        ),
    )
    .await;
    desk.client
        .batch_execute("insert into gate default values")
        .await
        .unwrap();
    let mut verb = &["migration", "start", "0001_m"][..];
    for is_there in [
        "select exists (select from corridor.item where batches > 1)",
        "select exists (select from corridor.operation where name = 'long' and state = 'running') and exists \
         (select from pg_stat_activity where wait_event = 'PgSleep' and datname = current_database())",
    ] {
        let worker = corridor_on(&desk.database, verb).start();
        desk.until(is_there).await;
        let pid = rustix::process::Pid::from_raw(worker.id().unwrap().cast_signed()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        end(worker).await.expect_code(143);
        assert_eq!(desk.state("0001_m").await, "running");
        assert_eq!(
            desk.figure("select count(*) from corridor.lease where holder is not null")
                .await,
            0,
            "the next one need not wait"
        );
        verb = &["resume", "0001_m"];
    }
    desk.client.batch_execute("delete from gate").await.unwrap();
    desk.run(&["resume", "0001_m"]).await.expect_code(0);
    assert_eq!(desk.figure("select count(*) from people where n = 1").await, 500);
    assert_eq!(desk.done().await, ["x"]);
}

#[tokio::test]
async fn a_long_one_does_not_hold_up_a_short_one() {
    let desk = Desk::new("complaint_slots", TABLES).await;
    let waits = "[[operations]]\nkind = \"wait_until\"\nname = \"wait\"\nquery = \"select exists (select from gate)\"\nevery = \"100ms\"\n";
    desk.add("0001_long", waits).await;
    desk.add("0002_short", &mark("short")).await;
    let service = desk.serve("").await;
    desk.run(&["migration", "start", "0001_long", "--detach"])
        .await
        .expect_code(0);
    desk.until_running("wait").await;
    desk.run(&["migration", "start", "0002_short", "--detach"])
        .await
        .expect_code(0);
    desk.until_state("0002_short", "finished").await;
    assert_eq!(desk.state("0001_long").await, "running");
    service.stop().await;
}
