//! The slots of the change log: it is rotated, so that what was forgotten leaves it without a vacuum.
//!
//! A deleted row stays in its table until no snapshot could see it any more. While anybody holds an old one (a report of
//! an hour, a session idle in a transaction), a log whose rows are deleted would only grow, and each reading of it would
//! pass by all that was ever in it. So the log is a parent table that stays empty and some *slots*, its children.
//! Everybody reads and deletes through the parent. The capture functions write into one slot, the *current* one.
//!
//! - **Switch.** The capture functions are replaced by ones that write into another, clean slot, in one fenced transaction
//!   with the note of which slot is current. Nothing is locked that a writer needs. A transaction that runs already, or a
//!   session that has not heard of it, may go on writing to the old slot for a while. That does no harm: it is read as before.
//! - **Emptying.** Once nothing is to be seen in the old slot, it is locked alone, for a moment, and only if it is free; looked at
//!   once more, now that nobody can be writing to it; and truncated. Whoever still has an open transaction that wrote into it
//!   holds its lock, so what is not committed yet is never lost.
//! - **More slots.** What holds a slot may hold it for hours: a transaction that wrote into it and then idles, a `pg_dump`
//!   (it locks every table that it finds). When every other slot is held like that, a new slot is made. None is dropped
//!   before the mirror ends: a session that has not heard of the switch may come to it late.
//!
//! Why children by inheritance, and not partitions: a row that is written straight to a partition is checked against
//! the partition's bounds, each time; and a parent of partitions must be locked against all readers to lose one. Children by inheritance have
//! neither. The ids come from one sequence for all slots, so they stay unique through the parent.
//!
//! Truncating is not bound by snapshots. Whoever reads the log in a snapshot of an earlier statement must have locked it
//! before that snapshot was taken: `Mirror::lock_log`.

use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, Instant};

use corridor_pg::fence::Fence;
use corridor_pg::{Fault, FaultContext, Ident, Isolation, Literal, QualifiedName, Result, Session};
use tokio::sync::OwnedRwLockWriteGuard;
use tokio_postgres::{GenericClient, Transaction};

use crate::Mirror;
use crate::spec::MirrorSpec;

/// Slots that a mirror begins with: one to write to, one to empty.
const SLOTS_FIRST: u32 = 2;
/// There are never more: each costs a look at every reading of the log. Past that the current slot grows, as a table without
/// rotation would.
const SLOTS_MAX: u32 = 16;
/// What one change takes in a slot, at the least. Before as many are forgotten as an eighth of a slot holds, it is not worth
/// asking how large the slots are.
const CHANGE_BYTES: u64 = 64;
/// The slots are not looked at more often than this.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long a late writer may have to wait for us, when we in turn wait for a slot.
const LOCK_MS: u32 = 30;
/// A worker that is stopped with a slot locked (a paused process, a cut network) holds it no longer than this.
const IDLE_MS_MAX: u32 = 2_000;

/// How a slot stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stand {
    /// The capture functions write to it.
    Current { bytes: u64 },
    /// Nothing was written to it since it was made or emptied.
    Clean,
    /// Changes in it wait for a round.
    HasChanges,
    /// Empty as far as is to be seen, but somebody holds it.
    IsHeld,
}

/// What is done about the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    Stay,
    /// Write to this slot from now on.
    Switch(u32),
    /// Make this one, and write to it.
    Add(u32),
}

/// Where the log goes on. `stands`: the slots, by their numbers.
fn turn(stands: &[Stand], slot_bytes_max: u64) -> Turn {
    let is_full = |stand: &Stand| matches!(stand, Stand::Current { bytes } if *bytes >= slot_bytes_max);
    if !stands.iter().any(is_full) {
        return Turn::Stay;
    }
    if let Some(clean) = stands.iter().position(|stand| *stand == Stand::Clean) {
        return Turn::Switch(clean as u32);
    }
    let is_soon_empty = stands.contains(&Stand::HasChanges);
    let count = stands.len() as u32;
    match is_soon_empty || count >= SLOTS_MAX {
        true => Turn::Stay,
        false => Turn::Add(count),
    }
}

/// A slot, as the database has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Slot {
    number: u32,
    is_current: bool,
    /// Of the rows alone. 0: nothing was written since it was made or emptied.
    bytes: u64,
}

/// A place in the queue of those who read the log.
type Turnstile = Pin<Box<dyn Future<Output = OwnedRwLockWriteGuard<()>> + Send>>;

/// What the one who rotates a log remembers between two looks at it; what counts is in the database.
pub struct Caretaker {
    /// How long to wait for a slot; as long may a late writer have to wait behind us.
    lock_ms: u32,
    /// A slot whose rows take as much is full.
    slot_bytes_max: u64,
    /// Changes forgotten since the last look.
    forgotten: u64,
    looked: Option<Instant>,
    /// Some slot waits to be emptied.
    has_rest: bool,
    /// A slot is held, by a comparison of this process perhaps: in the queue for a moment without one.
    queued: Option<Turnstile>,
}

impl std::fmt::Debug for Caretaker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Caretaker")
            .field("forgotten", &self.forgotten)
            .field("has_rest", &self.has_rest)
            .finish_non_exhaustive()
    }
}

impl Caretaker {
    /// Of a worker that has just come: it looks at once.
    pub fn new(slot_bytes_max: u64) -> Self {
        Caretaker {
            lock_ms: LOCK_MS,
            slot_bytes_max,
            forgotten: 0,
            looked: None,
            has_rest: true,
            queued: None,
        }
    }

    /// Waits so long for a slot.
    #[must_use]
    pub fn patient(mut self, lock_ms: u32) -> Self {
        self.lock_ms = lock_ms;
        self
    }

    /// The slots' size from now on.
    pub fn resize(&mut self, slot_bytes_max: u64) {
        self.slot_bytes_max = slot_bytes_max;
    }

    /// A round has forgotten so many changes.
    pub fn note(&mut self, changes: u64) {
        self.forgotten = self.forgotten.saturating_add(changes);
    }

    /// True when the slots should be looked at.
    fn is_due(&self, now: Instant) -> bool {
        let is_time = self
            .looked
            .is_none_or(|looked| now.duration_since(looked) >= LOOK_EVERY);
        is_time && (self.has_rest || self.forgotten >= self.slot_bytes_max / CHANGE_BYTES / 8)
    }
}

impl MirrorSpec {
    /// A slot of the change log.
    pub fn slot(&self, number: u32) -> QualifiedName {
        QualifiedName::new(
            Ident::derived("corridor", ""),
            Ident::derived("change", &format!("_{}_s{number}", self.tag)),
        )
    }

    /// Creates the change log: the parent, which stays empty, the first slots, and the note of which is current.
    /// `keys`: the key's columns, each with a comma before it.
    pub(crate) fn log_statements(&self, keys: &str) -> Vec<String> {
        let (change, ids, slots) = (self.table("change"), self.table("change_id"), self.table("slot"));
        let mut out = vec![
            format!("create sequence {ids}"),
            format!(
                "create table {change} (id bigint primary key default pg_catalog.nextval({}::pg_catalog.regclass), \
                 xid xid8 not null default pg_catalog.pg_current_xact_id(), \
                 is_truncate boolean not null default false{keys})",
                Literal(&ids.to_string())
            ),
            // It stays empty; but with an index missing here, a plan over all slots would have to read something whole.
            format!("create index on {change} (id) where is_truncate"),
            format!("alter sequence {ids} owned by {change}.id"),
            format!(
                "create table {slots} (slot integer primary key, is_current boolean not null default false)"
            ),
            format!("create unique index on {slots} (is_current) where is_current"),
        ];
        for number in 0..SLOTS_FIRST {
            out.extend(self.slot_statements(number));
        }
        out.push(format!("update {slots} set is_current = true where slot = 0"));
        out
    }

    /// Makes a slot. Vacuum is for what rotation cannot clean: it may take a slot that stays held, but never cut its end off
    /// under a lock that writers wait for.
    fn slot_statements(&self, number: u32) -> Vec<String> {
        let slot = self.slot(number);
        vec![
            format!(
                "create table {slot} (primary key (id)) inherits ({}) \
                 with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 50000, \
                 autovacuum_vacuum_insert_threshold = -1, autovacuum_vacuum_cost_delay = 0, vacuum_truncate = false, \
                 autovacuum_analyze_threshold = 2000000000)",
                self.table("change")
            ),
            format!("create index on {slot} (id) where is_truncate"),
            format!("insert into {} (slot) values ({number})", self.table("slot")),
        ]
    }

    /// Sends what is captured from now on into another slot.
    fn switch_statements(&self, to: u32) -> Vec<String> {
        let slots = self.table("slot");
        let mut out = vec![
            format!("update {slots} set is_current = false where is_current"),
            format!("update {slots} set is_current = true where slot = {to}"),
        ];
        out.extend(self.function_statements("create or replace function", to));
        out
    }
}

impl Mirror {
    /// Locks the change log, so that nobody empties a slot of it. Before the snapshot is taken: `lock table` needs none.
    ///
    /// Locks: `ACCESS SHARE` on the log.
    pub(crate) async fn lock_log(&self, tx: &Transaction<'_>) -> Result<()> {
        let sql = format!("lock table {} in access share mode", self.spec().table("change"));
        tx.batch_execute(&sql).await.doing(|| "locking the change log")
    }

    /// Looks after the change log, when it is time: empties slots that are done with, and goes on in another slot when the
    /// current one is full. Between two rounds, by the one who does the rounds.
    ///
    /// Locks: `ACCESS EXCLUSIVE` on a slot that is not written to any more, when it is free within 30 ms.
    pub async fn rotate(
        &self,
        session: &mut Session,
        fence: &Fence,
        caretaker: &mut Caretaker,
    ) -> Result<()> {
        if !caretaker.is_due(Instant::now()) {
            return Ok(());
        }
        let _shared = self.gate.read().await;
        let _applier = self.applier.lock().await;
        if self.is_over() {
            return Ok(());
        }
        caretaker.looked = Some(Instant::now());
        caretaker.forgotten = 0;
        let slots = self.slots(&**session).await?;
        let mut stands = Vec::with_capacity(slots.len());
        for slot in &slots {
            stands.push(self.stand(session, fence, caretaker, slot).await?);
        }
        let is_rest = |stand: &Stand| matches!(stand, Stand::HasChanges | Stand::IsHeld);
        caretaker.has_rest = stands.iter().any(is_rest);
        if !caretaker.has_rest {
            caretaker.queued = None;
        }
        match turn(&stands, caretaker.slot_bytes_max) {
            Turn::Stay => Ok(()),
            Turn::Switch(to) => self.switch(session, fence, Vec::new(), to).await,
            Turn::Add(to) => {
                let made = self.spec().slot_statements(to);
                self.switch(session, fence, made, to).await
            }
        }
    }

    async fn slots(&self, client: &impl GenericClient) -> Result<Vec<Slot>> {
        let spec = self.spec();
        let stem = spec.slot(0).to_string();
        let sql = format!(
            "select slot, is_current, pg_relation_size(to_regclass({} || slot)) from {} order by slot",
            Literal(stem.trim_end_matches('0')),
            spec.table("slot")
        );
        let rows = client
            .query(&sql, &[])
            .await
            .doing(|| "looking at the slots of the change log")?;
        Ok(rows
            .iter()
            .map(|row| Slot {
                number: row.get::<_, i32>(0).unsigned_abs(),
                is_current: row.get(1),
                bytes: row.get::<_, Option<i64>>(2).unwrap_or(0).unsigned_abs(),
            })
            .collect())
    }

    /// How a slot stands; one that is done with is emptied.
    async fn stand(
        &self,
        session: &mut Session,
        fence: &Fence,
        caretaker: &mut Caretaker,
        slot: &Slot,
    ) -> Result<Stand> {
        if slot.is_current {
            return Ok(Stand::Current { bytes: slot.bytes });
        }
        if slot.bytes == 0 {
            return Ok(Stand::Clean);
        }
        if self.has_changes(&**session, slot.number).await? {
            return Ok(Stand::HasChanges);
        }
        // A comparison of this process holds the log for a second or so, and the next one begins before it ends.
        let queued = caretaker
            .queued
            .get_or_insert_with(|| Box::pin(self.readers.clone().write_owned()));
        let guard = tokio::select! {
            biased;
            guard = queued => guard,
            () = async {} => return Ok(Stand::IsHeld),
        };
        caretaker.queued = None;
        let stand = self.empty(session, fence, caretaker.lock_ms, slot.number).await;
        drop(guard);
        stand
    }

    async fn has_changes(&self, client: &impl GenericClient, slot: u32) -> Result<bool> {
        let sql = format!("select exists (select from {})", self.spec().slot(slot));
        let row = client
            .query_one(&sql, &[])
            .await
            .doing(|| "looking at a slot of the change log")?;
        Ok(row.get(0))
    }

    /// Empties a slot, if nobody holds it and nothing is in it.
    async fn empty(&self, session: &mut Session, fence: &Fence, lock_ms: u32, number: u32) -> Result<Stand> {
        let slot = self.spec().slot(number);
        let doing = || "emptying a slot of the change log";
        let tx = session.begin(Isolation::ReadCommitted).await?;
        let settings = format!(
            "set local lock_timeout = {lock_ms}; set local idle_in_transaction_session_timeout = {IDLE_MS_MAX}"
        );
        tx.batch_execute(&settings).await.doing(doing)?;
        fence.hold(&tx).await?;
        let lock = format!("lock table {slot} in access exclusive mode");
        match tx.batch_execute(&lock).await.doing(doing) {
            Ok(()) => {}
            Err(fault) if is_lock_timeout(&fault) => return Ok(Stand::IsHeld),
            Err(fault) => return Err(fault),
        }
        // A new statement, a new snapshot: it sees all that was ever committed to the slot, and nobody is writing to it now.
        if self.has_changes(&tx, number).await? {
            return Ok(Stand::HasChanges);
        }
        let sql = format!("truncate only {slot}");
        tx.batch_execute(&sql).await.doing(doing)?;
        corridor_pg::failpoint::step("emptied", tx.commit())
            .await
            .doing(doing)?;
        Ok(Stand::Clean)
    }

    async fn switch(
        &self,
        session: &mut Session,
        fence: &Fence,
        mut statements: Vec<String>,
        to: u32,
    ) -> Result<()> {
        statements.extend(self.spec().switch_statements(to));
        let tx = session.begin(Isolation::ReadCommitted).await?;
        self.run_fenced(&tx, fence, &statements).await?;
        corridor_pg::failpoint::step("switched", tx.commit())
            .await
            .doing(|| "going on in another slot of the change log")
    }
}

fn is_lock_timeout(fault: &Fault) -> bool {
    fault.sqlstate() == Some("55P03")
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: u64 = 8 << 20;
    const FULL: Stand = Stand::Current { bytes: MAX };
    const ROOMY: Stand = Stand::Current { bytes: MAX - 1 };

    #[test]
    fn a_slot_that_is_not_full_stays_current() {
        assert_eq!(turn(&[ROOMY, Stand::Clean], MAX), Turn::Stay);
        assert_eq!(turn(&[Stand::IsHeld, ROOMY], MAX), Turn::Stay);
    }

    #[test]
    fn a_full_one_gives_way_to_the_first_that_is_clean() {
        assert_eq!(turn(&[FULL, Stand::Clean], MAX), Turn::Switch(1));
        assert_eq!(turn(&[Stand::Clean, FULL, Stand::Clean], MAX), Turn::Switch(0));
        assert_eq!(turn(&[Stand::IsHeld, FULL, Stand::Clean], MAX), Turn::Switch(2));
    }

    #[test]
    fn a_new_one_is_made_only_when_all_others_are_held() {
        assert_eq!(turn(&[FULL, Stand::IsHeld], MAX), Turn::Add(2));
        assert_eq!(turn(&[Stand::HasChanges, FULL, Stand::IsHeld], MAX), Turn::Stay);
        let mut all = vec![Stand::IsHeld; SLOTS_MAX as usize - 2];
        all.push(FULL);
        assert_eq!(turn(&all, MAX), Turn::Add(SLOTS_MAX - 1));
        all.push(Stand::IsHeld);
        assert_eq!(turn(&all, MAX), Turn::Stay);
    }

    #[test]
    fn slots_are_looked_at_once_a_second_at_most_and_only_when_there_is_reason() {
        let now = Instant::now();
        let mut caretaker = Caretaker::new(MAX);
        assert!(caretaker.is_due(now));
        caretaker.looked = Some(now);
        assert!(!caretaker.is_due(now + LOOK_EVERY / 2));
        assert!(caretaker.is_due(now + LOOK_EVERY));
        caretaker.has_rest = false;
        assert!(!caretaker.is_due(now + LOOK_EVERY));
        caretaker.note(20_000);
        assert!(caretaker.is_due(now + LOOK_EVERY));
        assert!(!caretaker.is_due(now + LOOK_EVERY / 2));
    }
}
