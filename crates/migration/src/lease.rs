//! The lease: who works on a migration, at which epoch.
//!
//! Taking it over moves the epoch on, which waits for every transaction that holds the row at the old one. When a
//! dead worker's transaction stands in the way (its process is gone, the server has not noticed), exactly that
//! worker's backends are ended: see `sql/lease/end_leftovers.sql` for how they are told apart from a living rival's.

use std::time::{Duration, Instant};

use corridor_pg::fence::Fence;
use corridor_pg::{Fault, FaultContext, Isolation, Result, Session};
use serde::Serialize;
use serde_json::{Value, json};
use tokio_postgres::GenericClient;

use crate::fault::{LEASE_HELD, NO_SUCH_MIGRATION, TAKEOVER_BLOCKED};
use crate::heart::Vitals;
use crate::store::journal_append;

/// How long a worker may be silent before another one may take over, unless it was set otherwise.
pub const TTL_DEFAULT: Duration = Duration::from_secs(10);

/// How long one attempt waits for the lease row before it looks for leftovers. Longer than most chunks: a
/// transaction that is about to commit may do so.
const ATTEMPT_LOCK_TIMEOUT_MS: u64 = 1_000;

/// How long taking over may last in all. Longer than `idle_in_transaction_session_timeout` would be no help: what is
/// still there then is not ours to end.
const TAKE_BUDGET: Duration = Duration::from_secs(30);

/// Ownership of one migration. Dropping it does not release it: after a crash nobody drops anything either.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    fence: Fence,
    holder: String,
    ttl: Duration,
    /// Who was taken over; `None` when the lease was free.
    pub taken_over_from: Option<String>,
    /// The backends of that worker that were ended.
    pub ended_backends: Vec<i32>,
}

/// Who holds the lease, and what was last heard of them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Tenure {
    /// The epoch; it only ever grows.
    pub epoch: i64,
    /// Who holds it: `role@host pid`. `None` when it is free.
    pub holder: Option<String>,
    /// True when it is held and the last beat is younger than the holder's promise.
    pub is_alive: bool,
    /// Age of the last beat by the server's clock.
    pub heartbeat_age_ms: f64,
    /// How long the holder promised to be silent at most.
    pub ttl_ms: i64,
    /// The server processes that work for it, as of the last beat.
    pub backend_pids: Vec<i32>,
    /// What the last beat said about progress.
    pub progress: Value,
    /// The migration's name.
    #[serde(skip)]
    pub migration: String,
}

impl Tenure {
    /// Reads it; no lock.
    pub async fn look(client: &impl GenericClient, migration_id: i64) -> Result<Tenure> {
        let row = client
            .query_opt(include_str!("../sql/lease/look.sql"), &[&migration_id])
            .await
            .doing(|| "looking at the lease")?
            .ok_or_else(|| Fault::new(&NO_SUCH_MIGRATION, format!("id {migration_id}")))?;
        let holder: Option<String> = row.get("holder");
        let heartbeat_age_ms: f64 = row.get("age_ms");
        let ttl_ms: i64 = row.get("ttl_ms");
        Ok(Tenure {
            epoch: row.get("epoch"),
            is_alive: holder.is_some() && heartbeat_age_ms < ttl_ms as f64,
            holder,
            heartbeat_age_ms,
            ttl_ms,
            backend_pids: row.get("backend_pids"),
            progress: serde_json::from_str(row.get("progress")).unwrap_or(Value::Null),
            migration: row.get("name"),
        })
    }

    fn held(&self) -> Fault {
        Fault::new(
            &LEASE_HELD,
            format!(
                "migration {} is held by {}, last heard of {:.1} s ago (lease {:.1} s)",
                self.migration,
                self.holder.as_deref().unwrap_or("nobody"),
                self.heartbeat_age_ms / 1_000.0,
                self.ttl_ms as f64 / 1_000.0
            ),
        )
    }
}

/// `role@host pid`: who this process is, for lease and journal.
pub fn this_process(role: &str) -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname")
        .or_else(|_| std::fs::read_to_string("/etc/hostname"))
        .ok()
        .or_else(|| std::env::var("HOSTNAME").ok());
    let host = host.as_deref().map_or("localhost", str::trim);
    format!("{role}@{host} {}", std::process::id())
}

/// What one attempt came to.
enum Attempt {
    Taken(Fence),
    /// The row was locked for the whole attempt.
    Blocked,
    /// Somebody else was faster, or the holder came back to life: look again.
    Again,
}

/// Takes the lease.
///
/// - `holder`: who takes it, see [`this_process`].
/// - `ttl`: how long this worker promises to be silent at most.
///
/// `MIG-009` while another worker holds it and was heard of within *its* ttl, by the server's clock. A lease that was
/// released can be taken at once. `MIG-010` when something that is not ours to end holds the row for 30 seconds.
///
/// The session must not be in a transaction. Its `application_name` should name the migration.
pub async fn take(session: &mut Session, migration_id: i64, holder: &str, ttl: Duration) -> Result<Lease> {
    let deadline = Instant::now() + TAKE_BUDGET;
    let mut ended_backends = Vec::new();
    loop {
        let seen = Tenure::look(&**session, migration_id).await?;
        if seen.is_alive {
            return Err(seen.held());
        }
        match attempt(session, migration_id, &seen, holder, ttl, &ended_backends).await? {
            Attempt::Taken(fence) => {
                return Ok(Lease {
                    fence,
                    holder: holder.to_owned(),
                    ttl,
                    taken_over_from: seen.holder,
                    ended_backends,
                });
            }
            Attempt::Again if Instant::now() < deadline => continue,
            Attempt::Blocked if Instant::now() < deadline => {
                end_leftovers(session, migration_id, &seen, &mut ended_backends).await?;
            }
            Attempt::Again | Attempt::Blocked => return Err(blocked(session, &seen).await?),
        }
    }
}

async fn attempt(
    session: &mut Session,
    migration_id: i64,
    seen: &Tenure,
    holder: &str,
    ttl: Duration,
    ended_backends: &[i32],
) -> Result<Attempt> {
    let doing = || format!("taking the lease of migration {}", seen.migration);
    let tx = session.begin(Isolation::ReadCommitted).await?;
    tx.execute(
        include_str!("../sql/lease/lock_timeout.sql"),
        &[&format!("{ATTEMPT_LOCK_TIMEOUT_MS}ms")],
    )
    .await
    .doing(doing)?;
    let taken = tx
        .query_opt(
            include_str!("../sql/lease/take.sql"),
            &[&migration_id, &seen.epoch, &holder],
        )
        .await;
    let epoch: i64 = match taken {
        Ok(Some(row)) => row.get("epoch"),
        Ok(None) => return Ok(Attempt::Again),
        Err(error) => {
            let fault = Fault::from(error);
            if fault.code().id == corridor_pg::fault::LOCK_TIMEOUT.id {
                return Ok(Attempt::Blocked);
            }
            return Err(fault.doing(doing()));
        }
    };
    let ttl_ms = i64::try_from(ttl.as_millis()).unwrap_or(i64::MAX).max(1);
    let claimed = tx
        .execute(
            include_str!("../sql/lease/claim_heartbeat.sql"),
            &[
                &migration_id,
                &seen.epoch,
                &epoch,
                &ttl_ms,
                &seen.holder.is_none(),
            ],
        )
        .await
        .doing(doing)?;
    if claimed == 0 {
        // It beat while we waited for the row: it lives. Our transaction is rolled back.
        return Ok(Attempt::Again);
    }
    let event = if seen.holder.is_some() {
        "taken_over"
    } else {
        "lease_taken"
    };
    let detail = json!({ "epoch": epoch, "from": seen.holder, "ended_backends": ended_backends });
    journal_append(&tx, migration_id, holder, event, &detail).await?;
    corridor_pg::failpoint::step("lease", tx.commit())
        .await
        .doing(doing)?;
    Ok(Attempt::Taken(Fence { migration_id, epoch }))
}

async fn end_leftovers(
    session: &Session,
    migration_id: i64,
    seen: &Tenure,
    ended_backends: &mut Vec<i32>,
) -> Result<()> {
    let rows = session
        .query(
            include_str!("../sql/lease/end_leftovers.sql"),
            &[&migration_id, &seen.epoch, &seen.migration, &seen.ttl_ms],
        )
        .await;
    let rows = match rows {
        Ok(rows) => rows,
        // Another role's backends: not ours to end. The attempts go on, then name them.
        Err(error) => {
            let fault = Fault::from(error);
            if fault.code().id == corridor_pg::fault::NO_PRIVILEGE.id {
                return Ok(());
            }
            return Err(fault.doing("ending what a dead worker left running"));
        }
    };
    for row in rows {
        let pid: i32 = row.get("pid");
        if row.get("is_told") && !ended_backends.contains(&pid) {
            tracing::info!(pid, migration = %seen.migration, "ended a backend of the worker before this one");
            ended_backends.push(pid);
        }
    }
    Ok(())
}

async fn blocked(session: &Session, seen: &Tenure) -> Result<Fault> {
    let rows = session
        .query(include_str!("../sql/lease/in_the_way.sql"), &[])
        .await
        .doing(|| "looking for who holds the lease row")?;
    let who: Vec<String> = rows
        .iter()
        .map(|row| {
            format!(
                "{} (role {}, {})",
                row.get::<_, i32>("pid"),
                row.get::<_, &str>("role"),
                row.get::<_, &str>("application_name")
            )
        })
        .collect();
    let who = if who.is_empty() {
        "nobody that can be seen".to_owned()
    } else {
        who.join(", ")
    };
    Ok(Fault::new(
        &TAKEOVER_BLOCKED,
        format!(
            "the lease row of migration {} was locked for {} s; sessions that may hold it: {who}",
            seen.migration,
            TAKE_BUDGET.as_secs()
        ),
    ))
}

impl Lease {
    /// What every writing transaction holds.
    pub fn fence(&self) -> Fence {
        self.fence
    }

    /// Who holds it.
    pub fn holder(&self) -> &str {
        &self.holder
    }

    /// How long this worker promised to be silent at most.
    pub fn ttl(&self) -> Duration {
        self.ttl
    }

    /// Gives it back, so that the next worker need not wait. Call it last, when no transaction of this worker runs
    /// any more. True when it was still ours.
    pub async fn release(&self, session: &Session) -> Result<bool> {
        let released = session
            .execute(
                include_str!("../sql/lease/release.sql"),
                &[&self.fence.migration_id, &self.fence.epoch],
            )
            .await
            .doing(|| "releasing the lease")?;
        Ok(released > 0)
    }

    /// One sign of life. False when the epoch has moved on: the lease is lost.
    pub async fn beat(&self, session: &Session, vitals: &Vitals) -> Result<bool> {
        let beaten = session
            .execute(
                include_str!("../sql/lease/beat.sql"),
                &[
                    &self.fence.migration_id,
                    &self.fence.epoch,
                    &vitals.backend_pids,
                    &vitals.progress_text(),
                ],
            )
            .await
            .doing(|| "beating")?;
        Ok(beaten > 0)
    }
}
