//! An attack: an application writes all the time and keeps a ledger of what was acknowledged, while the runner is killed at random
//! instants, again and again, in the middle of backfills and index builds. To the end everything was done exactly once, and no
//! acknowledged write is lost.
//!
//! `CORRIDOR_ATTACK_S=180` makes it longer.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;

use crate::desk::Desk;
use crate::driver::{Run, corridor_on, end};

const ROWS: i64 = 30_000;
const WRITERS: i64 = 3;
/// What a shell says of a process that was killed.
const KILLED: i32 = 137;

/// The names are long, so that an index on them takes its time.
fn tables() -> String {
    format!(
        "create table people (id bigint generated always as identity primary key, n int not null default 0, \
         v bigint not null default 0, name text);
         insert into people (name) select repeat('n' || i, 20) from generate_series(1, {ROWS}) i;
         create table done (what text not null);
         analyze people"
    )
}

/// What one writer was told: the value of each of its rows, or that it is gone.
type Ledger = BTreeMap<i64, Option<i64>>;

/// Writes rows of its own until it is told to stop. A row is in the ledger when its write was acknowledged.
fn writer(url: String, number: i64, stop: Arc<AtomicBool>) -> JoinHandle<(Ledger, u64)> {
    tokio::spawn(async move {
        let client = corridor_testbed::cluster::connect(&url).await.unwrap();
        let mut random = fastrand::Rng::with_seed(number.unsigned_abs());
        let (mut ledger, mut value, mut writes) = (Ledger::new(), 0, 0);
        while !stop.load(Ordering::Relaxed) {
            value += 1;
            writes += 1;
            let id = random.i64(0..ROWS / WRITERS) * WRITERS + number + 1;
            let is_gone = ledger.get(&id) == Some(&None);
            match random.u8(0..20) {
                0 if !is_gone => {
                    client
                        .execute("delete from people where id = $1", &[&id])
                        .await
                        .unwrap();
                    ledger.insert(id, None);
                }
                1..=3 => {
                    let row = client
                        .query_one(
                            "insert into people (v, name) values ($1, 'new') returning id",
                            &[&value],
                        )
                        .await
                        .unwrap();
                    ledger.insert(row.get(0), Some(value));
                }
                _ if !is_gone => {
                    let sql = "update people set v = $2 where id = $1";
                    let written = client.execute(sql, &[&id, &value]).await.unwrap();
                    assert_eq!(written, 1, "row {id} is not there");
                    ledger.insert(id, Some(value));
                }
                _ => {}
            }
        }
        (ledger, writes)
    })
}

fn round(number: u32) -> String {
    format!(
        "settings = {{ \"chunk.target_ms\" = \"20ms\" }}\n\
         [[operations]]\nkind = \"sql\"\nname = \"mark\"\nstatement = \"insert into done values ('{number}')\"\nrollback = \"\"\n\
         [[operations]]\nkind = \"backfill\"\nname = \"fill\"\ntable = \"people\"\nset = {{ n = \"n + 1\" }}\nrows = 20\nrollback = \"\"\n\
         [[operations]]\nkind = \"index\"\nname = \"build\"\ntable = \"people\"\nindex = \"people_{number}\"\n\
         definition = \"(md5(repeat(name, 20)), id)\"\n\
         [[operations]]\nkind = \"constraint\"\nname = \"named\"\ntable = \"people\"\nconstraint = \"named\"\ndefinition = \"not null name\"\n\
         [[operations]]\nkind = \"backfill\"\nname = \"each\"\ntable = \"people\"\nfor_each = \"select i from generate_series(0, 3) i\"\n\
         where = \"id % 4 = :each\"\nstatement = \"update people set n = n + 1 where id % 4 = :each and :range\"\nrows = 20\nrollback = \"\"\n\
         [[operations]]\nkind = \"sql\"\nname = \"over\"\nno_transaction = true\nrollback = \"\"\n\
         statement = \"insert into done values ('over {number}')\"\n\
         done_when = \"select exists (select from done where what = 'over {number}')\"\n"
    )
}

/// Starts it, kills it after `alive`, unless it has ended before.
async fn one_life(desk: &Desk, args: &[&str], alive: Duration) -> Run {
    let mut worker = corridor_on(&desk.database, args).start();
    let has_ended = tokio::time::timeout(alive, worker.wait()).await.is_ok();
    if !has_ended {
        worker.start_kill().unwrap();
    }
    end(worker).await
}

async fn expect_round(desk: &Desk, number: u32, story: &str) {
    let twice = i64::from(number) * 2;
    let wrong = format!("select count(*) from people where id <= {ROWS} and n <> {twice}");
    assert_eq!(
        desk.figure(&wrong).await,
        0,
        "{story}: rows that were not done once"
    );
    let wrong = format!("select count(*) from people where n > {twice}");
    assert_eq!(desk.figure(&wrong).await, 0, "{story}: rows that were done twice");
    let marks = format!("select count(*) from done where what in ('{number}', 'over {number}')");
    assert_eq!(desk.figure(&marks).await, 2, "{story}");
    let valid = format!(
        "select count(*) from pg_index where indrelid = 'people'::regclass and indisvalid and not indisprimary \
         and indexrelid = to_regclass('people_{number}')"
    );
    assert_eq!(desk.figure(&valid).await, 1, "{story}");
    let left = "select count(*) from pg_index where indrelid = 'people'::regclass and not indisvalid";
    assert_eq!(desk.figure(left).await, 0, "{story}: an index was left over");
    let open = "select count(*) from corridor.operation where state <> 'done'";
    assert_eq!(desk.figure(open).await, 0, "{story}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_random_under_live_writes_everything_is_done_once() {
    let seconds = std::env::var("CORRIDOR_ATTACK_S")
        .ok()
        .and_then(|text| text.parse().ok());
    let until = Instant::now() + Duration::from_secs(seconds.unwrap_or(20));
    let seed = fastrand::u64(..);
    let mut random = fastrand::Rng::with_seed(seed);
    let desk = Desk::new("own_attack", &tables()).await;
    let stop = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..WRITERS)
        .map(|number| writer(desk.database.url.clone(), number, Arc::clone(&stop)))
        .collect();
    let (mut number, mut kills) = (0, BTreeMap::<String, u32>::new());
    while Instant::now() < until {
        number += 1;
        let name = format!("{number:04}_attack");
        let story = format!("seed {seed}, round {number}");
        desk.add(&name, &round(number)).await;
        loop {
            let state = desk.state(&name).await;
            if state == "finished" {
                break;
            }
            assert!(
                ["planned", "running"].contains(&state.as_str()),
                "{story}: {state}"
            );
            let verb: &[&str] = match state.as_str() {
                "planned" => &["migration", "start", &name],
                _ => &["resume", &name],
            };
            // Sooner or later one must come to its end.
            let alive = if Instant::now() < until {
                random.u64(50..2_500)
            } else {
                60_000
            };
            let run = one_life(&desk, verb, Duration::from_millis(alive)).await;
            if run.code == KILLED {
                let at = "select coalesce((select current_operation from corridor.migration where name = $1), 'nowhere')";
                let at: String = desk.client.query_one(at, &[&name]).await.unwrap().get(0);
                *kills.entry(at).or_default() += 1;
            } else {
                assert!(
                    [0, 4].contains(&run.code),
                    "{story}: {}\n{}",
                    run.code,
                    run.stderr
                );
            }
        }
        expect_round(&desk, number, &story).await;
    }
    stop.store(true, Ordering::Relaxed);
    let mut all = 0;
    for writer in writers {
        let (ledger, writes) = writer.await.unwrap();
        all += writes;
        let (ids, values): (Vec<i64>, Vec<Option<i64>>) = ledger.into_iter().unzip();
        let sql = "select count(*) from unnest($1::int8[], $2::int8[]) w (id, v) left join people p on p.id = w.id \
                   where p.v is distinct from w.v";
        let lost: i64 = desk.client.query_one(sql, &[&ids, &values]).await.unwrap().get(0);
        assert_eq!(lost, 0, "seed {seed}: acknowledged writes are lost");
    }
    println!("seed {seed}: {number} rounds, {all} writes, killed at {kills:?}");
    assert!(
        kills.values().sum::<u32>() >= 3,
        "it was hardly ever killed: {kills:?}"
    );
}
