//! Live application traffic that keeps a ledger of what was acknowledged.
//!
//! Several clients work on rows of their own: a row's number by the count of clients says whose it is. So each client
//! knows, without asking, what its rows must look like, however many others write at the same time: it checks what it
//! reads, how many rows each statement touched, and, after a lost connection, how the transaction ended whose answer
//! never came (it first makes sure that the server process of the lost connection is gone: that one may still commit).
//!
//! ```no_run
//! # async fn f(url: &str) -> corridor_testbed::Result<()> {
//! use corridor_testbed::traffic::{Mix, Table, Traffic, TrafficOptions};
//!
//! let table = Table::persons("public.persons", 10_000);
//! table.create(url).await?;
//! let traffic = Traffic::start(url, TrafficOptions::new(table)).await?;
//! // … move the table …
//! let ledger = traffic.stop().await?;
//! let comparison = ledger.compare(url, "public.persons").await?;
//! assert!(comparison.is_exact(), "{comparison}");
//! # Ok(()) }
//! ```
//!
//! The clients run on a thread of their own: neither a busy test nor a busy mover slows them down, so that a latency
//! that is measured is the server's.

mod client;
mod key;
mod ledger;
mod meter;
mod model;
mod session;
mod statements;
mod table;
mod template;
mod truncate;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;
use tokio::sync::{RwLock, oneshot, watch};

use client::{InFlight, Remains, Worker};
use meter::Meter;
use model::{Habits, Share};
use statements::Statements;

pub use key::KeyType;
pub use ledger::{Comparison, Difference, Ledger};
pub use meter::{ErrorCount, Histogram, Summary};
pub use model::Mix;
pub use table::{Flavour, Table};

use crate::cluster::connect;
use crate::error::{Error, Result};

/// Anomalies that are kept as text.
const ANOMALIES_MAX: usize = 1000;

/// How statements are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatementMode {
    /// As one text with the values written in.
    Simple,
    /// Prepared once per connection, then executed with parameters.
    Prepared,
}

/// How the traffic works.
#[derive(Debug, Clone)]
pub struct TrafficOptions {
    /// The table. It must exist, as [`Table::create`] makes it; further columns with defaults do no harm.
    pub table: Table,
    /// How many clients, each with a connection. Default 4.
    pub clients: u64,
    /// Row numbers are below this. Default: the first rows and a tenth more, at least 100 more.
    pub key_space: u64,
    /// For the choice of work and rows. The interleaving of clients is the scheduler's all the same.
    pub seed: u64,
    /// What is done how often. Default [`Mix::ingestion`].
    pub mix: Mix,
    /// Pieces of work per second, all clients together. `None` (default): as fast as the server answers.
    pub rate_per_s: Option<f64>,
    /// Default [`StatementMode::Prepared`].
    pub mode: StatementMode,
    /// Pause of a client after each piece of work. Default none.
    pub think_time: Duration,
    /// Rows of one bulk statement, at most. Default 500.
    pub bulk_rows: usize,
    /// How long a long transaction stays open. Default 2 s.
    pub long_transaction: Duration,
    /// Of 100 transactions, how many are repeatable read or serializable. Default 0.
    pub strict_percent: u8,
    /// An answer that takes longer counts as lost, with the connection. Default 60 s.
    pub timeout: Duration,
    /// Goes on where an earlier run ended. Must have had the same table and as many clients.
    pub after: Option<Ledger>,
}

impl TrafficOptions {
    /// The defaults for a table.
    pub fn new(table: Table) -> Self {
        TrafficOptions {
            clients: 4,
            key_space: table.rows + (table.rows / 10).max(100),
            seed: 1,
            mix: Mix::ingestion(),
            rate_per_s: None,
            mode: StatementMode::Prepared,
            think_time: Duration::ZERO,
            bulk_rows: 500,
            long_transaction: Duration::from_secs(2),
            strict_percent: 0,
            timeout: Duration::from_secs(60),
            after: None,
            table,
        }
    }

    /// Goes on where `ledger` ended: its table, clients and key space.
    pub fn continuing(ledger: Ledger) -> Self {
        TrafficOptions {
            clients: ledger.clients,
            key_space: ledger.key_space,
            after: Some(ledger.clone()),
            ..TrafficOptions::new((*ledger.table).clone())
        }
    }
}

/// How it goes right now.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Snapshot {
    /// Since the start.
    pub elapsed_ms: u64,
    /// The last whole second.
    pub last_second: Summary,
    /// The longest that a client waits for an answer at this instant. While latency collapses, few answers come, and
    /// this is what shows it.
    pub waiting_max_ms: f64,
    /// Acknowledged transactions since the start.
    pub writes: u64,
    /// Errors since the start.
    pub errors: u64,
    /// What the clients saw go wrong since the start.
    pub anomalies: u64,
}

/// What the clients write to while they work.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) started: Instant,
    pub(crate) in_flight_since_us: Vec<InFlight>,
    meter: Mutex<Meter>,
    anomalies: Mutex<Vec<String>>,
    /// Clients hold it for reading while they work; who truncates holds it alone.
    pub(crate) turns: Arc<RwLock<()>>,
    /// How often the table was truncated.
    pub(crate) truncations: AtomicU64,
}

impl Shared {
    pub(crate) fn meter(&self) -> MutexGuard<'_, Meter> {
        self.meter.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn anomalies(&self) -> MutexGuard<'_, Vec<String>> {
        self.anomalies.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn anomaly(&self, what: String) {
        let mut anomalies = self.anomalies();
        if anomalies.len() < ANOMALIES_MAX {
            anomalies.push(what);
        }
    }
}

/// Traffic under way. Dropping it stops it without a ledger.
#[derive(Debug)]
pub struct Traffic {
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    remains: oneshot::Receiver<Vec<Remains>>,
    options: TrafficOptions,
    url: String,
}

impl Traffic {
    /// Starts the clients.
    ///
    /// # Errors
    /// When the server cannot be reached now. Later the clients connect again by themselves, without end.
    pub async fn start(url: &str, options: TrafficOptions) -> Result<Traffic> {
        if options.clients == 0 || options.key_space < options.clients || options.key_space >= 1 << 31 {
            return Err(Error::Request(
                "traffic needs at least one client, a row number for each, and row numbers below 2^31"
                    .to_owned(),
            ));
        }
        let client = connect(url).await?;
        let base: String = client
            .query_one(&format!("select {}", options.table.base_text_sql()), &[])
            .await
            .map_err(Error::postgres("asking for the text of large values"))?
            .get(0);
        drop(client);
        let started = Instant::now();
        let shared = Arc::new(Shared {
            started,
            in_flight_since_us: (0..options.clients).map(|_| InFlight::new(0)).collect(),
            meter: Mutex::new(Meter::new(started)),
            anomalies: Mutex::new(
                options
                    .after
                    .as_ref()
                    .map(|l| l.anomalies.clone())
                    .unwrap_or_default(),
            ),
            turns: Arc::default(),
            truncations: AtomicU64::new(0),
        });
        let (stop, stopped) = watch::channel(false);
        let workers = workers(url, &options, &shared, &stopped, base.into());
        let (send, remains) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(Error::io("starting the traffic's runtime"))?;
        std::thread::Builder::new()
            .name("traffic".to_owned())
            .spawn(move || {
                let remains = runtime.block_on(async {
                    let tasks: Vec<_> = workers.into_iter().map(|w| tokio::spawn(w.work())).collect();
                    let mut remains = Vec::new();
                    for task in tasks {
                        remains.extend(task.await);
                    }
                    remains
                });
                // Nobody waits for it when the traffic was dropped.
                send.send(remains).ok();
            })
            .map_err(Error::io("starting the traffic's thread"))?;
        Ok(Traffic {
            shared,
            stop,
            remains,
            options,
            url: url.to_owned(),
        })
    }

    /// How it goes right now; for a display.
    pub fn snapshot(&self) -> Snapshot {
        let now = Instant::now();
        let elapsed = now - self.shared.started;
        let second = self.shared.started + Duration::from_secs(elapsed.as_secs());
        let waiting_since = self
            .shared
            .in_flight_since_us
            .iter()
            .map(|since| since.load(Ordering::Relaxed))
            .filter(|since| *since > 0)
            .min();
        let anomalies = self.shared.anomalies().len() as u64;
        let meter = self.shared.meter();
        Snapshot {
            elapsed_ms: elapsed.as_millis() as u64,
            last_second: meter.summary(
                second.checked_sub(Duration::from_secs(1)).unwrap_or(second),
                second,
            ),
            waiting_max_ms: waiting_since.map_or(0.0, |since| {
                (elapsed.as_micros() as u64).saturating_sub(since) as f64 / 1000.0
            }),
            writes: meter.writes,
            errors: meter.errors.values().map(|e| e.count).sum(),
            anomalies,
        }
    }

    /// The whole seconds that begin in `from..to`: for a phase.
    pub fn summary(&self, from: Instant, to: Instant) -> Summary {
        self.shared.meter().summary(from, to)
    }

    /// When it started.
    pub fn started(&self) -> Instant {
        self.shared.started
    }

    /// Waits until `writes` transactions have been acknowledged since the start.
    pub async fn wait_for_writes(&self, writes: u64) {
        // Nobody listens any more: the clients are gone, which `stop` will tell.
        while self.shared.meter().writes < writes && !self.stop.is_closed() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Lets every client finish what it does, and hands the ledger over.
    ///
    /// A client whose last answer was lost asks for up to 10 s how it ended; if the server stays away, both outcomes
    /// stand in the ledger.
    pub async fn stop(mut self) -> Result<Ledger> {
        self.stop.send(true).ok();
        let remains = (&mut self.remains)
            .await
            .map_err(|_| Error::Request("the traffic's thread ended before its time".to_owned()))?;
        if remains.len() as u64 != self.options.clients {
            return Err(Error::Request(
                "a client of the traffic panicked: its part of the ledger is lost".to_owned(),
            ));
        }
        let meter = self.shared.meter();
        let mut ledger = Ledger {
            table: Arc::new(self.options.table.clone()),
            key_space: self.options.key_space,
            clients: self.options.clients,
            next_token: 0,
            are_first_rows_gone: false,
            touched: HashMap::new(),
            ambiguities: Default::default(),
            anomalies: self.shared.anomalies().clone(),
            errors: meter.errors.clone(),
            summary: meter.summary(self.shared.started, Instant::now() + Duration::from_secs(1)),
        };
        for Remains { share, ambiguity } in remains {
            ledger.next_token = ledger.next_token.max(share.next_token);
            if let Some(ambiguity) = ambiguity {
                ledger.ambiguities.insert(share.client, ambiguity);
            }
            ledger.are_first_rows_gone |= share.are_first_rows_gone;
            ledger.touched.extend(share.touched);
        }
        Ok(ledger)
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        self.stop.send(true).ok();
    }
}

fn workers(
    url: &str,
    options: &TrafficOptions,
    shared: &Arc<Shared>,
    stop: &watch::Receiver<bool>,
    base: Arc<str>,
) -> Vec<Worker> {
    let table = Arc::new(options.table.clone());
    let statements = Arc::new(Statements::of(&table));
    let clients = options.clients;
    // Above all row numbers: those are the tokens of the first rows.
    let first_token = match &options.after {
        Some(ledger) => ledger.next_token,
        None => options.key_space,
    }
    .next_multiple_of(clients);
    let mut random = fastrand::Rng::with_seed(options.seed);
    (0..clients)
        .map(|client| Worker {
            shared: Arc::clone(shared),
            statements: Arc::clone(&statements),
            share: Share {
                table: Arc::clone(&table),
                base: Arc::clone(&base),
                client,
                clients,
                key_space: options.key_space,
                touched: options
                    .after
                    .iter()
                    .flat_map(|ledger| &ledger.touched)
                    .filter(|(n, _)| *n % clients == client)
                    .map(|(n, state)| (*n, *state))
                    .collect(),
                are_first_rows_gone: options.after.as_ref().is_some_and(|l| l.are_first_rows_gone),
                next_token: first_token + client,
            },
            ambiguity: options
                .after
                .as_ref()
                .and_then(|ledger| ledger.ambiguities.get(&client).cloned()),
            habits: Habits {
                mix: options.mix,
                bulk_rows: options.bulk_rows,
                long_transaction: options.long_transaction,
                strict_percent: options.strict_percent,
            },
            url: url.to_owned(),
            mode: options.mode,
            timeout: options.timeout,
            think_time: options.think_time,
            spacing: options
                .rate_per_s
                .map(|rate| Duration::from_secs_f64(clients as f64 / rate.max(0.001))),
            random: random.fork(),
            stop: stop.clone(),
            turn: None,
            truncations: 0,
        })
        .collect()
}
