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
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::cluster::{Cluster, connect};
use crate::error::{Error, Result};
#[cfg(doc)]
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

    /// Keeps the incident alive until the answer is dropped: when the counter comes near the run's end, some inserts
    /// get fresh ids, and then it goes back, and the next inserts walk again.
    ///
    /// No id of this TOAST relation is handed out twice that way. If one were, a server process that has chosen it and
    /// not yet stored its value would meet another that has chosen the same, and one of them would fail. For other
    /// relations ids repeat from pass to pass: keep a pass above some 50 ms (`depth_ids` of 50,000) where they are busy.
    ///
    /// # Errors
    /// Where the system does not let us into the server's memory (see [`OidCounter`]), or when the run is too short.
    pub fn hold(&self, cluster: &Cluster, options: HoldOptions) -> Result<Hold> {
        let counter = cluster.oid_counter()?;
        let mut course = Course::plan(self, options, counter.poll_interval())?;
        counter.set(course.back_to)?;
        let state = Arc::new(HoldState::default());
        let shared = Arc::clone(&state);
        let thread = std::thread::Builder::new()
            .name("toast-hold".to_owned())
            .spawn(move || {
                while !shared.is_over.load(Ordering::Relaxed) {
                    let result = counter.get().and_then(|next| match course.steer(next) {
                        Some(id) => counter.set(id),
                        None => Ok(()),
                    });
                    shared.passes.store(course.passes, Ordering::Relaxed);
                    // Ends with the server: then there is nothing to read any more.
                    if result.is_err() {
                        shared.is_void.store(true, Ordering::Relaxed);
                        break;
                    }
                    // While ids are free every look counts: clients take thousands a second then.
                    std::thread::sleep(match course.is_walking {
                        true => counter.poll_interval(),
                        false => Duration::from_millis(1),
                    });
                }
            })
            .map_err(Error::io("starting the thread that holds the incident"))?;
        Ok(Hold {
            state,
            thread: Some(thread),
        })
    }
}

/// How bad the incident is while it is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HoldOptions {
    /// How many used ids lie before the next free one. A walk takes one to five microseconds of processor time per id;
    /// clients that insert at the same time share it. The run must be longer by 20,000 ids (100,000 where the counter
    /// is reached through the server's user).
    pub depth_ids: u32,
    /// How many fresh ids are handed out before the counter goes back. With as many as there are clients, nearly every
    /// insert walks.
    pub free_ids_per_pass: u32,
}

/// An id that is handed out fresh is so far from the run's end that a counter that slips over it meets others.
const FRESH_AFTER_RUN: u32 = 10_000_000;
/// From one pass to the next the fresh ids leave as many out: more than are taken while the counter is being set.
const FRESH_GAP: u32 = 10_000;
/// No machine walks faster than this, all processors together.
const IDS_PER_MS_MAX: u32 = 5_000;

/// Where the counter is sent, and when. Pure, so that it can be tested without a server.
#[derive(Debug)]
struct Course {
    back_to: u32,
    /// From here to the run's end the counter is caught.
    guard_from: u32,
    free_ids_per_pass: u32,
    /// While walking: the first fresh id of the next pass. While free: the first of this one.
    fresh: u32,
    is_walking: bool,
    passes: u64,
}

impl Course {
    fn plan(run: &ToastRun, options: HoldOptions, poll_interval: Duration) -> Result<Course> {
        let guard = IDS_PER_MS_MAX * (4 * poll_interval.as_millis() as u32).clamp(4, 20);
        match run.ids().checked_sub(guard) {
            Some(ids) if ids >= options.depth_ids && run.last_id < u32::MAX / 2 => {
                let guard_from = run.last_id + 1 - guard;
                Ok(Course {
                    back_to: guard_from - options.depth_ids,
                    guard_from,
                    free_ids_per_pass: options.free_ids_per_pass.max(1),
                    fresh: run.last_id + FRESH_AFTER_RUN,
                    is_walking: true,
                    passes: 0,
                })
            }
            _ => Err(Error::Request(format!(
                "a run of {} ids is too short, or lies too high, to be held at a depth of {} ids and a guard of {guard}",
                run.ids(),
                options.depth_ids
            ))),
        }
    }

    /// Where to send the counter, which is at `next` now; `None`: let it be.
    fn steer(&mut self, next: u32) -> Option<u32> {
        if self.is_walking {
            if (self.back_to..self.guard_from).contains(&next) {
                return None;
            }
            self.is_walking = false;
            return Some(self.fresh);
        }
        if next < self.fresh {
            // A backend was just counting, and wrote over what we had set.
            return Some(self.fresh);
        }
        if next - self.fresh < self.free_ids_per_pass {
            return None;
        }
        self.fresh = next + FRESH_GAP;
        self.is_walking = true;
        self.passes += 1;
        Some(self.back_to)
    }
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
    let mut fillers = Vec::new();
    for _ in 0..sessions {
        fillers.push(filler(url).await?);
    }
    // Only now: making a filler takes object ids too, which would be holes in the run.
    let mut inserts = Vec::new();
    for (filler, session) in fillers.into_iter().zip(0..) {
        let share = |i: u32| u64::from(dense_run) * u64::from(i) / u64::from(sessions);
        let insert = format!(
            "insert into {table} (team_id, id, uuid, properties) \
             select {FILLER_TEAM}, n, '00000000-0000-0000-0000-000000000000', value \
             from generate_series({}, {} - 1) n, filler",
            share(session),
            share(session + 1)
        );
        inserts.push(tokio::spawn(async move { filler.batch_execute(&insert).await }));
    }
    for insert in inserts {
        insert
            .await
            .map_err(|_| Error::Request(format!("{} was interrupted", doing())))?
            .map_err(Error::postgres(doing()))?;
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

/// A session with the value to fill in, in a temporary table `filler`.
async fn filler(url: &str) -> Result<tokio_postgres::Client> {
    let client = connect(url).await?;
    let doing = || Error::postgres("preparing a session that fills a TOAST relation");
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
    // The value lies uncompressed in a temporary table: converting it from text for each row would cost more than
    // storing it.
    client
        .batch_execute(
            "create temporary table filler (value jsonb); \
             alter table filler alter value set storage external; \
             insert into filler select jsonb_build_object('filler', md5('1') || md5('2') || md5('3') || repeat('x', 2050))",
        )
        .await
        .map_err(doing())?;
    Ok(client)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn run() -> ToastRun {
        ToastRun {
            relation: "pg_toast.t".to_owned(),
            first_id: 100_000,
            last_id: 199_999,
            filled_ms: 0,
        }
    }

    #[test]
    fn the_counter_is_sent_round_and_never_to_the_same_fresh_ids() {
        let options = HoldOptions {
            depth_ids: 50_000,
            free_ids_per_pass: 8,
        };
        let mut course = Course::plan(&run(), options, Duration::from_millis(1)).unwrap();
        assert_eq!((course.back_to, course.guard_from), (130_000, 180_000));
        assert_eq!(course.steer(130_000), None);
        assert_eq!(course.steer(179_999), None);
        let fresh = course.steer(181_000).unwrap();
        assert_eq!(fresh, 199_999 + FRESH_AFTER_RUN);
        // What we set was written over by a backend that was just counting.
        assert_eq!(course.steer(181_002), Some(fresh));
        assert_eq!(course.steer(fresh + 7), None);
        assert_eq!(course.steer(fresh + 8), Some(130_000));
        assert_eq!(course.passes, 1);
        // The same again, and a counter that slipped over the guard.
        assert_eq!(course.steer(fresh + 9), Some(fresh + 8 + FRESH_GAP));
    }

    #[test]
    fn a_run_that_is_too_short_is_refused() {
        let options = HoldOptions {
            depth_ids: 90_000,
            free_ids_per_pass: 8,
        };
        assert!(Course::plan(&run(), options, Duration::from_millis(1)).is_err());
    }
}
