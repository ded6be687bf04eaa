//! The life of a cluster, on every major that the machine has.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use corridor_testbed::{Auth, Cluster, ClusterOptions, Mode, Servers};

#[tokio::test]
async fn a_cluster_of_every_major_lives_and_survives_a_crash() {
    let all = Servers::find();
    assert!(
        all.iter().any(|i| i.major == 15),
        "PostgreSQL 15 is required: {all:?}"
    );
    for installation in all {
        let cluster = Cluster::start(ClusterOptions::new(installation.major))
            .await
            .unwrap();
        let directory = cluster.directory().to_path_buf();
        let database = cluster.fresh_database("A life").await.unwrap();
        let client = cluster.connect(&database.name).await.unwrap();
        let version: i32 = client
            .query_one("select current_setting('server_version_num')::int4", &[])
            .await
            .unwrap()
            .get(0);
        assert_eq!(version as u32 / 10_000, cluster.major());
        client
            .batch_execute(
                "create extension pg_stat_statements; create extension pgstattuple; \
                 create table t (x text collate \"de-x-icu\"); insert into t values ('a')",
            )
            .await
            .unwrap();
        cluster.restart(Mode::Immediate).await.unwrap();
        let client = corridor_testbed::cluster::connect(&cluster.socket_url(&database.name))
            .await
            .unwrap();
        let rows: i64 = client
            .query_one("select count(*) from t", &[])
            .await
            .unwrap()
            .get(0);
        assert_eq!(rows, 1);
        drop(cluster);
        assert!(!directory.exists(), "{} is still there", directory.display());
    }
}

#[tokio::test]
async fn a_password_is_asked_for_where_it_is_wanted() {
    let options = ClusterOptions {
        auth: Auth::ScramSha256 {
            password: "p@ss/word".to_owned(),
        },
        ..ClusterOptions::new(15)
    };
    let cluster = Cluster::start(options).await.unwrap();
    cluster.connect("postgres").await.unwrap();
    let wrong = cluster.url("postgres").replace("p%40ss", "guess");
    let error = corridor_testbed::cluster::connect(&wrong)
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("28P01"), "{error}");
}

#[tokio::test]
async fn a_missing_major_says_what_to_do() {
    let error = Cluster::start(ClusterOptions::new(99))
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("script/setup"), "{error}");
}

#[tokio::test]
async fn the_transaction_id_counter_is_set_ahead() {
    for installation in Servers::find() {
        let major = installation.major;
        let cluster = Cluster::start(ClusterOptions::new(major)).await.unwrap();
        let client = cluster.connect("postgres").await.unwrap();
        client
            .batch_execute("create table a (b int); insert into a values (1)")
            .await
            .unwrap();
        cluster.reset_wal_next_xid(2_000_000_123).await.unwrap();
        let client = cluster.connect("postgres").await.unwrap();
        client.batch_execute("insert into a values (2)").await.unwrap();
        let row = client
            .query_one("select pg_current_xact_id()::text::bigint, count(*) from a", &[])
            .await
            .unwrap();
        let (next, rows): (i64, i64) = (row.get(0), row.get(1));
        assert!((2_000_000_123..2_000_010_000).contains(&next), "{major}: {next}");
        assert_eq!(rows, 2, "{major}");
        // A vacuum asks the commit log about the rows of before and of after.
        client.batch_execute("vacuum (freeze) a").await.unwrap();
        let row = client
            .query_one(
                "select age(relfrozenxid) from pg_class where oid = 'a'::regclass",
                &[],
            )
            .await
            .unwrap();
        assert!(row.get::<_, i32>(0) < 1_000, "{major}");
    }
}

#[tokio::test]
async fn the_object_id_counter_is_set_stopped_and_running() {
    for installation in Servers::find() {
        let major = installation.major;
        let cluster = Cluster::start(ClusterOptions::new(major)).await.unwrap();
        cluster.reset_wal_next_oid(3_000_000_000).await.unwrap();
        let client = cluster.connect("postgres").await.unwrap();
        let oid_of_new_table = async |name: &str| -> u32 {
            client
                .batch_execute(&format!("create table {name} ()"))
                .await
                .unwrap();
            client
                .query_one("select $1::text::regclass::oid", &[&name])
                .await
                .unwrap()
                .get(0)
        };
        let stopped = oid_of_new_table("a").await;
        assert!(
            (3_000_000_000..3_000_000_100).contains(&stopped),
            "{major}: {stopped}"
        );
        let counter = cluster.oid_counter().unwrap();
        assert!(counter.get().unwrap() > stopped);
        counter.set(2_000_000_000).unwrap();
        let running = oid_of_new_table("b").await;
        assert!(
            (2_000_000_000..2_000_000_100).contains(&running),
            "{major}: {running}"
        );
    }
}

const CHILD: &str = "CORRIDOR_TESTBED_CHILD";

/// Not a test of its own: what `the_guardian_cleans_up_after_sigkill` runs in a process that it kills.
#[tokio::test]
async fn child_with_a_cluster() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    let cluster = Cluster::start(ClusterOptions::new(15)).await.unwrap();
    // A restart must not lead the guardian astray.
    cluster.restart(Mode::Immediate).await.unwrap();
    println!(
        "\nCLUSTER {} {}",
        cluster.server_pid().unwrap(),
        cluster.directory().display()
    );
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn the_guardian_cleans_up_after_sigkill() {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["cluster::child_with_a_cluster", "--exact", "--nocapture"])
        .env(CHILD, "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let line = BufReader::new(child.stdout.take().unwrap())
        .lines()
        .map_while(Result::ok)
        .find_map(|line| line.strip_prefix("CLUSTER ").map(str::to_owned))
        .expect("the child starts a cluster");
    let (pid, directory) = line.split_once(' ').unwrap();
    let directory = PathBuf::from(directory);
    assert!(directory.exists() && is_running(pid));
    // SIGKILL.
    child.kill().unwrap();
    child.wait().unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    while (directory.exists() || is_running(pid)) && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(!directory.exists(), "{} is still there", directory.display());
    assert!(!is_running(pid), "the server still runs");
}

fn is_running(pid: &str) -> bool {
    let status = std::fs::read_to_string(Path::new("/proc").join(pid).join("status")).unwrap_or_default();
    // A zombie has ended; here and there nobody reaps it.
    status
        .lines()
        .any(|l| l.starts_with("State:") && !l.contains("Z (zombie)"))
}

#[tokio::test]
async fn a_kept_cluster_outlives_its_handle() {
    let cluster = Cluster::start(ClusterOptions {
        keep: true,
        ..ClusterOptions::new(15)
    })
    .await
    .unwrap();
    let (url, pid) = (cluster.url("postgres"), cluster.server_pid().unwrap());
    let directory = cluster.directory().to_path_buf();
    drop(cluster);
    let client = corridor_testbed::cluster::connect(&url).await.unwrap();
    client.query_one("select 1", &[]).await.unwrap();
    drop(client);
    // Ours to end.
    Command::new("sh")
        .args(["-c", &format!("kill -s QUIT {pid}")])
        .status()
        .unwrap();
    while is_running(&pid.to_string()) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    std::fs::remove_dir_all(directory).unwrap();
}
