//! Crews: several workers over disjoint lanes, copying or comparing, at the throttle's pace.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use corridor_mirror::fault::TRUNCATED;
use corridor_mirror::lane::Lane;
use corridor_mirror::{Mirror, Sizer};
use corridor_pg::Result;
use tokio::task::JoinSet;
use tokio_postgres::GenericClient;

use crate::run::deck::Deck;
use crate::run::report::Progress;
use crate::run::seat::Seat;
use crate::run::stop::{Step, Stop};

/// How often a crew says how far it is.
const REPORT_EVERY: Duration = Duration::from_millis(500);
/// Wanted duration of one comparison; it holds a snapshot, nothing else.
const VERIFY_TARGET_MS: u64 = 1_000;

/// What a crew does with a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Task {
    /// Copy it to its end.
    Copy,
    /// Compare it to its end, as part of this run.
    Verify { run: i32 },
}

/// What the members of a crew share.
struct Crew {
    deck: Arc<Deck>,
    mirror: Arc<Mirror>,
    task: Task,
    /// Lanes that nobody has taken, lowest last.
    free: Mutex<Vec<Lane>>,
    /// Rows dealt with since this crew began.
    rows: AtomicU64,
    bytes: AtomicU64,
}

impl Crew {
    fn take_lane(&self) -> Option<Lane> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    fn is_empty(&self) -> bool {
        self.free
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_empty()
    }
}

/// Works through `lanes`; ends when all are done, or the deck is halted.
pub(crate) async fn work(
    deck: &Arc<Deck>,
    mirror: &Arc<Mirror>,
    task: Task,
    lanes: Vec<Lane>,
    rows_before: u64,
) -> Step<()> {
    let mut free = lanes;
    free.reverse();
    let crew = Arc::new(Crew {
        deck: deck.clone(),
        mirror: mirror.clone(),
        task,
        free: Mutex::new(free),
        rows: AtomicU64::new(0),
        bytes: AtomicU64::new(0),
    });
    let mut members: JoinSet<(usize, Step<()>)> = JoinSet::new();
    let mut at_work: BTreeSet<usize> = BTreeSet::new();
    let mut first_stop: Option<Stop> = None;
    let mut speed = Speed::new();
    let mut ticker = tokio::time::interval(REPORT_EVERY);
    loop {
        let wanted = deck.settings().workers as usize;
        while first_stop.is_none() && at_work.len() < wanted && !crew.is_empty() {
            let seat = (0..).find(|n| !at_work.contains(n)).unwrap_or(0);
            at_work.insert(seat);
            let crew = crew.clone();
            members.spawn(async move { (seat, member(&crew, seat).await) });
        }
        if members.is_empty() {
            break;
        }
        tokio::select! {
            Some(ended) = members.join_next() => match ended {
                Ok((seat, outcome)) => {
                    at_work.remove(&seat);
                    if let Err(stop) = outcome {
                        first_stop = Some(worse(first_stop, stop));
                    }
                }
                // A panic in a member is a bug; the state on the server is consistent all the same.
                Err(error) => first_stop = Some(Stop::Fault(deck.bug(&error.to_string()))),
            },
            _ = ticker.tick() => report(&crew, &mut speed, rows_before).await,
        }
        if first_stop.is_some() {
            // The others must not go on alone; they end at their next checkpoint.
            deck.wind_down();
        }
    }
    report(&crew, &mut speed, rows_before).await;
    match first_stop {
        Some(stop) => Err(stop),
        None => Ok(()),
    }
}

fn worse(first: Option<Stop>, next: Stop) -> Stop {
    match (first, next) {
        (Some(Stop::Fault(fault)), _) | (_, Stop::Fault(fault)) => Stop::Fault(fault),
        _ => Stop::Turn,
    }
}

async fn member(crew: &Crew, seat_number: usize) -> Step<()> {
    let mut seat = Seat::new(match crew.task {
        Task::Copy => "copy",
        Task::Verify { .. } => "verify",
    });
    let mut sizer = sizer(crew);
    while let Some(lane) = crew.take_lane() {
        while !advance(crew, &mut seat, &lane, &mut sizer).await? {
            if seat_number >= crew.deck.settings().workers as usize {
                // One worker too many now; somebody else goes on with the lane.
                crew.free
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(lane);
                return Ok(());
            }
        }
    }
    Ok(())
}

fn sizer(crew: &Crew) -> Sizer {
    let settings = crew.deck.settings();
    match crew.task {
        Task::Copy => Sizer::new(settings.chunk_target_ms, settings.chunk_max_bytes),
        Task::Verify { .. } => Sizer::new(VERIFY_TARGET_MS, u64::MAX),
    }
}

/// One chunk, or one comparison. True when the lane is done.
async fn advance(crew: &Crew, seat: &mut Seat, lane: &Lane, sizer: &mut Sizer) -> Step<bool> {
    let deck = &crew.deck;
    deck.checkpoint()?;
    deck.wait_for_leave().await?;
    let settings = deck.settings();
    if crew.task == Task::Copy {
        sizer.set_targets(settings.chunk_target_ms, settings.chunk_max_bytes);
    }
    let session = seat.session(deck).await?;
    let started = Instant::now();
    let outcome = match crew.task {
        Task::Copy => match may_copy(crew, &**session).await {
            Ok(()) => crew
                .mirror
                .copy_chunk(session, &deck.fence, lane.lane, sizer)
                .await
                .map(|done| {
                    crew.bytes.fetch_add(done.bytes, Ordering::Relaxed);
                    (done.rows, done.is_lane_done, false)
                }),
            Err(fault) => Err(fault),
        },
        Task::Verify { run } => crew
            .mirror
            .verify_next(session, &deck.fence, run, lane, sizer)
            .await
            .map(|done| (done.rows, done.is_lane_done, done.is_waiting)),
    };
    match outcome {
        Ok((rows, is_done, is_waiting)) => {
            seat.succeeded(deck);
            crew.rows.fetch_add(rows, Ordering::Relaxed);
            if is_waiting {
                deck.pause(Duration::from_millis(100)).await?;
            } else if settings.nice > 0.0 {
                deck.pause(started.elapsed().mul_f64(settings.nice)).await?;
            }
            Ok(is_done)
        }
        // The copy begins again: whoever compares goes back to it.
        Err(fault) if fault.code().id == TRUNCATED.id => {
            deck.pause(Duration::from_millis(100)).await?;
            Err(Stop::Turn)
        }
        Err(fault) => {
            seat.recover(deck, fault).await?;
            Ok(false)
        }
    }
}

/// Before each chunk: is the table still the one that the plan was made for, and is every write to it captured?
async fn may_copy(crew: &Crew, client: &impl GenericClient) -> Result<()> {
    let is_back = Arc::ptr_eq(&crew.mirror, &crew.deck.reverse);
    if !is_back {
        crew.deck.check_definition(client).await?;
    }
    crew.deck.check_capture(client, is_back).await
}

/// Rows per second over the last seconds.
struct Speed {
    marks: std::collections::VecDeque<(Instant, u64)>,
}

impl Speed {
    const WINDOW: Duration = Duration::from_secs(5);

    fn new() -> Self {
        Speed {
            marks: [(Instant::now(), 0)].into(),
        }
    }

    fn observe(&mut self, rows: u64) -> f64 {
        let now = Instant::now();
        self.marks.push_back((now, rows));
        while self.marks.len() > 2 && now.duration_since(self.marks[1].0) > Self::WINDOW {
            self.marks.pop_front();
        }
        let (since, before) = self.marks[0];
        (rows - before) as f64 / now.duration_since(since).as_secs_f64().max(0.001)
    }
}

async fn report(crew: &Crew, speed: &mut Speed, rows_before: u64) {
    let rows = crew.rows.load(Ordering::Relaxed);
    crew.deck.say(&Progress::Rows {
        is_verification: crew.task != Task::Copy,
        rows: rows_before + rows,
        rows_estimate: (crew.deck.plan.estimate.row_estimate.max(0.0) as u64).max(rows_before + rows),
        rows_per_s: speed.observe(rows),
        bytes: crew.bytes.load(Ordering::Relaxed),
        pending_changes: crew.deck.pending_changes(),
    });
}
