//! A middleman swallows what one of a worker's connections sends, while its heart beats on: each of them is missed, whatever it is
//! at, and given up for a new one. Every worker here would wait for ever, or go on unwatched, if nobody kept the vigil.

use std::time::{Duration, Instant};

use corridor_testbed::faults::FaultProxy;
use tokio::process::Child;

use crate::desk::Desk;
use crate::driver::{Run, corridor, corridor_on, end};

const TABLES: &str = "create table people (id bigint generated always as identity primary key, n int not null default 0, name text);
     insert into people (name) select 'n' || i from generate_series(1, 500) i;
     create table done (what text not null);
     create table gate ();
     analyze people";

/// Silence, and what has to be done to notice it, are seconds; more means that nobody noticed.
const NOTICED_WITHIN: Duration = Duration::from_secs(60);

/// A desk whose worker comes through a middleman.
struct Behind {
    desk: Desk,
    proxy: FaultProxy,
}

impl Behind {
    async fn new(label: &str, text: &str) -> Behind {
        let desk = Desk::new(label, TABLES).await;
        desk.add("0001_m", text).await;
        let port = desk.figure("select current_setting('port')::bigint").await;
        let proxy = FaultProxy::start(u16::try_from(port).unwrap()).unwrap();
        Behind { desk, proxy }
    }

    fn start(&self) -> Child {
        let url = self.proxy.url(&self.desk.database.url).unwrap();
        corridor(&["migration", "start", "0001_m", "--database", &url]).start()
    }

    fn silence(&self, role: &str) {
        let silenced = self.proxy.silence(&format!("corridor:{role}:"));
        assert!(silenced >= 1, "{role}: nobody was silenced");
    }

    async fn go(&self) {
        let sql = "insert into gate default values";
        self.desk.client.batch_execute(sql).await.unwrap();
    }
}

async fn in_time(worker: Child, what: &str) -> Run {
    tokio::time::timeout(NOTICED_WITHIN, end(worker))
        .await
        .unwrap_or_else(|_| panic!("{what}: it hangs"))
}

const OPEN: &str =
    "do $$ begin while not exists (select from gate) loop perform pg_sleep(0.1); end loop; end $$";
const IS_OPENING: &str = "select exists (select from pg_stat_activity where datname = current_database() \
     and application_name like 'corridor:%:0001_m' and wait_event = 'PgSleep')";

/// Its statement comes to its end, and nobody hears of it: the transaction is not committed, and done again, once.
#[tokio::test]
async fn while_a_statement_runs_in_a_transaction() {
    let text = format!(
        "[[operations]]\nkind = \"sql\"\nname = \"long\"\nstatement = \"\"\"insert into done values ('x'); {OPEN}\"\"\"\nrollback = \"\"\n"
    );
    let behind = Behind::new("silent_statement", &text).await;
    let worker = behind.start();
    behind.desk.until(IS_OPENING).await;
    behind.silence("work");
    behind.go().await;
    in_time(worker, "a statement").await.expect_code(0);
    assert_eq!(behind.desk.done().await, ["x"]);
}

/// An index that was built meanwhile is found, and not built twice.
#[tokio::test]
async fn while_an_index_is_built() {
    let text = "[[operations]]\nkind = \"index\"\nname = \"build\"\ntable = \"people\"\nindex = \"people_name\"\ndefinition = \"(name)\"\n";
    let behind = Behind::new("silent_index", text).await;
    let holder = corridor_testbed::cluster::connect(&behind.desk.database.url)
        .await
        .unwrap();
    holder
        .batch_execute("begin; lock table people in row exclusive mode; select txid_current()")
        .await
        .unwrap();
    let worker = behind.start();
    behind
        .desk
        .until("select exists (select from pg_stat_progress_create_index where datname = current_database())")
        .await;
    behind.silence("statement");
    holder.batch_execute("commit").await.unwrap();
    in_time(worker, "an index").await.expect_code(0);
    let tries = "select count(*) from corridor.attempt";
    assert_eq!(behind.desk.figure(tries).await, 1, "it was built once");
    let valid = "select count(*) from pg_index where indexrelid = 'people_name'::regclass and indisvalid";
    assert_eq!(behind.desk.figure(valid).await, 1);
}

/// A throttle that cannot be heard does not let the work go on unwatched for ever.
#[tokio::test]
async fn the_throttle() {
    // Each batch waits a little, so that there is work for the whole test.
    let text = "settings = { \"throttle.custom\" = 0, \"throttle.custom.query\" = \"select count(*) from public.gate\", \
         \"throttle.interval_ms\" = 200 }\n\
         [[operations]]\nkind = \"backfill\"\nname = \"fill\"\ntable = \"people\"\nrows = 1\nrollback = \"\"\n\
         statement = \"update people set n = n + 1 where :range and pg_sleep(0.3) is not null\"\n";
    let behind = Behind::new("silent_throttle", text).await;
    let worker = behind.start();
    let desk = &behind.desk;
    desk.until("select exists (select from corridor.item where batches > 0)")
        .await;
    behind.silence("throttle");
    let silenced = Instant::now();
    // It fails closed, long before the vigil ends the silence: no batch begins any more.
    let batches = "select sum(batches)::int8 from corridor.item";
    let (mut seen, mut since) = (desk.figure(batches).await, Instant::now());
    while since.elapsed() < Duration::from_secs(2) {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let now = desk.figure(batches).await;
        if now != seen {
            (seen, since) = (now, Instant::now());
        }
        assert!(
            silenced.elapsed() < Duration::from_secs(8),
            "it goes on unwatched"
        );
    }
    desk.until(&format!("select ({batches}) > {seen}")).await;
    behind.go().await;
    let holds = "select exists (select from corridor.journal where event = 'throttle' and detail::text like '%custom%')";
    tokio::time::timeout(NOTICED_WITHIN, async {
        while !desk.client.query_one(holds, &[]).await.unwrap().get::<_, bool>(0) {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    })
    .await
    .expect("the throttle is not heard of any more");
    desk.run(&["pause", "0001_m"]).await.expect_code(0);
    in_time(worker, "the throttle").await.expect_code(5);
    let rows = "select sum(rows)::int8 - (select count(*) from people where n = 1) from corridor.item";
    assert_eq!(desk.figure(rows).await, 0, "the ledger is what the rows are");
}

/// Before anything is begun: whoever starts it is told, and nothing was done.
#[tokio::test]
async fn the_start() {
    let text = format!(
        "[[prechecks]]\nname = \"slow\"\nquery = \"select waits()\"\n{}",
        crate::desk::mark("once")
    );
    let behind = Behind::new("silent_start", &text).await;
    let desk = &behind.desk;
    let waits = OPEN.replace(
        "do $$",
        "create function waits() returns boolean language plpgsql as $$",
    );
    let waits = waits.replace("end loop; end $$", "end loop; return true; end $$");
    desk.client.batch_execute(&waits).await.unwrap();
    let worker = behind.start();
    desk.until(IS_OPENING).await;
    behind.silence("control");
    behind.go().await;
    let run = in_time(worker, "the start").await;
    match desk.state("0001_m").await.as_str() {
        "planned" => {
            assert_eq!(run.code, 3, "{}", run.stderr);
            assert!(desk.done().await.is_empty());
            corridor_on(&desk.database, &["migration", "start", "0001_m"])
                .run()
                .await
                .expect_code(0);
        }
        _ => assert_eq!(run.code, 0, "{}", run.stderr),
    }
    assert_eq!(desk.done().await, ["once"]);
}
