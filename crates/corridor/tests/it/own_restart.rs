//! A server that falls over (`pg_ctl restart -m immediate`) in the middle of each kind of operation. The worker lives: it comes back
//! by itself, and everything was done exactly once.

use corridor_testbed::{Cluster, ClusterOptions, Mode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Child;
use tokio_postgres::Client;

use crate::desk::Desk;
use crate::driver::{corridor_on, end};

const TABLES: &str =
    "create table people (id bigint generated always as identity primary key, team_id int not null, \
     n int not null default 0, name text);
     insert into people (team_id, name) select 1 + i % 5, 'n' || i from generate_series(1, 500) i;
     create table done (what text not null);
     create table gate ();
     insert into gate default values;
     create function slow(n int) returns boolean language plpgsql as $$ begin
         if exists (select from gate) then perform pg_sleep(3600); end if; return true; end $$;
     create table persons (team_id int, id int, primary key (team_id, id));
     insert into persons select i % 5, i from generate_series(1, 20000) i;
     analyze people, persons";

/// One migration with one operation, that was brought to its middle.
struct Middle {
    kind: &'static str,
    desk: Desk,
    worker: Child,
    /// Holds what the operation waits for; the server's fall ends it.
    _holder: Client,
}

/// A statement of the worker waits or sleeps.
const SLEEPS: &str = "select exists (select from pg_stat_activity where application_name like 'corridor:%:0001_m' \
     and wait_event = 'PgSleep' and datname = current_database())";
const WAITS_FOR_LOCK: &str = "select exists (select from pg_stat_activity where application_name like 'corridor:%:0001_m' \
     and wait_event_type = 'Lock' and datname = current_database())";

const WAITS_IN_A_BATCH: &str = "select exists (select from corridor.item where batches > 0) and exists (select from pg_locks \
     join pg_stat_activity using (pid) where not granted and datname = current_database())";

async fn middle(
    cluster: &Cluster,
    kind: &'static str,
    holds: &str,
    operation: &str,
    is_there: &str,
) -> Middle {
    let label = format!("own_restart_{kind}");
    let desk = Desk::on(cluster.fresh_database(&label).await.unwrap(), &label, TABLES).await;
    let holder = corridor_testbed::cluster::connect(&desk.database.url)
        .await
        .unwrap();
    holder.batch_execute(&format!("begin; {holds}")).await.unwrap();
    let operation = operation.replace("DIR", &desk.dir.to_string_lossy());
    desk.add("0001_m", &format!("[[operations]]\nname = \"it\"\n{operation}"))
        .await;
    // The fall may take longer than the short lease of other tests, and the worker must have a reason to come back.
    desk.run(&["set", "0001_m", "lease.ttl_ms=20000"])
        .await
        .expect_code(0);
    let worker = corridor_on(&desk.database, &["migration", "start", "0001_m"]).start();
    desk.until_running("it").await;
    desk.until(is_there).await;
    Middle {
        kind,
        desk,
        worker,
        _holder: holder,
    }
}

#[tokio::test]
async fn a_server_that_falls_over_in_the_middle_of_each_kind_loses_and_repeats_nothing() {
    let cluster = Cluster::start(ClusterOptions::new(15)).await.unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (answer, answered) = tokio::sync::oneshot::channel::<()>();
    let calls = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut buffer = [0u8; 4_096];
        assert!(stream.read(&mut buffer).await.unwrap() > 0);
        answered.await.unwrap();
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi")
            .await
            .unwrap();
        // Nobody calls again.
        tokio::time::timeout(std::time::Duration::from_millis(500), listener.accept())
            .await
            .is_err()
    });
    let http = format!(
        "kind = \"http\"\nmethod = \"POST\"\nurl = \"http://{address}/\"\nbody = \"x\"\nirreversible = \"told\"\ntimeout = \"2min\""
    );
    let kinds: [(&str, &str, &str, &str); 11] = [
        (
            "sql",
            "",
            "kind = \"sql\"\nstatement = \"insert into done values ('x'); select slow(1)\"\nrollback = \"\"",
            SLEEPS,
        ),
        (
            "alone",
            "",
            "kind = \"sql\"\nno_transaction = true\nrollback = \"\"\n\
             statement = \"do $$ begin insert into done values ('x'); commit; perform slow(1); end $$\"\n\
             done_when = \"select exists (select from done)\"",
            SLEEPS,
        ),
        (
            "backfill",
            "select * from people where id = 300 for update",
            "kind = \"backfill\"\ntable = \"people\"\nset = { n = \"n + 1\" }\nrows = 20\nrollback = \"\"",
            WAITS_IN_A_BATCH,
        ),
        (
            "each",
            "select * from people where id = 300 for update",
            "kind = \"backfill\"\ntable = \"people\"\nstatement = \"update people set n = n + 1 where team_id = :each and :range\"\n\
             for_each = \"select distinct team_id from people order by 1\"\nwhere = \"team_id = :each\"\nrows = 20\nrollback = \"\"",
            WAITS_IN_A_BATCH,
        ),
        (
            "index",
            "lock table people in row exclusive mode; select txid_current()",
            "kind = \"index\"\ntable = \"people\"\nindex = \"people_name\"\ndefinition = \"(name)\"",
            "select exists (select from pg_stat_progress_create_index where datname = current_database())",
        ),
        (
            "constraint",
            "",
            "kind = \"constraint\"\ntable = \"people\"\nconstraint = \"slow_check\"\ndefinition = \"check (slow(n))\"",
            SLEEPS,
        ),
        (
            "not_null",
            "select * from people",
            "kind = \"constraint\"\ntable = \"people\"\nconstraint = \"present\"\ndefinition = \"not null name\"",
            WAITS_FOR_LOCK,
        ),
        (
            "wait",
            "",
            "kind = \"wait_until\"\nquery = \"select not exists (select from gate)\"\nevery = \"100ms\"\nat_most = \"10min\"",
            "select true",
        ),
        (
            "command",
            "",
            "kind = \"command\"\nrollback = []\n\
             command = [\"sh\", \"-c\", \"echo b >> DIR/told; while [ ! -e DIR/go ]; do sleep 0.1; done; echo e >> DIR/told\"]",
            "select exists (select from corridor.attempt)",
        ),
        ("http", "", &http, "select exists (select from corridor.attempt)"),
        (
            "move",
            "",
            "kind = \"move\"\ntable = \"persons\"\narguments = [\"--partition-by\", \"hash(team_id)\", \"--partitions\", \"3\"]",
            "select exists (select from corridor.operation where name = 'copy' and state = 'running')",
        ),
    ];
    let mut all = Vec::new();
    for (kind, holds, operation, is_there) in kinds {
        all.push(middle(&cluster, kind, holds, operation, is_there).await);
    }
    for middle in &all {
        // Gone for whoever asks anew; those who sleep, sleep on until the server falls.
        middle
            .desk
            .client
            .batch_execute("delete from gate")
            .await
            .unwrap();
    }
    cluster.restart(Mode::Immediate).await.unwrap();
    answer.send(()).unwrap();
    for middle in all {
        let Middle {
            kind,
            mut desk,
            worker,
            ..
        } = middle;
        std::fs::write(desk.dir.join("go"), "").unwrap();
        let run = end(worker).await;
        assert_eq!(run.code, 0, "{kind}: {}", run.stderr);
        desk.client = corridor_testbed::cluster::connect(&desk.database.url)
            .await
            .unwrap();
        expect_once(&desk, kind).await;
    }
    assert!(calls.await.unwrap(), "it was called twice");
}

async fn expect_once(desk: &Desk, kind: &str) {
    let open = "select count(*) from corridor.operation o join corridor.migration m on m.id = o.migration_id \
         where m.name = '0001_m' and (o.state <> 'done' or m.state <> 'finished')";
    assert_eq!(desk.figure(open).await, 0, "{kind}");
    let (sql, wanted) = match kind {
        "sql" | "alone" => ("select count(*) from done", 1),
        "backfill" | "each" => {
            assert_eq!(
                desk.figure("select sum(rows)::int8 from corridor.item").await,
                500,
                "{kind}"
            );
            ("select count(*) from people where n = 1", 500)
        }
        "index" => (
            "select count(*) from pg_index where indrelid = 'people'::regclass and indisvalid and indisready and not indisprimary",
            1,
        ),
        "constraint" => (
            "select count(*) from pg_constraint where conname = 'slow_check' and convalidated",
            1,
        ),
        "not_null" => (
            "select count(*) from pg_attribute a where attrelid = 'people'::regclass and attname = 'name' and attnotnull \
             and not exists (select from pg_constraint where conrelid = a.attrelid and contype = 'c')",
            1,
        ),
        "command" => {
            let told = std::fs::read_to_string(desk.dir.join("told")).unwrap();
            assert_eq!(told.split_whitespace().collect::<Vec<_>>(), ["b", "e"]);
            ("select count(*) from corridor.attempt", 1)
        }
        "http" => ("select count(*) from corridor.attempt where outcome = 'done'", 1),
        "move" => {
            let kind = "select (relkind = 'p')::int::int8 from pg_class where oid = 'persons'::regclass";
            assert_eq!(desk.figure(kind).await, 1);
            ("select count(*) from persons", 20_000)
        }
        _ => ("select 1::int8", 1),
    };
    assert_eq!(desk.figure(sql).await, wanted, "{kind}");
}
