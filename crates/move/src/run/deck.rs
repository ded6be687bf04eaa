//! What all tasks of one worker share: the plan, the lease, the two mirrors, and the signals to go on or to end.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use corridor_migration::setting::Settings;
use corridor_migration::throttle::{Leave, Readings, decide};
use corridor_migration::{Lease, Pulse};
use corridor_mirror::fault::CAPTURE_SWITCHED_OFF;
use corridor_mirror::{Mirror, MirrorSpec};
use corridor_pg::catalog::fingerprint;
use corridor_pg::fence::Fence;
use corridor_pg::{ConnectOptions, Fault, Oid, Result};
use serde_json::{Map, Value};
use tokio::sync::watch;
use tokio_postgres::{GenericClient, Transaction};

use crate::plan::MovePlan;
use crate::run::fault::{BUG, DEFINITION_CHANGED, NOT_PROVEN, REVERSE_BROKEN};
use crate::run::report::{Progress, Watcher};
use crate::run::stop::{Step, Stop};
use crate::run::vigil::Roster;
use crate::run::worker::StoredMove;

/// A word of the throttle that is older than so many of its intervals counts no more.
const STALE_INTERVALS: u32 = 5;

/// Shared by all tasks of one worker on one migration.
pub(crate) struct Deck {
    pub(crate) connect: ConnectOptions,
    pub(crate) name: String,
    pub(crate) lease: Lease,
    pub(crate) fence: Fence,
    pub(crate) plan: MovePlan,
    /// Old table to new table.
    pub(crate) forward: Arc<Mirror>,
    /// New table to old table, after the cut-over.
    pub(crate) reverse: Arc<Mirror>,
    watcher: Arc<dyn Watcher>,
    pub(crate) interrupt: watch::Receiver<bool>,
    pulse: watch::Receiver<Pulse>,
    /// True: every task ends at its next checkpoint, and the state is read again.
    turn: watch::Sender<bool>,
    /// A fault of a background task, for the one who waits for it.
    failed: Mutex<Option<Fault>>,
    /// The connections of all seats, for the vigil.
    pub(crate) roster: Roster,
    pub(crate) settings: watch::Sender<Settings>,
    /// The throttle's last word, and when it was measured.
    pub(crate) leave: watch::Sender<(Leave, Instant)>,
    is_throttle_silent: AtomicBool,
    words: Mutex<Map<String, Value>>,
    pending: AtomicI64,
    verifies_back: AtomicBool,
    wants_cutover: AtomicBool,
}

/// What a deck is made of.
pub(crate) struct DeckParts {
    pub(crate) connect: ConnectOptions,
    pub(crate) name: String,
    pub(crate) lease: Lease,
    pub(crate) stored: StoredMove,
    pub(crate) watcher: Arc<dyn Watcher>,
    pub(crate) interrupt: watch::Receiver<bool>,
    pub(crate) pulse: watch::Receiver<Pulse>,
    pub(crate) settings: Settings,
}

impl Deck {
    pub(crate) fn new(parts: DeckParts) -> Self {
        let fence = parts.lease.fence();
        let StoredMove { plan } = parts.stored;
        let (forward, reverse) = mirrors(&plan, fence.migration_id);
        Deck {
            connect: parts.connect,
            name: parts.name,
            lease: parts.lease,
            fence,
            forward: Arc::new(Mirror::new(forward).over_partitions(!plan.old_partitions.is_empty())),
            reverse: Arc::new(Mirror::new(reverse).over_partitions(!plan.partitions.is_empty())),
            plan,
            watcher: parts.watcher,
            interrupt: parts.interrupt,
            pulse: parts.pulse,
            turn: watch::Sender::new(false),
            failed: Mutex::new(None),
            roster: Roster::default(),
            settings: watch::Sender::new(parts.settings),
            // Nothing was measured yet; the guard's first sample comes before the first chunk asks.
            leave: watch::Sender::new((Leave::Hold { reasons: Vec::new() }, Instant::now())),
            is_throttle_silent: AtomicBool::new(false),
            words: Mutex::new(Map::new()),
            pending: AtomicI64::new(0),
            verifies_back: AtomicBool::new(false),
            wants_cutover: AtomicBool::new(false),
        }
    }

    pub(crate) fn say(&self, progress: &Progress) {
        if let Ok(value) = serde_json::to_value(progress) {
            let mut words = self.words.lock().unwrap_or_else(PoisonError::into_inner);
            let kind = value
                .get("event")
                .and_then(Value::as_str)
                .unwrap_or("event")
                .to_owned();
            words.insert(kind, value);
        }
        self.watcher.on(progress);
    }

    /// The last word of each kind, for the heartbeat: what `status` shows of a worker elsewhere.
    pub(crate) fn last_words(&self) -> Value {
        let words = self.words.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all: Map<String, Value> = words.clone();
        all.insert("pending_changes".to_owned(), Value::from(self.pending_changes()));
        Value::Object(all)
    }

    /// False when another worker has taken over.
    pub(crate) fn is_lease_ours(&self) -> bool {
        *self.pulse.borrow() != Pulse::Lost
    }

    pub(crate) fn settings(&self) -> Settings {
        self.settings.borrow().clone()
    }

    /// Tells every task to end at its next checkpoint.
    pub(crate) fn wind_down(&self) {
        self.turn.send_replace(true);
    }

    /// A new piece of work begins.
    pub(crate) fn wind_up(&self) {
        self.turn.send_replace(false);
    }

    /// A background task met a fault that ends the work.
    pub(crate) fn fail(&self, fault: Fault) {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.get_or_insert(fault);
        drop(failed);
        self.wind_down();
    }

    /// The fault of a background task, once.
    pub(crate) fn take_failure(&self) -> Option<Fault> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Follows the signal to end.
    pub(crate) fn halted(&self) -> watch::Receiver<bool> {
        self.turn.subscribe()
    }

    /// True when this worker must leave: interrupted, or its lease is gone.
    pub(crate) fn must_leave(&self) -> bool {
        *self.interrupt.borrow() || *self.pulse.borrow() == Pulse::Lost
    }

    /// Between two transactions: may the next one begin?
    pub(crate) fn checkpoint(&self) -> Step<()> {
        if *self.turn.borrow() || self.must_leave() {
            Err(Stop::Turn)
        } else {
            Ok(())
        }
    }

    /// Sleeps, unless the deck is halted first. While no beat comes through, nothing new begins either.
    pub(crate) async fn pause(&self, time: Duration) -> Step<()> {
        let mut turn = self.turn.subscribe();
        let mut interrupt = self.interrupt.clone();
        tokio::select! {
            () = tokio::time::sleep(time) => {}
            _ = turn.wait_for(|t| *t) => {}
            _ = interrupt.wait_for(|i| *i) => {}
        }
        self.checkpoint()
    }

    /// Waits until the throttle lets the next chunk begin. `nice` and chunk sizes are the caller's.
    pub(crate) async fn wait_for_leave(&self) -> Step<()> {
        let mut leave = self.leave.subscribe();
        loop {
            leave.mark_unchanged();
            let is_go = self.leave_now().is_go();
            if is_go && *self.pulse.borrow() != Pulse::Stale {
                break;
            }
            tokio::select! {
                _ = leave.changed() => {}
                paused = self.pause(Duration::from_millis(200)) => paused?,
            }
        }
        self.checkpoint()
    }

    /// The throttle's word, as far as it still counts: one that has fallen silent holds (it fails closed), and says so.
    fn leave_now(&self) -> Leave {
        let (word, taken) = self.leave.borrow().clone();
        let settings = self.settings.borrow();
        let interval = Duration::from_millis(settings.throttle_interval_ms);
        let age_max = interval * STALE_INTERVALS + Duration::from_secs(1);
        let age = taken.elapsed();
        if age <= age_max {
            return word;
        }
        // Without a limit there is nothing to know.
        let leave = decide(&Readings::default(), &settings.limits, age, age_max);
        if let Leave::Hold { reasons } = &leave
            && !self.is_throttle_silent.swap(true, Ordering::Relaxed)
        {
            self.say(&Progress::Throttle {
                reasons: reasons.clone(),
            });
        }
        leave
    }

    /// True once after the throttle was missed: then its next word is news, whatever it is.
    pub(crate) fn take_throttle_silence(&self) -> bool {
        self.is_throttle_silent.swap(false, Ordering::Relaxed)
    }

    /// The new table exists, as far as this worker knows.
    pub(crate) fn has_target(&self) -> bool {
        self.forward.is_identified()
    }

    pub(crate) fn pending_changes(&self) -> i64 {
        self.pending.load(Ordering::Relaxed)
    }

    pub(crate) fn note_pending(&self, pending: i64) {
        self.pending.store(pending, Ordering::Relaxed);
    }

    pub(crate) fn bug(&self, what: &str) -> Fault {
        Fault::new(&BUG, what.to_owned())
    }

    /// Fails with `MOV-101` when the source is not the table that the plan was made for any more.
    pub(crate) async fn check_definition(&self, client: &impl GenericClient) -> Result<()> {
        let now = fingerprint(client, self.plan.source.oid).await?;
        let changed = self.plan.fingerprint.differs_from(&now);
        if changed.is_empty() {
            return Ok(());
        }
        Err(Fault::new(
            &DEFINITION_CHANGED,
            format!(
                "{}: its {} changed",
                self.plan.source.name,
                changed.join(", its ")
            ),
        ))
    }

    /// Fails with `MIR-006` when writes to the source may pass the capture by. After it is installed.
    pub(crate) async fn check_capture(&self, client: &impl GenericClient, is_back: bool) -> Result<()> {
        match is_back {
            false => {
                let tables = 1 + self.plan.old_partitions.len();
                self.forward.check_capture(client, tables).await?;
                let noted: Option<String> = client
                    .query_opt(
                        include_str!("../../sql/run/captured.sql"),
                        &[&self.fence.migration_id],
                    )
                    .await?
                    .and_then(|row| row.get("capture"));
                if noted.as_deref().is_none_or(str::is_empty)
                    || noted == Some(self.forward.capture_digest(client).await?)
                {
                    return Ok(());
                }
                let what = "a capture trigger was switched off and on again, or made anew";
                Err(Fault::new(
                    &CAPTURE_SWITCHED_OFF,
                    format!("{}: {what}", self.plan.source.name),
                ))
            }
            // The new table itself, and its partitions.
            true => {
                self.reverse
                    .check_capture(client, 1 + self.plan.partitions.len())
                    .await
            }
        }
    }

    /// A cut-over that was asked for has to wait for a new proof.
    pub(crate) fn want_cutover(&self) {
        self.wants_cutover.store(true, Ordering::Relaxed);
    }

    /// True once for each time that it was wanted.
    pub(crate) fn take_wanted_cutover(&self) -> bool {
        self.wants_cutover.swap(false, Ordering::Relaxed)
    }

    /// Asked for after the cut-over: compare the way back once.
    pub(crate) fn ask_verify_back(&self) {
        self.verifies_back.store(true, Ordering::Relaxed);
    }

    /// It was asked for, and has not begun yet.
    pub(crate) fn is_verify_back_asked(&self) -> bool {
        self.verifies_back.load(Ordering::Relaxed)
    }

    /// True once for each time that it was asked for.
    pub(crate) fn take_verify_back(&self) -> bool {
        self.verifies_back.swap(false, Ordering::Relaxed)
    }

    /// Fails with `MOV-108` when the new table is not as the cut-over left it.
    pub(crate) async fn check_new_definition(&self, client: &impl GenericClient) -> Result<()> {
        let settled = client
            .query_opt(
                include_str!("../../sql/run/settled.sql"),
                &[&self.fence.migration_id],
            )
            .await?;
        let recorded: Option<String> = settled.as_ref().and_then(|row| row.get("fingerprint"));
        let capture: Option<String> = settled.as_ref().and_then(|row| row.get("capture"));
        if let Some(capture) = capture
            && capture != self.reverse.capture_digest(client).await?
        {
            let what = "a capture trigger was switched off or made anew, or a partition detached and attached, since the cut-over";
            return Err(Fault::new(
                &REVERSE_BROKEN,
                format!("{}: {what}", self.plan.source.name),
            ));
        }
        let oid: Option<u32> = client
            .query_one(
                include_str!("../../sql/run/target_oid.sql"),
                &[&self.fence.migration_id],
            )
            .await?
            .get("target_oid");
        let (Some(recorded), Some(oid)) = (recorded, oid) else {
            return Ok(()); // the worker died before it had settled; the swap back then finds what does not fit by itself
        };
        let Ok(then) = serde_json::from_str::<corridor_pg::catalog::Fingerprint>(&recorded) else {
            return Ok(());
        };
        let changed = then.differs_from(&fingerprint(client, Oid(oid)).await?);
        if changed.is_empty() {
            return Ok(());
        }
        Err(Fault::new(
            &REVERSE_BROKEN,
            format!(
                "{}: its {} changed since the cut-over",
                self.plan.source.name,
                changed.join(", its ")
            ),
        ))
    }

    /// Compares the keys that the last verification could never catch at rest. For the swap, under its locks. Fails with
    /// `MOV-104` when one differs.
    pub(crate) async fn check_rest(&self, tx: &Transaction<'_>) -> Result<()> {
        let run = self.forward.last_run(tx).await?;
        if self.forward.is_rest_equal(tx, run).await? {
            return Ok(());
        }
        Err(Fault::new(
            &NOT_PROVEN,
            format!(
                "{}: keys that verification run {run} left out differ, or are too many",
                self.plan.source.name
            ),
        ))
    }

    /// Fails with `MOV-104` when no verification has proven the target equal.
    pub(crate) async fn check_proof(&self, client: &impl GenericClient) -> Result<()> {
        let run = self.forward.last_run(client).await?;
        if self.forward.is_proven(client, run).await? && self.forward.is_copied(client).await? {
            return Ok(());
        }
        Err(Fault::new(
            &NOT_PROVEN,
            format!(
                "{}: verification run {run} is not complete",
                self.plan.source.name
            ),
        ))
    }
}

/// The two mirrors of a move.
pub(crate) fn mirrors(plan: &MovePlan, migration: impl std::fmt::Display) -> (MirrorSpec, MirrorSpec) {
    let forward = MirrorSpec {
        tag: format!("{migration}_fwd"),
        source: plan.source.name.clone(),
        target: plan.target.clone(),
        key: plan.key.clone(),
        columns: plan.columns.clone(),
        is_noting_unfit: false,
    };
    let reverse = MirrorSpec {
        tag: format!("{migration}_rev"),
        // After the swap the new table has the name, and the old one is parked.
        source: plan.source.name.clone(),
        target: plan.parked.clone(),
        key: plan.reverse_key.clone(),
        columns: plan.reverse_columns.clone(),
        // The application must not notice, and the rest must go on.
        is_noting_unfit: true,
    };
    (forward, reverse)
}
