//! The history: kept, rolled up, bounded, loaded, by one collector and by two at once.

use std::time::Duration;

use corridor_limits::collector::Collector;
use corridor_limits::sample::store::{self, Kept, OBJECTS_MAX, RAW_DEFAULT, SERIES_MAX};
use corridor_limits::{Metric, Runway, Sample, Unit, forecast};
use corridor_migration::schema;
use corridor_pg::{ApplicationName, ConnectOptions, Isolation, Session};
use corridor_testbed::{Cluster, Database};

use crate::scene::majors;

static SIZE: Metric = Metric::gauge("test_size_bytes", Unit::Bytes, "A size.");
static COUNT: Metric = Metric::counter("test_count", Unit::Count, "A counter.");
static OTHER: Metric = Metric::gauge("test_other", Unit::Count, "Not asked for.");

const HOUR_S: f64 = 3_600.0;
const DAY_S: f64 = 86_400.0;

async fn connect(url: &str) -> Session {
    let options = ConnectOptions::from_process(Some(url)).unwrap();
    options
        .connect(&ApplicationName::new("watch", "-"))
        .await
        .unwrap()
}

async fn stage(major: u32) -> (Database, Session) {
    let database = Cluster::shared(major)
        .await
        .fresh_database("history")
        .await
        .unwrap();
    let mut session = connect(&database.url).await;
    schema::ensure(&mut session).await.unwrap();
    (database, session)
}

async fn number(session: &Session, sql: &str) -> f64 {
    session.query_one(sql, &[]).await.unwrap().get(0)
}

async fn now_s(session: &Session) -> f64 {
    number(session, "select extract(epoch from clock_timestamp())::float8").await
}

#[tokio::test]
async fn what_is_kept_is_loaded_on_every_major() {
    for major in majors() {
        let (_database, session) = stage(major).await;
        let now = now_s(&session).await;
        for (ago_s, value) in [(2_400.0, 1.0), (1_200.0, 2.0), (0.0, 3.0)] {
            let samples = [
                Sample::new(&SIZE, "public.\"Ünï'code\"", value),
                Sample::new(&COUNT, "", 10.0 * value),
                Sample::new(&OTHER, "", value),
            ];
            let kept = store::keep(&*session, &samples, now - ago_s).await.unwrap();
            assert_eq!(kept.figures, 3);
            // A second time changes nothing.
            let kept = store::keep(&*session, &samples, now - ago_s).await.unwrap();
            assert_eq!(kept, Kept::default());
        }
        let (past, unread) = store::load(&session, &[&SIZE, &COUNT]).await.unwrap();
        assert_eq!(unread, None);
        let values =
            |metric, object| -> Vec<f64> { past.series(metric, object).iter().map(|p| p.value).collect() };
        assert_eq!(values(&SIZE, "public.\"Ünï'code\""), [1.0, 2.0, 3.0]);
        assert_eq!(values(&COUNT, ""), [10.0, 20.0, 30.0]);
        assert_eq!(values(&OTHER, ""), [0.0; 0]);
        let at_s = past.series(&COUNT, "")[0].at_s;
        assert!((at_s - (now - 2_400.0)).abs() < 0.001, "{at_s}");
    }
}

#[tokio::test]
async fn each_statement_prepares_on_every_major() {
    for major in majors() {
        let (_database, session) = stage(major).await;
        for area in ["sample", "collector"] {
            let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("sql")
                .join(area);
            for file in std::fs::read_dir(dir).unwrap() {
                let path = file.unwrap().path();
                let sql = std::fs::read_to_string(&path).unwrap();
                let prepared = session.prepare(&sql).await;
                prepared.unwrap_or_else(|e| panic!("{} on {major}: {e:?}", path.display()));
            }
        }
    }
}

#[tokio::test]
async fn hours_and_days_are_made_once_and_what_is_old_goes() {
    for major in majors() {
        let (_database, mut session) = stage(major).await;
        // Four whole days and what there is of today, every ten minutes: 0, 1, 2, …
        session
            .batch_execute(
                "insert into corridor.series (metric, object) values ('test_count', '');
                 insert into corridor.sample (resolution, at, series_id, last)
                 select 0, t, 1, extract(epoch from t - date_trunc('day', now() - interval '4 days', 'UTC')) / 600
                 from generate_series(date_trunc('day', now() - interval '4 days', 'UTC'), now(), '10 minutes') t",
            )
            .await
            .unwrap();
        let first = store::roll_up(&mut session, RAW_DEFAULT).await.unwrap();
        assert!(first.is_done && first.forgotten >= 200, "{first:?}");
        let second = store::roll_up(&mut session, RAW_DEFAULT).await.unwrap();
        assert_eq!(second.forgotten, 0, "nothing is left to do");
        let wrong = "select (count(*) filter (where count <> 6 or last - first <> 5 or low <> first or high <> last
                      or first <> extract(epoch from at - date_trunc('day', now() - interval '4 days', 'UTC')) / 600))::float8
                     from corridor.sample where resolution = 1";
        assert_eq!(number(&session, wrong).await, 0.0);
        let hours = "select extract(epoch from max(at) - min(at))::float8 / 3600 + 1 - count(*)
                     from corridor.sample where resolution = 1";
        assert_eq!(number(&session, hours).await, 0.0, "no hour is missing");
        let days =
            "select (count(*) filter (where count = 144 and high - low = 143 and last - first = 143))::float8
                    from corridor.sample where resolution = 2";
        assert_eq!(number(&session, days).await, 4.0);
        let oldest =
            "select extract(epoch from now() - min(at))::float8 from corridor.sample where resolution = 0";
        assert!(number(&session, oldest).await <= 2.0 * DAY_S + 5.0);
        let (past, _) = store::load(&session, &[&COUNT]).await.unwrap();
        let points = past.series(&COUNT, "");
        assert!(
            points
                .windows(2)
                .all(|p| p[0].at_s <= p[1].at_s && p[0].value <= p[1].value)
        );
        let per_s = forecast::growth(points, COUNT.kind).unwrap().per_s;
        assert!((per_s * 600.0 - 1.0).abs() < 0.05, "{per_s}");
    }
}

/// Three years in buckets, as the collector would have left them.
async fn three_years(session: &Session, series: u32) {
    session
        .batch_execute(&format!(
            "insert into corridor.series (metric, object)
             select 'test_size_bytes', 'public.t' || n from generate_series(1, {series}) n;
             insert into corridor.sample (resolution, at, series_id, first, last, low, high, count)
             select r, t, s.id, v, v, v, v, 60
             from (select 2 as r, t from generate_series(date_trunc('day', now(), 'UTC') - interval '1099 days',
                       date_trunc('day', now(), 'UTC') - interval '1 day', '1 day') t
                   union all
                   select 1, t from generate_series(date_trunc('hour', now(), 'UTC') - interval '59 days',
                       date_trunc('hour', now(), 'UTC') - interval '1 hour', '1 hour') t) b,
                  corridor.series s,
                  lateral (select 1e6 + extract(epoch from t - now())::float8 / 86400 * 100 * s.id as v) v;
             analyze corridor.sample"
        ))
        .await
        .unwrap();
}

#[tokio::test]
async fn three_years_are_four_hundred_points_and_a_right_forecast() {
    let (_database, session) = stage(15).await;
    three_years(&session, 40).await;
    let begun = std::time::Instant::now();
    let (past, _) = store::load(&session, &[&SIZE]).await.unwrap();
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(1), "{took:?} for 40 series");
    for n in 1..=40 {
        let points = past.series(&SIZE, &format!("public.t{n}"));
        assert!((340..=400).contains(&points.len()), "{}", points.len());
        // A hundred times n a day, and 50,000 left.
        let days = 500.0 / f64::from(n);
        match forecast::runway(points, SIZE.kind, 1e6, 1.05e6) {
            Runway::Days { mid, .. } => assert!((mid / days - 1.0).abs() < 0.05, "{mid} {days}"),
            other => panic!("{n}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn without_a_schema_or_a_right_the_past_is_empty() {
    for major in majors() {
        let cluster = Cluster::shared(major).await;
        let database = cluster.fresh_database("history").await.unwrap();
        let mut admin = connect(&database.url).await;
        let (past, unread) = store::load(&admin, &[&SIZE]).await.unwrap();
        assert!(past.is_empty() && unread.is_none(), "nothing there is no fault");
        schema::ensure(&mut admin).await.unwrap();
        let now = now_s(&admin).await;
        store::keep(&*admin, &[Sample::new(&SIZE, "", 1.0)], now)
            .await
            .unwrap();
        let role = format!("poor_{}", database.name);
        admin
            .batch_execute(&format!("create role {role} login"))
            .await
            .unwrap();
        let poor = connect(&database.url.replace("postgres@", &format!("{role}@"))).await;
        let (past, unread) = store::load(&poor, &[&SIZE]).await.unwrap();
        assert!(past.is_empty() && unread.is_some_and(|u| u.remedy.starts_with("grant ")));
        // Every grant that is asked for, and nothing else, lets it keep.
        assert!(
            store::keep(&*poor, &[Sample::new(&SIZE, "", 2.0)], now + 1.0)
                .await
                .is_err()
        );
        for _ in 0..2 {
            for grant in store::missing_grants(&*poor).await.unwrap() {
                admin.batch_execute(&grant).await.unwrap();
            }
        }
        assert!(store::missing_grants(&*poor).await.unwrap().is_empty());
        let mut poor = connect(&database.url.replace("postgres@", &format!("{role}@"))).await;
        schema::ensure(&mut poor).await.unwrap();
        store::keep(&*poor, &[Sample::new(&SIZE, "new", 2.0)], now + 1.0)
            .await
            .unwrap();
        assert!(store::roll_up(&mut poor, RAW_DEFAULT).await.unwrap().is_done);
        assert!(!store::load(&poor, &[&SIZE]).await.unwrap().0.is_empty());
        drop(poor);
        admin
            .batch_execute(&format!("drop owned by {role}; drop role {role}"))
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn the_number_of_series_has_a_limit() {
    let (_database, mut session) = stage(15).await;
    let now = now_s(&session).await;
    for round in 0..5 {
        let samples: Vec<Sample> = (0..100)
            .map(|n| Sample::new(&SIZE, format!("r{round}.t{n}"), f64::from(n)))
            .collect();
        let kept = store::keep(&*session, &samples, now + f64::from(round))
            .await
            .unwrap();
        assert_eq!(kept.figures, OBJECTS_MAX as u64);
        assert_eq!(kept.left_out, [("test_size_bytes", 60)]);
    }
    store::roll_up(&mut session, RAW_DEFAULT).await.unwrap();
    let series = number(&session, "select count(*)::float8 from corridor.series").await;
    assert_eq!(series, SERIES_MAX as f64);
    let newest = number(
        &session,
        "select count(*)::float8 from corridor.series where object like 'r4.%'",
    )
    .await;
    assert_eq!(newest, OBJECTS_MAX as f64, "those that had figures last stay");
    let orphans = "select count(*)::float8 from corridor.sample where series_id not in (select id from corridor.series)";
    assert_eq!(number(&session, orphans).await, 0.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_collectors_at_once_lose_nothing_and_never_block_each_other() {
    for major in majors() {
        let (database, session) = stage(major).await;
        // From three days ago on, a figure each hour: roll-ups find something to do all the time.
        let begin = now_s(&session).await - 80.0 * HOUR_S;
        let mut tasks = Vec::new();
        for _ in 0..2 {
            let mut session = connect(&database.url).await;
            tasks.push(tokio::spawn(async move {
                let mut figures = 0;
                for hour in 0..80 {
                    let samples: Vec<Sample> = (0..20)
                        // In another order each time: no deadlock. Forty series: fewer than are kept, or whoever lags behind
                        // would bring back what a roll-up has already let go.
                        .map(|n| {
                            Sample::new(
                                &SIZE,
                                format!("h{}.t{}", hour / 40, (n * 7 + hour) % 20),
                                f64::from(hour),
                            )
                        })
                        .collect();
                    let at_s = begin + f64::from(hour) * HOUR_S;
                    figures += store::keep(&*session, &samples, at_s).await.unwrap().figures;
                    if hour % 8 == 0 {
                        store::roll_up(&mut session, Duration::from_secs(30 * 86_400))
                            .await
                            .unwrap();
                    }
                }
                figures
            }));
        }
        let mut figures = 0;
        for task in tasks {
            figures += task.await.unwrap();
        }
        assert_eq!(figures, 80 * 20, "each figure once, by whoever came first");
    }
}

/// The series is made by another one between the beginning of the statement and its end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_series_that_is_made_at_the_same_time_keeps_both_figures() {
    let (database, mut session) = stage(15).await;
    let now = now_s(&session).await;
    let tx = session.begin(Isolation::ReadCommitted).await.unwrap();
    store::keep(&tx, &[Sample::new(&SIZE, "new", 1.0)], now)
        .await
        .unwrap();
    let other = connect(&database.url).await;
    let pid = other.backend_pid();
    let waiting =
        tokio::spawn(async move { store::keep(&*other, &[Sample::new(&SIZE, "new", 2.0)], now + 1.0).await });
    let waits = "select count(*) from pg_locks where pid = $1 and not granted";
    let patience = std::time::Instant::now();
    while tx.query_one(waits, &[&pid]).await.unwrap().get::<_, i64>(0) == 0 {
        assert!(patience.elapsed() < Duration::from_secs(30), "it never waited");
        tokio::task::yield_now().await;
    }
    tx.commit().await.unwrap();
    assert_eq!(waiting.await.unwrap().unwrap().figures, 1);
    assert_eq!(
        number(&session, "select count(*)::float8 from corridor.sample").await,
        2.0
    );
}

#[tokio::test]
async fn only_own_tables_are_locked() {
    let (_database, mut session) = stage(15).await;
    session
        .batch_execute("create table public.application (id int primary key)")
        .await
        .unwrap();
    let now = now_s(&session).await;
    let tx = session.begin(Isolation::ReadCommitted).await.unwrap();
    store::keep(&tx, &[Sample::new(&SIZE, "public.application", 1.0)], now)
        .await
        .unwrap();
    let rows = tx
        .query(
            "select distinct c.relnamespace::regnamespace::text, l.mode from pg_locks l
             join pg_class c on c.oid = l.relation where l.pid = pg_backend_pid()",
            &[],
        )
        .await
        .unwrap();
    for row in rows {
        let (schema, mode): (String, String) = (row.get(0), row.get(1));
        assert!(
            schema == "corridor" || (schema == "pg_catalog" && mode == "AccessShareLock"),
            "{schema} {mode}"
        );
    }
}

#[tokio::test]
async fn one_collects_and_the_next_takes_over() {
    for major in majors() {
        let (database, mut session) = stage(major).await;
        let mut other = connect(&database.url).await;
        let now = now_s(&session).await;
        let samples = [Sample::new(&SIZE, "", 1.0)];
        let ttl = Duration::from_secs(60);
        let first = Collector::take(&session, "watch@a 1", ttl)
            .await
            .unwrap()
            .unwrap();
        let holder = Collector::take(&other, "watch@b 2", ttl)
            .await
            .unwrap()
            .unwrap_err()
            .unwrap();
        assert_eq!(holder.name, "watch@a 1");
        assert!((0.0..30.0).contains(&holder.silent_s));
        assert!(first.keep(&mut session, &samples, now).await.unwrap().is_some());
        // It dies: it is silent for longer than it had promised.
        session
            .batch_execute("update corridor.collector set beat_at = beat_at - interval '61 seconds'")
            .await
            .unwrap();
        let second = Collector::take(&other, "watch@b 2", ttl).await.unwrap().unwrap();
        // It was not dead: it keeps nothing any more, and does not give up what is not its own.
        assert_eq!(first.keep(&mut session, &samples, now + 1.0).await.unwrap(), None);
        first.release(&session).await.unwrap();
        let held = Collector::take(&session, "watch@c 3", ttl)
            .await
            .unwrap()
            .unwrap_err();
        assert_eq!(held.unwrap().name, "watch@b 2");
        assert!(
            second
                .keep(&mut other, &samples, now + 2.0)
                .await
                .unwrap()
                .is_some()
        );
        assert_eq!(
            number(&session, "select count(*)::float8 from corridor.sample").await,
            2.0
        );
        second.release(&other).await.unwrap();
        assert!(Collector::take(&session, "watch@a 1", ttl).await.unwrap().is_ok());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_eight_at_once_one_becomes_the_collector() {
    let (database, _session) = stage(15).await;
    let mut tasks = Vec::new();
    for n in 0..8 {
        let session = connect(&database.url).await;
        tasks.push(tokio::spawn(async move {
            let taken = Collector::take(&session, &format!("watch@{n}"), Duration::from_secs(60)).await;
            taken.unwrap().is_ok()
        }));
    }
    let mut winners = 0;
    for task in tasks {
        winners += u32::from(task.await.unwrap());
    }
    assert_eq!(winners, 1);
}
