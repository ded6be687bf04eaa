//! The room `migration` on real servers.

#![allow(clippy::unwrap_used, clippy::expect_used)] // a test that cannot go on says so by panicking

mod binding;
mod data;
mod example;
mod lease;
mod prepared;
mod schema;
mod status;
mod store;
mod throttle;

use corridor_migration::lease::take;
use corridor_migration::store::{Migration, Naming, NewMigration, create};
use corridor_migration::{Lease, Name, schema as corridor_schema};
use corridor_pg::{ApplicationName, ConnectOptions, Isolation, Session};
use corridor_testbed::{Cluster, Database};
use serde_json::json;
use std::time::Duration;

/// The major on which everything is tested; `prepared` and `schema` go through all that are installed.
const MAJOR: u32 = 15;

/// Long enough that nothing in a test becomes stale by itself.
const LONG: Duration = Duration::from_secs(60);

async fn fresh(label: &str) -> Database {
    Cluster::shared(MAJOR).await.fresh_database(label).await.unwrap()
}

fn options(url: &str) -> ConnectOptions {
    ConnectOptions::from_process(Some(url)).unwrap()
}

async fn session(url: &str, role: &str, migration: &str) -> Session {
    options(url)
        .connect(&ApplicationName::new(role, migration))
        .await
        .unwrap()
}

fn new_migration(stem: &str) -> NewMigration {
    NewMigration {
        naming: Naming::Like(Name::new(stem).unwrap()),
        kind: "move".into(),
        description: "a test".into(),
        plan: json!({ "table": "public.persons", "partitions": 64, "factor": 1e15, "small": 1.5e-7 }),
        operations: ["prepare", "copy", "verify", "cutover"]
            .map(String::from)
            .to_vec(),
        created_by: "tester@here 1".into(),
    }
}

async fn store_one(session: &mut Session, stem: &str) -> Migration {
    corridor_schema::ensure(session).await.unwrap();
    let tx = session.begin(Isolation::ReadCommitted).await.unwrap();
    let migration = create(&tx, &new_migration(stem)).await.unwrap();
    tx.commit().await.unwrap();
    migration
}

/// A database with one planned migration named `m`, a session, and the lease on it.
struct Stage {
    database: Database,
    session: Session,
    migration: Migration,
    lease: Lease,
}

async fn stage(label: &str) -> Stage {
    let database = fresh(label).await;
    let mut session = session(&database.url, "test", "m").await;
    let migration = store_one(&mut session, "m").await;
    let lease = take(&mut session, migration.id, "first@here 1", LONG)
        .await
        .unwrap();
    Stage {
        database,
        session,
        migration,
        lease,
    }
}

/// Makes the last beat of the holder older than its ttl: to the server it looks dead.
async fn grow_old(session: &Session, migration_id: i64) {
    let changed = session
        .execute(
            "update corridor.heartbeat set at = at - ttl_ms * interval '1 ms' where migration_id = $1",
            &[&migration_id],
        )
        .await
        .unwrap();
    assert_eq!(changed, 1);
}
