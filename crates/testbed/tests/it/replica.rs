//! Replicas: they follow, they can be held back, and they end with their owner.

#![allow(clippy::unwrap_used)] // a test that cannot go on says so by panicking

use corridor_testbed::{Auth, Cluster, ClusterOptions, Mode, Servers};

async fn count(cluster: &Cluster) -> i64 {
    let client = cluster.connect("postgres").await.unwrap();
    let row = client.query_one("select count(*) from t", &[]).await.unwrap();
    row.get(0)
}

/// Of 15 with `pg_basebackup`, of the others by a copy of the stopped server's files where they have no such program.
#[tokio::test]
async fn a_replica_of_every_major_follows_is_held_back_and_ends() {
    for installation in Servers::find() {
        let major = installation.major;
        let cluster = Cluster::start(ClusterOptions::new(major)).await.unwrap();
        let client = cluster.connect("postgres").await.unwrap();
        client
            .batch_execute("create table t (x int); insert into t values (1)")
            .await
            .unwrap();
        let replica = cluster.replica("the replica").await.unwrap();
        let client = cluster.connect("postgres").await.unwrap();
        client.batch_execute("insert into t values (2)").await.unwrap();
        replica.wait_until_caught_up(&cluster).await.unwrap();
        assert_eq!(count(replica.standby()).await, 2, "{major}");
        let reader = replica.standby().connect("postgres").await.unwrap();
        let refused = reader
            .batch_execute("insert into t values (3)")
            .await
            .unwrap_err();
        assert_eq!(refused.code().unwrap().code(), "25006", "{major}");

        replica.pause_replay().await.unwrap();
        client.batch_execute("insert into t values (3)").await.unwrap();
        let received = "select pg_last_wal_receive_lsn() >= $1::text::pg_lsn";
        let now: String = client
            .query_one("select pg_current_wal_insert_lsn()::text", &[])
            .await
            .unwrap()
            .get(0);
        while !reader
            .query_one(received, &[&now])
            .await
            .unwrap()
            .get::<_, bool>(0)
        {}
        assert_eq!(
            count(replica.standby()).await,
            2,
            "{major}: received, not replayed"
        );
        replica.resume_replay().await.unwrap();
        replica.wait_until_caught_up(&cluster).await.unwrap();
        assert_eq!(count(replica.standby()).await, 3, "{major}");

        replica.standby().restart(Mode::Immediate).await.unwrap();
        client.batch_execute("insert into t values (4)").await.unwrap();
        replica.wait_until_caught_up(&cluster).await.unwrap();
        assert_eq!(count(replica.standby()).await, 4, "{major}");

        let directory = replica.standby().directory().to_path_buf();
        drop(replica);
        assert!(!directory.exists(), "{} is still there", directory.display());
    }
}

#[tokio::test]
async fn a_replica_logs_in_with_the_password() {
    let options = ClusterOptions {
        auth: Auth::ScramSha256 {
            password: r"p@ss'\word".to_owned(),
        },
        ..ClusterOptions::new(15)
    };
    let cluster = Cluster::start(options).await.unwrap();
    let replica = cluster.replica("one").await.unwrap();
    assert_eq!(replica.name(), "one");
    replica.standby().connect("postgres").await.unwrap();
}
