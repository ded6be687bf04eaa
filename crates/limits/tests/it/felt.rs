//! What a check says of TOAST ids, against what writers then feel: look-ups for each value from the share of ids in use, and
//! the slowest write from the length of a stretch and the price of a look-up.
//!
//! The space has four billion ids; here windows of it are filled to a known share, the counter is put before one, and
//! values are written that stay inside of it. What the writers did is in the statistics of the TOAST relation's index.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use corridor_limits::probe::toast::Toast;
use corridor_limits::probe::toast::space::{estimate, lookups_per_value};
use corridor_limits::probe::{Probe, Scope};
use corridor_limits::reader::Reader;
use corridor_pg::{ApplicationName, ConnectOptions};
use corridor_testbed::{Cluster, ClusterOptions, Database};
use tokio_postgres::Client;

use crate::scene::majors;
use crate::toast::{fill, of_ids};

/// Values of a row, each with an id of its own.
const COLUMNS: u32 = 64;
/// Ids in a window: whole rows.
const WINDOW: u32 = 469 * COLUMNS;
/// How full each window is, in 1,024ths; behind the last one lies the wall.
const FULL: [u32; 3] = [512, 922, 768];
const WALL: u32 = 1_875 * COLUMNS;
/// Random points of a window, as the probe takes them of the whole space.
const POINTS: u32 = 2_000;

struct Scene {
    cluster: Cluster,
    database: Database,
    /// The first id of the first window.
    first: u32,
    /// The TOAST relation, qualified.
    toast: String,
}

impl Scene {
    /// Rows of 64 values; here and there a value is taken away again, and its id is free.
    async fn make(major: u32) -> Scene {
        let options = ClusterOptions::new(major).setting("autovacuum", "off");
        let cluster = Cluster::start(options).await.unwrap();
        let database = cluster.fresh_database("felt").await.unwrap();
        let client = cluster.connect(&database.name).await.unwrap();
        let rows = WINDOW * 3 + WALL;
        fill(&client, "public.felt", i32::try_from(rows / COLUMNS).unwrap()).await;
        for (window, full) in (0..).zip(FULL) {
            let (from, to) = (window * WINDOW / COLUMNS, (window + 1) * WINDOW / COLUMNS);
            let columns: Vec<String> = (0..COLUMNS)
                .map(|n| {
                    format!("c{n} = case when abs(hashtext(id || '/{n}')) % 1024 < {full} then c{n} end")
                })
                .collect();
            client
                .batch_execute(&format!(
                    "update felt set {} where id > {from} and id <= {to}",
                    columns.join(", ")
                ))
                .await
                .unwrap();
        }
        let last = of_ids(&client, "felt", "max").await;
        client
            .batch_execute("vacuum (analyze, index_cleanup on) felt")
            .await
            .unwrap();
        client
            .batch_execute("create sequence felt_id start 1000000")
            .await
            .unwrap();
        let sql = "select reltoastrelid::regclass::text from pg_class where relname = 'felt'";
        let toast: String = client.query_one(sql, &[]).await.unwrap().get(0);
        let first = u32::try_from(last).unwrap() + 1 - rows;
        Scene {
            cluster,
            database,
            first,
            toast,
        }
    }

    async fn client(&self) -> Client {
        self.cluster.connect(&self.database.name).await.unwrap()
    }

    /// What the probe reads now.
    async fn look(&self) -> Toast {
        let options = ConnectOptions::from_process(Some(&self.database.url)).unwrap();
        let session = options
            .connect(&ApplicationName::new("check", "-"))
            .await
            .unwrap();
        let mut reader = Reader::new(session).await.unwrap();
        reader.begin("toast", 3_000);
        let toast = Toast::read(&mut reader, &Scope::default()).await.unwrap();
        assert_eq!(reader.take_degraded(), []);
        toast
    }

    fn counter(&self) -> u32 {
        self.cluster.oid_counter().unwrap().get().unwrap()
    }

    /// Scans of the index, once everything is reported that sessions did: they have ended.
    async fn scans(&self) -> f64 {
        let sql = format!(
            "select idx_scan::float8 from pg_stat_all_tables where relid = '{}'::regclass",
            self.toast
        );
        let (mut seen, mut since) = (-1.0, Instant::now());
        // Before PostgreSQL 15 a collector writes them down half a second later.
        let settled = Duration::from_millis(if self.cluster.major() < 15 { 1_200 } else { 300 });
        while since.elapsed() < settled {
            let scans: f64 = self.client().await.query_one(&sql, &[]).await.unwrap().get(0);
            if scans != seen {
                (seen, since) = (scans, Instant::now());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        seen
    }

    /// The share of a window's ids that is in use, by random points, with its error.
    async fn share(&self, from: u32, seed: u64) -> (f64, f64) {
        let mut random = fastrand::Rng::with_seed(seed);
        let ids: Vec<i64> = (0..POINTS)
            .map(|_| i64::from(random.u32(from..from + WINDOW)))
            .collect();
        let sql = format!(
            "select count(*) from unnest($1::int8[]) p where exists (select from {} t where t.chunk_id = p::oid)",
            self.toast
        );
        let hits: i64 = self.client().await.query_one(&sql, &[&ids]).await.unwrap().get(0);
        let share = estimate(u32::try_from(hits).unwrap(), POINTS);
        (share.share, share.standard_error)
    }
}

/// Rows of 64 values.
fn insert(rows: u32) -> String {
    let values = vec!["repeat('y', 40)"; COLUMNS as usize].join(", ");
    format!("insert into felt select nextval('felt_id'), {values} from generate_series(1, {rows})")
}

#[tokio::test(flavor = "multi_thread")]
async fn writers_feel_what_was_said() {
    // Between the oldest and the newest one nothing of it has changed but how statistics are kept.
    let majors = majors();
    let ends: std::collections::BTreeSet<&u32> = majors.first().into_iter().chain(majors.last()).collect();
    for major in ends.into_iter().copied() {
        let scene = Scene::make(major).await;
        look_ups_on_average(&scene, 0).await;
        look_ups_on_average(&scene, 1).await;
        look_ups_while_they_write(&scene).await;
        slowest_write(&scene).await;
    }
}

/// `1 / (1 - p)`: by the statistics, and by how far the counter went.
async fn look_ups_on_average(scene: &Scene, window: u32) {
    let major = scene.cluster.major();
    let from = scene.first + window * WINDOW;
    let (share, error) = scene.share(from, u64::from(window)).await;
    let truth = f64::from(FULL[window as usize]) / 1_024.0;
    assert!(
        (share - truth).abs() < 4.0 * error,
        "{major}: {share} ± {error}, made {truth}"
    );
    let (predicted, least, most) = (
        lookups_per_value(share),
        lookups_per_value(share - 3.0 * error),
        lookups_per_value(share + 3.0 * error),
    );
    // As many as stay inside of it.
    let rows = (f64::from(WINDOW) * (1.0 - truth) * 0.6 / f64::from(COLUMNS)) as u32;
    let values = f64::from(rows * COLUMNS);
    let scans = scene.scans().await;
    let client = scene.client().await;
    scene.cluster.oid_counter().unwrap().set(from).unwrap();
    client.batch_execute(&insert(rows)).await.unwrap();
    let went = f64::from(scene.counter() - from);
    drop(client);
    let counted = (scene.scans().await - scans) / values;
    // The window has its own luck besides that of the points: 5 %.
    let is_near = |felt: f64| felt > least * 0.95 && felt < most * 1.05;
    assert!(
        is_near(counted) && is_near(went / values),
        "PostgreSQL {major}: {predicted:.2} look-ups predicted ({least:.2} to {most:.2}), {counted:.2} counted, \
         the counter went {:.2}",
        went / values
    );
}

/// What the probe itself says while somebody writes, from two looks.
async fn look_ups_while_they_write(scene: &Scene) {
    let major = scene.cluster.major();
    let from = scene.first + 2 * WINDOW;
    let predicted = lookups_per_value(f64::from(FULL[2]) / 1_024.0);
    scene.cluster.oid_counter().unwrap().set(from).unwrap();
    let is_over = AtomicBool::new(false);
    let write = async {
        let client = scene.client().await;
        while !is_over.load(Ordering::Relaxed) && scene.counter() < from + WINDOW * 9 / 10 {
            client.batch_execute(&insert(1)).await.unwrap();
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    };
    let look = async {
        tokio::time::sleep(Duration::from_millis(1_200)).await;
        let toast = scene.look().await;
        is_over.store(true, Ordering::Relaxed);
        toast
    };
    let ((), toast) = tokio::join!(write, look);
    let samples = toast.samples();
    let said = samples
        .iter()
        .find(|s| s.metric.name == "toast_lookups_per_value" && s.object == "public.felt")
        .unwrap_or_else(|| panic!("PostgreSQL {major}: {:?}", toast.relations));
    // The part of the window that they came through is a sample; before PostgreSQL 15 the probe's own look-ups may be
    // reported between its two looks.
    let most = if major == 14 { 3.0 } else { 1.2 };
    assert!(
        said.value > predicted * 0.8 && said.value < predicted * most,
        "PostgreSQL {major}: {predicted:.2} predicted, {} said",
        said.value
    );
}

/// The wall: the one write that goes through all of it takes what was said, within a factor of three. The best of five:
/// other tests keep the machine busy.
async fn slowest_write(scene: &Scene) {
    let major = scene.cluster.major();
    let mut tries = Vec::new();
    for _ in 0..5 {
        let (predicted_ms, felt_ms) = walk(scene).await;
        tries.push(format!("{predicted_ms:.0} ms predicted, {felt_ms:.0} ms felt"));
        if (1.0 / 3.0..3.0).contains(&(felt_ms / predicted_ms)) {
            return;
        }
    }
    panic!("PostgreSQL {major}: {}", tries.join("; "));
}

/// One walk: what the probe says, and the slowest write.
async fn walk(scene: &Scene) -> (f64, f64) {
    let major = scene.cluster.major();
    let wall = scene.first + 3 * WINDOW;
    let client = scene.client().await;
    scene.cluster.oid_counter().unwrap().set(wall - 200).unwrap();
    let toast = scene.look().await;
    let relation = &toast.relations[0];
    let stretch = relation.stretch.unwrap();
    // A second walk finds the last ids of the window used as well, and those that it took behind the wall.
    assert!(
        stretch.first.abs_diff(wall) <= 256,
        "{major}: {stretch:?}, made at {wall}"
    );
    assert!(
        stretch.ids.abs_diff(u64::from(WALL)) <= 1_024,
        "{major}: {stretch:?}"
    );
    let mut slowest_ms = 0.0f64;
    while scene.counter() < wall + WALL {
        let begun = Instant::now();
        client.batch_execute(&insert(1)).await.unwrap();
        slowest_ms = slowest_ms.max(begun.elapsed().as_secs_f64() * 1_000.0);
    }
    (relation.wall_ms().unwrap(), slowest_ms)
}
