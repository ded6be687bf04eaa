//! PgBouncer in transaction mode: the application stays behind it during a whole move, Corridor does not begin behind it.

use corridor_testbed::traffic::{Mix, StatementMode, Table, Traffic, TrafficOptions};
use corridor_testbed::{Cluster, Database, PoolMode, Pooler};

use crate::driver::{corridor, corridor_on, database};
use crate::pgbench::Pgbench;

const ROWS: u64 = 2_000;
const EXECUTE: &[&str] = &[
    "move",
    "persons",
    "--execute",
    "--partition-by",
    "hash(team_id)",
    "--partitions",
    "4",
];

async fn pooler(mode: PoolMode, server_connections: u32) -> Pooler {
    let cluster = Cluster::shared(15).await;
    Pooler::start(cluster, mode, server_connections, &["postgres"])
        .await
        .unwrap()
}

/// A database with a table in it, and how it is reached through the pooler.
async fn pooled_database(label: &str, pooler: &Pooler) -> (Database, String) {
    let database = database(label).await;
    Table::persons("persons", ROWS)
        .create(&database.url)
        .await
        .unwrap();
    let url = pooler.url(&database.url);
    (database, url)
}

#[tokio::test]
async fn an_application_behind_a_pooler_notices_nothing() {
    // Fewer server connections than clients: they change hands all the time.
    let pooler = pooler(PoolMode::Transaction, 4).await;
    let (database, url) = pooled_database("pooled", &pooler).await;
    let options = TrafficOptions {
        clients: 8,
        mix: Mix::ingestion(),
        rate_per_s: Some(300.0),
        mode: match pooler.is_preparing() {
            true => StatementMode::Prepared,
            false => StatementMode::Simple,
        },
        ..TrafficOptions::new(Table::persons("persons", ROWS))
    };
    let traffic = Traffic::start(&url, options).await.unwrap();
    let writes = async || {
        let so_far = traffic.snapshot().writes;
        traffic.wait_for_writes(so_far + 200).await;
    };
    writes().await;
    corridor_on(&database, EXECUTE).run().await.expect_code(5);
    for (args, wanted) in [
        (&["cutover", "persons"][..], 0),
        (&["rollback", "persons"], 0),
        (&[EXECUTE, &["--auto-cutover", "--name", "again"]].concat(), 5),
        (&["finish", "again", "--drop"], 0),
    ] {
        writes().await;
        corridor_on(&database, args).run().await.expect_code(wanted);
    }
    writes().await;
    let ledger = traffic.stop().await.unwrap();
    assert!(
        ledger.errors.is_empty(),
        "{:?}\n{}",
        ledger.errors,
        pooler.log().unwrap()
    );
    let comparison = ledger.compare(&database.url, "persons").await.unwrap();
    assert!(comparison.is_exact(), "{comparison}");
    // It was the pooler that they went through.
    assert!(
        pooler.log().unwrap().contains(&database.name),
        "{}",
        pooler.log().unwrap()
    );
}

#[tokio::test]
async fn pgbench_behind_a_pooler_never_fails() {
    let pooler = pooler(PoolMode::Transaction, 4).await;
    let database = database("pooled_pgbench").await;
    let url = pooler.url(&database.url);
    // Parameters beside the text, without names; with names where the pooler can.
    let protocol = if pooler.is_preparing() {
        "prepared"
    } else {
        "extended"
    };
    let mut pgbench = Pgbench::start_by(database, &url, protocol, &[]).await;
    pgbench.until_more().await;
    pgbench
        .move_accounts(&["--partition-by", "hash(aid)", "--partitions", "8"])
        .await;
    assert_eq!(pgbench.kind().await, "p");
    pgbench.until_more().await;
    pgbench.corridor(&["rollback", "pgbench_accounts"]).await;
    assert_eq!(pgbench.kind().await, "r");
    pgbench.until_more().await;
    pgbench.settle().await;
}

/// With one server connection, and with several.
#[tokio::test]
async fn a_worker_behind_a_pooler_in_transaction_mode_is_refused() {
    for server_connections in [1, 4] {
        let pooler = pooler(PoolMode::Transaction, server_connections).await;
        let (database, url) = pooled_database("pooled_worker", &pooler).await;
        let through = |args: &[&str]| corridor(&[args, &["--database", &url]].concat());
        let run = through(EXECUTE).run().await.expect_code(4).expect_fault("PG-023");
        assert!(run.stderr.contains("nothing was changed"), "{}", run.stderr);
        assert!(run.stderr.contains("session mode"), "{}", run.stderr);
        // Nothing is stored, not even the schema.
        let client = corridor_testbed::cluster::connect(&database.url).await.unwrap();
        let sql = "select count(*) from pg_namespace where nspname like 'corridor%'";
        assert_eq!(client.query_one(sql, &[]).await.unwrap().get::<_, i64>(0), 0);

        // One that was begun elsewhere is not taken up either.
        corridor_on(&database, EXECUTE).run().await.expect_code(5);
        for verb in ["resume", "cutover", "rollback", "finish"] {
            through(&[verb, "persons"])
                .run()
                .await
                .expect_code(4)
                .expect_fault("PG-023");
        }
        corridor_on(&database, &["rollback", "persons"])
            .run()
            .await
            .expect_code(0);
    }
}

#[tokio::test]
async fn a_pool_in_session_mode_will_do() {
    let pooler = pooler(PoolMode::Session, 20).await;
    let (database, url) = pooled_database("pooled_session", &pooler).await;
    let through = |args: &[&str]| corridor(&[args, &["--database", &url]].concat());
    through(EXECUTE).run().await.expect_code(5);
    through(&["cutover", "persons"]).run().await.expect_code(0);
    through(&["rollback", "persons"]).run().await.expect_code(0);
    let client = corridor_testbed::cluster::connect(&database.url).await.unwrap();
    let row = client
        .query_one("select count(*) from persons", &[])
        .await
        .unwrap();
    assert_eq!(row.get::<_, i64>(0), ROWS as i64);
}
