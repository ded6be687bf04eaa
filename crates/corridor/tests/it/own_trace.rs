//! What is known of a statement before it runs: who takes over must find it.

use crate::desk::Desk;
use crate::driver::{corridor_on, end};

const TABLES: &str =
    "create table people (id bigint generated always as identity primary key, n int not null default 0);
     insert into people (n) select 0 from generate_series(1, 300);
     create table done (what text not null);
     analyze people;
     do $$ begin execute format('alter database %I set compute_query_id = on', current_database()); end $$";

/// The newest try stands beside what its backend waits in: same process, same id, and the words before its statement.
const FOUND: &str = "select count(*) from corridor.attempt t join pg_stat_activity a on a.pid = t.backend_pid \
     and a.backend_start = t.backend_start and a.query_id = t.query_id and position(t.tag in a.query) > 0 \
     where t.outcome is null and a.wait_event_type = 'Lock' and a.datname = current_database()";

async fn is_found(label: &str, operation: &str, row: u32, found: i64) {
    let desk = Desk::new(label, TABLES).await;
    desk.add("0001_m", &format!("[[operations]]\nname = \"it\"\n{operation}\n"))
        .await;
    let holder = corridor_testbed::cluster::connect(&desk.database.url)
        .await
        .unwrap();
    let hold = format!("begin; select 1 from people where id = {row} for update");
    holder.batch_execute(&hold).await.unwrap();
    let worker = corridor_on(&desk.database, &["migration", "start", "0001_m"]).start();
    desk.until(
        "select exists (select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock')",
    )
    .await;
    assert_eq!(desk.figure(FOUND).await, found, "{operation}");
    holder.batch_execute("commit").await.unwrap();
    end(worker).await.expect_code(0);
    let open = "select count(*) from corridor.attempt where outcome is distinct from 'done'";
    assert_eq!(desk.figure(open).await, 0, "{operation}");
    let changed = "select count(*) from people where n = 1";
    assert!(desk.figure(changed).await >= 1, "{operation}");
    let twice = "select count(*) from people where n > 1";
    assert_eq!(desk.figure(twice).await, 0, "{operation}");
}

#[tokio::test]
async fn a_statement_in_a_transaction() {
    let operation = "kind = \"sql\"\nstatement = \"update people set n = n + 1 where id = 7 -- that one\"\nrollback = \"\"\nlock_timeout = \"1min\"";
    is_found("trace_sql", operation, 7, 1).await;
}

#[tokio::test]
async fn a_statement_outside_of_one() {
    let operation = "kind = \"sql\"\nno_transaction = true\nstatement = \"update people set n = n + 1 where id = 7 and n = 0\"\nrollback = \"\"\n\
         done_when = \"select n = 1 from people where id = 7\"\nlock_timeout = \"1min\"";
    is_found("trace_alone", operation, 7, 1).await;
}

#[tokio::test]
async fn the_first_batch() {
    let operation =
        "kind = \"backfill\"\ntable = \"people\"\nset = { n = \"n + 1\" }\nrows = 50\nrollback = \"\"";
    is_found("trace_first", operation, 7, 1).await;
}

/// One id is the next batch's; the try has both.
#[tokio::test]
async fn a_later_batch() {
    let operation =
        "kind = \"backfill\"\ntable = \"people\"\nset = { n = \"n + 1\" }\nrows = 50\nrollback = \"\"";
    let desk = Desk::new("trace_later", TABLES).await;
    desk.add("0001_m", &format!("[[operations]]\nname = \"it\"\n{operation}\n"))
        .await;
    let holder = corridor_testbed::cluster::connect(&desk.database.url)
        .await
        .unwrap();
    let hold = "begin; select 1 from people where id = 299 for update";
    holder.batch_execute(hold).await.unwrap();
    let worker = corridor_on(&desk.database, &["migration", "start", "0001_m"]).start();
    desk.until(
        "select exists (select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock')",
    )
    .await;
    let found = "select count(*) from corridor.attempt t join pg_stat_activity a on a.pid = t.backend_pid \
         and t.detail -> 'query_ids' @> to_jsonb(a.query_id) and t.query_id <> a.query_id and position(t.tag in a.query) > 0 \
         where t.outcome is null and a.wait_event_type = 'Lock'";
    assert_eq!(desk.figure(found).await, 1);
    holder.batch_execute("commit").await.unwrap();
    end(worker).await.expect_code(0);
    let service = desk.serve("").await;
    let page = service.get("/clusters/main/migrations/0001_m").await.1;
    service.stop().await;
    assert!(
        page.contains(", queries ") && !page.contains("query_ids"),
        "{page}"
    );
}

/// What the server does not plan has no id beforehand, and neither have several statements; both run all the same, once.
#[tokio::test]
async fn what_is_not_planned() {
    for (label, statement) in [
        (
            "trace_do",
            "do $$ begin update people set n = n + 1 where id = 7; end $$",
        ),
        ("trace_two", "update people set n = n + 1 where id = 7; select 1"),
    ] {
        let operation =
            format!("kind = \"sql\"\nstatement = \"{statement}\"\nrollback = \"\"\nlock_timeout = \"1min\"");
        is_found(label, &operation, 7, 0).await;
    }
}

/// Of a worker that is gone, the try is closed by the one that follows: the ledger says how far it came.
#[tokio::test]
async fn the_batches_of_a_worker_that_was_killed() {
    let operation =
        "kind = \"backfill\"\ntable = \"people\"\nset = { n = \"n + 1\" }\nrows = 50\nrollback = \"\"";
    let desk = Desk::new("trace_killed", TABLES).await;
    desk.add("0001_m", &format!("[[operations]]\nname = \"it\"\n{operation}\n"))
        .await;
    let holder = corridor_testbed::cluster::connect(&desk.database.url)
        .await
        .unwrap();
    let hold = "begin; select 1 from people where id = 299 for update";
    holder.batch_execute(hold).await.unwrap();
    let mut worker = corridor_on(&desk.database, &["migration", "start", "0001_m"]).start();
    desk.until(
        "select exists (select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock')",
    )
    .await;
    worker.start_kill().unwrap();
    worker.wait().await.unwrap();
    holder.batch_execute("commit").await.unwrap();
    desk.run(&["resume", "0001_m"]).await.expect_code(0);
    let outcomes = "select string_agg(outcome, ' ' order by number) from corridor.attempt";
    let outcomes: String = desk.client.query_one(outcomes, &[]).await.unwrap().get(0);
    assert_eq!(outcomes, "lost done");
    assert_eq!(desk.figure("select count(*) from people where n = 1").await, 300);
}
