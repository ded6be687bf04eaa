//! pgbench, an application that is not ours: prepared statements, eight clients, across a move and back, without one error.
//!
//! Its script adds one amount to an account, a teller and a branch, and notes it in the history, in one transaction. So
//! the four sums agree exactly when every acknowledged transaction is there, whole and once.

use std::process::Stdio;
use std::time::Duration;

use corridor_testbed::{Database, Servers};
use tokio::process::{Child, Command};
use tokio_postgres::Client;

use crate::driver::{corridor_on, database};

/// Transactions between two steps: enough that every client prepares, executes and executes again.
const TRANSACTIONS: i64 = 400;
/// The throttle would hold the copy for the many clients, which is not what this is about.
const MOVE: &[&str] = &[
    "move",
    "pgbench_accounts",
    "--execute",
    "--auto-cutover",
    "--set",
    "throttle.active_per_core=off",
    "--set",
    "throttle.lock_waiters=off",
];

/// Debian's, of any major that counts failed transactions. It is only a client.
fn program() -> std::path::PathBuf {
    Servers::find()
        .into_iter()
        .filter(|installation| installation.major >= 15)
        .find_map(|installation| installation.program("pgbench"))
        .expect("pgbench is missing; script/setup installs it")
}

pub(crate) struct Pgbench {
    database: Database,
    client: Client,
    child: Child,
}

impl Pgbench {
    async fn start(label: &str, initialise: &[&str]) -> Pgbench {
        let database = database(label).await;
        let url = database.url.clone();
        Pgbench::start_by(database, &url, "prepared", initialise).await
    }

    /// Its clients connect by `url`, and send statements by `protocol`.
    pub(crate) async fn start_by(
        database: Database,
        url: &str,
        protocol: &str,
        initialise: &[&str],
    ) -> Pgbench {
        let run = Command::new(program())
            .args(["--initialize", "--quiet", "--scale=3"])
            .args(initialise)
            .arg(&database.url)
            .output()
            .await
            .unwrap();
        assert!(run.status.success(), "{run:?}");
        let child = Command::new(program())
            .args(["--client=8", "--jobs=2", "--no-vacuum"])
            .arg(format!("--protocol={protocol}"))
            // Until it is told to end.
            .args(["--time=600", url])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let client = corridor_testbed::cluster::connect(&database.url).await.unwrap();
        Pgbench {
            database,
            client,
            child,
        }
    }

    async fn count(&self, sql: &str) -> i64 {
        self.client.query_one(sql, &[]).await.unwrap().get(0)
    }

    /// Until so many more transactions have been committed.
    pub(crate) async fn until_more(&mut self) {
        let history = "select count(*) from pgbench_history";
        let wanted = self.count(history).await + TRANSACTIONS;
        let search = async {
            while self.count(history).await < wanted {
                assert_eq!(self.child.try_wait().unwrap(), None, "pgbench gave up");
            }
        };
        tokio::time::timeout(Duration::from_secs(60), search)
            .await
            .expect("pgbench does not get on");
    }

    /// A move up to the point where it waits for `finish`.
    pub(crate) async fn move_accounts(&self, args: &[&str]) {
        let args = [MOVE, args].concat();
        corridor_on(&self.database, &args).run().await.expect_code(5);
    }

    pub(crate) async fn corridor(&self, args: &[&str]) {
        corridor_on(&self.database, args).run().await.expect_code(0);
    }

    /// What `pgbench_accounts` is.
    pub(crate) async fn kind(&self) -> String {
        let sql = "select relkind::text from pg_class where oid = 'pgbench_accounts'::regclass";
        self.client.query_one(sql, &[]).await.unwrap().get(0)
    }

    /// Foreign keys of `pgbench_accounts`, from it and to it: all, and those that are validated.
    async fn foreign_keys(&self) -> (i64, i64) {
        let sql = "select count(*), count(*) filter (where convalidated) from pg_constraint where contype = 'f' \
                   and 'pgbench_accounts'::regclass in (conrelid, confrelid)";
        let row = self.client.query_one(sql, &[]).await.unwrap();
        (row.get(0), row.get(1))
    }

    /// Ends it, in good order: no transaction failed, and the sums agree.
    pub(crate) async fn settle(self) {
        // The signal with which its own timer ends it.
        let pid = self.child.id().unwrap().to_string();
        let sent = Command::new("kill").args(["-s", "ALRM", &pid]).status().await;
        assert!(sent.unwrap().success());
        let output = self.child.wait_with_output().await.unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}\n{told}");
        assert!(
            said.contains("number of failed transactions: 0 (0.000%)"),
            "{said}"
        );
        assert!(!told.contains("error") && !told.contains("aborted"), "{told}");
        let processed: i64 = said
            .lines()
            .find_map(|line| line.strip_prefix("number of transactions actually processed: "))
            .and_then(|count| count.parse().ok())
            .unwrap();
        let sums = "select (select sum(abalance) from pgbench_accounts), (select sum(tbalance) from pgbench_tellers), \
                    (select sum(bbalance) from pgbench_branches), (select coalesce(sum(delta), 0) from pgbench_history), \
                    (select count(*) from pgbench_history), (select count(*) from pgbench_accounts)";
        let row = self.client.query_one(sums, &[]).await.unwrap();
        let sum = |column: usize| row.get::<_, i64>(column);
        assert_eq!((sum(0), sum(0), sum(0)), (sum(1), sum(2), sum(3)));
        assert_eq!((sum(4), sum(5)), (processed, 300_000));
    }
}

#[tokio::test]
async fn pgbench_never_fails_while_its_accounts_move_into_partitions_and_back() {
    let mut pgbench = Pgbench::start("pgbench_hash", &[]).await;
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

#[tokio::test]
async fn pgbench_never_fails_while_foreign_keys_are_carried_forth_and_back_and_forth() {
    let mut pgbench = Pgbench::start("pgbench_keys", &["--foreign-keys"]).await;
    assert_eq!(pgbench.foreign_keys().await, (2, 2));
    pgbench.until_more().await;
    let oid = "select 'pgbench_accounts'::regclass::oid::bigint";
    let old = pgbench.count(oid).await;
    pgbench.move_accounts(&["--same-shape"]).await;
    assert_ne!(pgbench.count(oid).await, old);
    pgbench.until_more().await;
    pgbench.corridor(&["rollback", "pgbench_accounts"]).await;
    assert_eq!(pgbench.count(oid).await, old);
    assert_eq!(pgbench.foreign_keys().await, (2, 2));
    pgbench.until_more().await;
    pgbench.move_accounts(&["--same-shape", "--name", "again"]).await;
    pgbench.until_more().await;
    pgbench.corridor(&["finish", "again"]).await;
    assert_ne!(pgbench.count(oid).await, old);
    assert_eq!(pgbench.foreign_keys().await, (2, 2));
    pgbench.until_more().await;
    pgbench.settle().await;
}
