//! The incident: a TOAST relation's ids run out near the counter.
//!
//! Every value that is stored out of line gets an id that its TOAST relation does not use yet. The server takes the
//! next object id from a counter that the whole cluster shares, looks it up in the TOAST relation's index, and, if it
//! is used, takes the next one. After 4 billion ids the counter comes round, and where a table holds a long run of
//! used ids, every insert walks through it, one look-up for each id. That stops a busy table.
//!
//! Here the run is short, and the counter is put at its beginning: [`exhaust_toast_ids`]. The first inserts walk
//! through it together (they share the counter), about a million ids a second; then the counter is past the run, and
//! all is well again. In the real incident the run is billions of ids long. [`ToastRun::hold`] makes the short run as
//! good as endless: whenever the counter leaves it, it goes back to its beginning.
//!
//! A table whose TOAST relation is fresh is not touched by any of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Instant;

use serde::Serialize;

use crate::cluster::{Cluster, connect};
use crate::error::{Error, Result};
use crate::oid_counter::OidCounter;

/// The fillers' `team_id`. Traffic never touches them, and a comparison with the ledger leaves them out.
pub const FILLER_TEAM: i64 = -1;

/// More sessions than this do not fill faster: they queue for the counter and the index's last page.
const SESSIONS_MAX: usize = 4;

/// A run of used ids in a TOAST relation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ToastRun {
    /// The TOAST relation.
    pub relation: String,
    /// The first used id.
    pub first_id: u32,
    /// The last one; all between are used.
    pub last_id: u32,
    /// How long the filling took.
    pub filled_ms: u64,
}

impl ToastRun {
    /// How many ids the run has.
    pub fn ids(&self) -> u32 {
        self.last_id - self.first_id + 1
    }

    /// Keeps the incident alive until the answer is dropped: whenever the counter leaves the run, it goes back, so that
    /// there are `depth` ids to walk again (at most the whole run).
    ///
    /// Clients that insert at the same time share a walk; it takes them about `depth` microseconds together, and each
    /// is one insert further then. Void after a restart of the server.
    ///
    /// # Errors
    /// Where the system does not let us into the server's memory (see [`OidCounter`]).
    pub fn hold(&self, cluster: &Cluster, depth: u32) -> Result<Hold> {
        let counter = cluster.oid_counter()?;
        let back_to = (self.last_id + 1).saturating_sub(depth).max(self.first_id);
        let run = self.first_id..=self.last_id;
        counter.set(back_to)?;
        let state = Arc::new(HoldState::default());
        let shared = Arc::clone(&state);
        let thread = std::thread::Builder::new()
            .name("toast-hold".to_owned())
            .spawn(move || {
                while !shared.is_over.load(Ordering::Relaxed) {
                    // Ends with the server: then there is nothing to read any more.
                    if put_back(&counter, &run, back_to, &shared).is_err() {
                        shared.is_void.store(true, Ordering::Relaxed);
                        break;
                    }
                    std::thread::sleep(counter.poll_interval());
                }
            })
            .map_err(Error::io("starting the thread that holds the incident"))?;
        Ok(Hold {
            state,
            thread: Some(thread),
        })
    }
}

fn put_back(
    counter: &OidCounter,
    run: &std::ops::RangeInclusive<u32>,
    back_to: u32,
    state: &HoldState,
) -> Result<()> {
    if !run.contains(&counter.get()?) {
        counter.set(back_to)?;
        state.passes.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

#[derive(Debug, Default)]
struct HoldState {
    is_over: AtomicBool,
    is_void: AtomicBool,
    passes: AtomicU64,
}

/// Keeps the incident alive until dropped.
#[derive(Debug)]
pub struct Hold {
    state: Arc<HoldState>,
    thread: Option<JoinHandle<()>>,
}

impl Hold {
    /// How many times the run has been walked through.
    pub fn passes(&self) -> u64 {
        self.state.passes.load(Ordering::Relaxed)
    }

    /// True when the server has restarted: the counter is where it likes.
    pub fn is_void(&self) -> bool {
        self.state.is_void.load(Ordering::Relaxed)
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.state.is_over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

/// Fills a run of `dense_run` used ids into the TOAST relation of `table`, a `persons` table (see
/// [`crate::traffic::Table::persons`]), and puts the counter at its beginning. The server restarts for that.
///
/// The fillers stay in the table, as rows of team [`FILLER_TEAM`]; they are small (about 100 bytes out of line).
pub async fn exhaust_toast_ids(
    cluster: &Cluster,
    database: &str,
    table: &str,
    dense_run: u32,
) -> Result<ToastRun> {
    let run = fill_toast_run(&cluster.url(database), table, dense_run).await?;
    cluster.reset_wal_next_oid(run.first_id).await?;
    Ok(run)
}

/// The first half of [`exhaust_toast_ids`]: the run, with the counter right behind it.
pub async fn fill_toast_run(url: &str, table: &str, dense_run: u32) -> Result<ToastRun> {
    let started = Instant::now();
    let doing = || format!("filling the TOAST relation of {table}");
    let client = connect(url).await?;
    // Values go out of line only from rows of 2 kB; what compresses well is stored in 100 bytes there, if the row is
    // to be as short as this.
    client
        .batch_execute(&format!("alter table {table} set (toast_tuple_target = 128)"))
        .await
        .map_err(Error::postgres(doing()))?;
    let sessions = std::thread::available_parallelism()
        .map_or(1, usize::from)
        .min(SESSIONS_MAX) as u32;
    let mut tasks = Vec::new();
    for session in 0..sessions {
        let share = |i: u32| (u64::from(dense_run) * u64::from(i) / u64::from(sessions)) as u32;
        let (url, table) = (url.to_owned(), table.to_owned());
        let (from, to) = (share(session), share(session + 1));
        tasks.push(tokio::spawn(async move { fill(&url, &table, from, to).await }));
    }
    for task in tasks {
        task.await
            .map_err(|_| Error::Request(format!("{} was interrupted", doing())))??;
    }
    client
        .batch_execute(&format!("alter table {table} reset (toast_tuple_target)"))
        .await
        .map_err(Error::postgres(doing()))?;
    let (relation, first_id, last_id) = longest_run(&client, table).await?;
    Ok(ToastRun {
        relation,
        first_id,
        last_id,
        filled_ms: started.elapsed().as_millis() as u64,
    })
}

async fn fill(url: &str, table: &str, from: u32, to: u32) -> Result<()> {
    let client = connect(url).await?;
    let doing = || Error::postgres(format!("filling the TOAST relation of {table}"));
    let has_lz4: bool = client
        .query_one(
            "select coalesce((select 'lz4' = any (enumvals) from pg_settings where name = 'default_toast_compression'), false)",
            &[],
        )
        .await
        .map_err(doing())?
        .get(0);
    if has_lz4 {
        client
            .batch_execute("set default_toast_compression = lz4")
            .await
            .map_err(doing())?;
    }
    // The value is read from a temporary table in which it lies uncompressed: converting it from text for each row
    // would cost more than storing it.
    client
        .batch_execute(&format!(
            "create temporary table filler (value jsonb); \
             alter table filler alter value set storage external; \
             insert into filler select jsonb_build_object('filler', md5('1') || md5('2') || md5('3') || repeat('x', 2050)); \
             insert into {table} (team_id, id, uuid, properties) \
             select {FILLER_TEAM}, n, '00000000-0000-0000-0000-000000000000', value \
             from generate_series({from}, {to} - 1) n, filler",
        ))
        .await
        .map_err(doing())
}

/// The longest run of used ids without a hole, and the relation's name.
async fn longest_run(client: &tokio_postgres::Client, table: &str) -> Result<(String, u32, u32)> {
    let doing = || Error::postgres(format!("looking for the run in the TOAST relation of {table}"));
    let relation: String = client
        .query_one(
            "select reltoastrelid::regclass::text from pg_class where oid = $1::text::regclass",
            &[&table],
        )
        .await
        .map_err(doing())?
        .get(0);
    let row = client
        .query_opt(
            &format!(
                "select min(id)::oid, max(id)::oid \
                 from (select id, id - row_number() over (order by id) as run \
                       from (select chunk_id::bigint as id from {relation} where chunk_seq = 0) ids) numbered \
                 group by run order by count(*) desc limit 1"
            ),
            &[],
        )
        .await
        .map_err(doing())?;
    match row {
        Some(row) => Ok((relation, row.get(0), row.get(1))),
        None => Err(Error::Request(format!(
            "{relation} is empty: nothing went out of line"
        ))),
    }
}
