//! A database with the tables of a test, a directory for files, and what is done with a person's own migrations there.

use std::path::PathBuf;
use std::time::Duration;

use corridor_testbed::Database;
use tokio_postgres::Client;

use crate::driver::{Run, corridor_on, database};

/// Looks, 50 ms apart, until something must have come true: a minute, for a machine that is busy with other tests.
const LOOKS_MAX: usize = 1_200;

pub(crate) struct Desk {
    pub(crate) database: Database,
    pub(crate) client: Client,
    pub(crate) dir: PathBuf,
}

impl Drop for Desk {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.dir).ok();
    }
}

impl Desk {
    /// On the cluster that all tests share. `tables`: what is there.
    pub(crate) async fn new(label: &str, tables: &str) -> Desk {
        Desk::on(database(label).await, label, tables).await
    }

    /// On a database of any cluster.
    pub(crate) async fn on(database: Database, label: &str, tables: &str) -> Desk {
        let client = corridor_testbed::cluster::connect(&database.url).await.unwrap();
        client.batch_execute(tables).await.unwrap();
        let dir = std::env::temp_dir().join(format!("corridor-desk-{label}-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        Desk {
            database,
            client,
            dir,
        }
    }

    pub(crate) async fn run(&self, args: &[&str]) -> Run {
        corridor_on(&self.database, args).run().await
    }

    /// Writes a file, and returns where it is.
    pub(crate) fn write(&self, file: &str, text: &str) -> String {
        let path = self.dir.join(file);
        std::fs::write(&path, text).unwrap();
        path.to_string_lossy().into_owned()
    }

    /// Writes the file of a migration, and returns where it is.
    pub(crate) fn write_migration(&self, name: &str, text: &str) -> String {
        self.write(
            &format!("{name}.toml"),
            &format!("description = \"a test\"\n{text}"),
        )
    }

    /// Adds a migration; the lease of a dead worker runs out after a second.
    pub(crate) async fn add(&self, name: &str, text: &str) {
        let path = self.write_migration(name, text);
        self.run(&["migration", "add", &path]).await.expect_code(0);
        self.run(&["set", name, "lease.ttl_ms=1000"]).await.expect_code(0);
    }

    pub(crate) async fn figure(&self, sql: &str) -> i64 {
        self.client.query_one(sql, &[]).await.unwrap().get(0)
    }

    pub(crate) async fn state(&self, name: &str) -> String {
        let sql = "select state from corridor.migration where name = $1";
        self.client.query_one(sql, &[&name]).await.unwrap().get(0)
    }

    /// What stands in the table `done`.
    pub(crate) async fn done(&self) -> Vec<String> {
        let rows = self
            .client
            .query("select what from done order by 1", &[])
            .await
            .unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    }

    pub(crate) async fn until(&self, sql: &str) {
        for _ in 0..LOOKS_MAX {
            if self.client.query_one(sql, &[]).await.unwrap().get(0) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("never true: {sql}");
    }

    pub(crate) async fn until_state(&self, name: &str, state: &str) {
        self.until(&format!(
            "select coalesce((select state = '{state}' from corridor.migration where name = '{name}'), false)"
        ))
        .await;
    }

    /// Until the operation runs.
    pub(crate) async fn until_running(&self, operation: &str) {
        self.until(&format!(
            "select exists (select from corridor.operation where name = '{operation}' and state = 'running')"
        ))
        .await;
    }
}

/// An operation that leaves a mark in the table `done`, and takes it away again.
pub(crate) fn mark(what: &str) -> String {
    format!(
        "[[operations]]\nkind = \"sql\"\nname = \"mark\"\nstatement = \"insert into done values ('{what}')\"\n\
         rollback = \"delete from done where what = '{what}'\"\n"
    )
}

/// An operation that leaves a mark in the table `done`, which stays when it is taken back.
pub(crate) fn lasting_mark(what: &str) -> String {
    let rollback = format!("rollback = \"delete from done where what = '{what}'\"");
    mark(what).replace(&rollback, "rollback = \"\"")
}
