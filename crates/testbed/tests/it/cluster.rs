//! The life of a cluster, on every major that the machine has.

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
