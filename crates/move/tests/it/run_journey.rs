//! What the tests of the runner share: a live table, a worker in a task, and what it said.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use corridor_migration::Wait;
use corridor_move::Shape;
use corridor_move::run::{Order, Outcome, Progress, Watcher, Wish, carry_out, plan, store};
use corridor_pg::{ConnectOptions, Result};
use corridor_testbed::traffic::{Comparison, KeyType, Ledger, Mix, Table, Traffic, TrafficOptions};
use corridor_testbed::{Cluster, Database};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Keeps everything that a worker says.
#[derive(Debug, Default)]
pub(crate) struct Ear(Mutex<Vec<Progress>>);

impl Watcher for Ear {
    fn on(&self, progress: &Progress) {
        self.0.lock().unwrap().push(progress.clone());
    }
}

impl Ear {
    pub(crate) fn all(&self) -> Vec<Progress> {
        self.0.lock().unwrap().clone()
    }

    pub(crate) fn count(&self, is_wanted: impl Fn(&Progress) -> bool) -> usize {
        self.0.lock().unwrap().iter().filter(|p| is_wanted(p)).count()
    }
}

/// A worker in a task of its own.
pub(crate) struct Worker {
    pub(crate) interrupt: watch::Sender<bool>,
    pub(crate) ear: Arc<Ear>,
    pub(crate) task: JoinHandle<Result<Outcome>>,
}

impl Worker {
    pub(crate) async fn end(self) -> Outcome {
        self.task.await.unwrap().unwrap()
    }
}

pub(crate) struct Journey {
    pub(crate) database: Database,
    pub(crate) connect: ConnectOptions,
    pub(crate) name: String,
    pub(crate) table: Table,
}

pub(crate) fn options(url: &str) -> ConnectOptions {
    ConnectOptions::from_process(Some(url)).unwrap()
}

impl Journey {
    /// A table of the generic kind in a fresh database of a shared cluster.
    pub(crate) async fn new(major: u32, label: &str, key: KeyType, rows: u64) -> Journey {
        let database = Cluster::shared(major).await.fresh_database(label).await.unwrap();
        Journey::on(database, Table::ledger("ledger", key, rows)).await
    }

    pub(crate) async fn on(database: Database, table: Table) -> Journey {
        table.create(&database.url).await.unwrap();
        let connect = options(&database.url);
        Journey {
            database,
            connect,
            name: String::new(),
            table,
        }
    }

    pub(crate) async fn traffic(&self, mix: Mix, seed: u64) -> Traffic {
        let options = TrafficOptions {
            mix,
            seed,
            clients: 4,
            rate_per_s: Some(800.0),
            ..TrafficOptions::new(self.table.clone())
        };
        let traffic = Traffic::start(&self.database.url, options).await.unwrap();
        traffic.wait_for_writes(50).await;
        traffic
    }

    pub(crate) fn wish(&self, shape: Shape) -> Wish {
        Wish {
            name: None,
            table: self.table.name.clone(),
            shape,
            accept_key_widening: true,
            accept_partition_settings: true,
            fallback_view: None,
            // Small chunks and many of them; a lease that a test can wait for.
            settings: vec![
                ("chunk.target_ms".into(), "20".into()),
                ("lanes".into(), "4".into()),
                ("lease.ttl_ms".into(), "2000".into()),
            ],
        }
    }

    pub(crate) async fn store(&mut self, wish: &Wish) {
        let plan = plan(&self.connect, wish).await.unwrap();
        self.name = store(&self.connect, wish, &plan).await.unwrap();
    }

    pub(crate) fn worker(&self, order: Order) -> Worker {
        let (interrupt, interrupted) = watch::channel(false);
        let ear = Arc::new(Ear::default());
        let (connect, name, watcher) = (self.connect.clone(), self.name.clone(), ear.clone());
        // On a thread of its own, as in the binary: the worker's own future does not move between threads.
        let runtime = tokio::runtime::Handle::current();
        let task = tokio::task::spawn_blocking(move || {
            runtime.block_on(carry_out(&connect, &name, order, watcher, interrupted))
        });
        Worker { interrupt, ear, task }
    }

    pub(crate) async fn until_ready(&self) {
        assert_eq!(
            self.worker(Order::Start).end().await,
            Outcome::Waits(Wait::Cutover)
        );
    }

    /// The table, by the application's name, is exactly what the application was promised.
    pub(crate) async fn assert_exact(&self, ledger: &Ledger) -> Comparison {
        let comparison = ledger
            .compare(&self.database.url, &self.table.name)
            .await
            .unwrap();
        assert!(comparison.is_exact(), "{comparison}");
        comparison
    }

    /// One value of one row.
    pub(crate) async fn ask<T: for<'a> tokio_postgres::types::FromSql<'a>>(&self, sql: &str) -> T {
        let client = corridor_testbed::cluster::connect(&self.database.url)
            .await
            .unwrap();
        client
            .query_one(sql, &[])
            .await
            .unwrap_or_else(|e| panic!("{sql}: {e:?}"))
            .get(0)
    }

    pub(crate) async fn run(&self, sql: &str) {
        let client = corridor_testbed::cluster::connect(&self.database.url)
            .await
            .unwrap();
        client
            .batch_execute(sql)
            .await
            .unwrap_or_else(|e| panic!("{sql}: {e:?}"));
    }

    /// Nothing of Corridor's hangs on the application's tables, and no table of a mirror is left.
    pub(crate) async fn assert_clean(&self) {
        let left: Vec<String> = self
            .ask(
                "select coalesce(array_agg(what), '{}') from ( \
                 select 'trigger ' || tgname as what from pg_trigger where tgname like 'corridor%' \
                 union all select 'function ' || proname from pg_proc where proname like 'corridor_capture%' \
                 union all select 'relation ' || oid::regclass::text from pg_class \
                 where (relname like '%\\_\\_c\\_%' and relnamespace <> coalesce(to_regnamespace('corridor_retired'), 0)) or (relnamespace = to_regnamespace('corridor') and relname ~ '_(fwd|rev)')) x",
            )
            .await;
        assert!(left.is_empty(), "{left:?}");
    }
}

/// Polls a condition that the server does not signal. The time says that it hangs, not that it is slow: whole tables are copied
/// meanwhile, beside other tests.
pub(crate) async fn until(mut condition: impl AsyncFnMut() -> bool) {
    const HANGS: Duration = Duration::from_secs(240);
    let begun = std::time::Instant::now();
    while begun.elapsed() < HANGS {
        if condition().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the condition did not come about within {} s", HANGS.as_secs());
}
