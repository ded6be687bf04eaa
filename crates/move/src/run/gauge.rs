//! How far a move is, read from the mirror's own tables, whether a worker lives or not.
//!
//! Looking must do no harm and must not fail: each question has a time limit, what cannot be read says so, and tables that
//! are gone are no fault.

use corridor_migration::status::Status;
use corridor_migration::{Side, StateName};
use corridor_mirror::Mirror;
use corridor_mirror::lane::Lane;
use corridor_pg::{Fault, FaultContext, Ident, Isolation, QualifiedName, Result, Session};
use serde::{Deserialize, Serialize};
use tokio_postgres::{GenericClient, Transaction};

use crate::run::deck::mirrors;
use crate::run::worker::StoredMove;

/// Pending changes are counted up to here: the log may be long, and the figure is for a display.
pub const PENDING_SHOWN_MAX: i64 = 10_000;

/// What the mirror's tables say now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Gauge {
    /// Before the cut-over the new table follows the old one, after it the old one follows the new.
    pub side: Side,
    /// Changes that wait in the log, counted up to [`PENDING_SHOWN_MAX`]; `null` when the log is not there, or could not
    /// be read.
    pub pending_changes: Option<i64>,
    /// Rows copied, by the ledger; `null` before there is one.
    pub rows_copied: Option<i64>,
    /// Rows expected, an estimate of the server's statistics when the plan was made.
    pub rows_estimate: i64,
    /// True when every lane is copied to its end.
    pub is_copied: bool,
    /// Where each lane of the copy stands, in key order.
    pub lanes: Vec<Lane>,
    /// Why something could not be read, in words.
    pub unread: Option<String>,
}

/// Reads the gauge of the migration that `status` is of. `None` where there is no mirror: it is no move, not begun or
/// ended, or nobody can say who has the name.
///
/// Locks: `ACCESS SHARE` on the mirror's tables. Fails only when the connection is lost.
pub async fn gauge(session: &mut Session, status: &Status) -> Result<Option<Gauge>> {
    let has_mirror = !status.state.is_final() && status.state != StateName::Planned;
    let (Some(side), true, Ok(stored)) = (status.side, has_mirror, StoredMove::deserialize(&status.plan))
    else {
        return Ok(None);
    };
    let (forward, reverse) = mirrors(&stored.plan, status.id);
    let mirror = Mirror::new(match side {
        Side::BeforeCutover => forward,
        Side::AfterCutover => reverse,
    });
    let mut gauge = Gauge {
        side,
        pending_changes: None,
        rows_copied: None,
        rows_estimate: stored.plan.estimate.row_estimate.max(0.0) as i64,
        is_copied: false,
        lanes: Vec::new(),
        unread: None,
    };
    match ask(session, async |tx| mirror.pending(tx, PENDING_SHOWN_MAX).await).await {
        Ok(pending) => gauge.pending_changes = Some(pending),
        Err(fault) => gauge.excuse(fault, session.is_closed())?,
    }
    match ask(session, async |tx| mirror.lanes(tx).await).await {
        Ok(lanes) if lanes.is_empty() => {}
        Ok(lanes) => {
            gauge.rows_copied = Some(lanes.iter().map(|lane| lane.rows).sum());
            gauge.is_copied = lanes.iter().all(|lane| lane.is_done);
            gauge.lanes = lanes;
        }
        Err(fault) => gauge.excuse(fault, session.is_closed())?,
    }
    Ok(Some(gauge))
}

/// Rows that the move `migration_id` has copied, by its ledger; `None` where there is none (any more).
///
/// Locks: `ACCESS SHARE` on the ledger.
pub async fn rows_copied(client: &impl GenericClient, migration_id: i64) -> Result<Option<i64>> {
    let ledger = QualifiedName::new(
        Ident::derived("corridor", ""),
        Ident::derived("lane", &format!("_{migration_id}_fwd")),
    );
    let rows = client
        .query(&format!("select sum(rows)::bigint as rows from {ledger}"), &[])
        .await
        .doing(|| "reading how many rows are copied");
    match rows {
        Err(fault) if fault.sqlstate().is_some_and(|state| state == "42P01") => Ok(None),
        rows => Ok(rows?.first().and_then(|row| row.get("rows"))),
    }
}

/// One question in a transaction of its own, with a time limit.
async fn ask<T>(
    session: &mut Session,
    question: impl AsyncFnOnce(&Transaction<'_>) -> Result<T>,
) -> Result<T> {
    let tx = session.begin(Isolation::ReadCommitted).await?;
    tx.query_one(include_str!("../../sql/run/be_quick.sql"), &[])
        .await
        .doing(|| "preparing to look at the mirror")?;
    let answer = question(&tx).await?;
    tx.commit().await.doing(|| "looking at the mirror")?;
    Ok(answer)
}

impl Gauge {
    fn excuse(&mut self, fault: Fault, is_closed: bool) -> Result<()> {
        if is_closed {
            return Err(fault);
        }
        // Not made yet, or gone again: then there is nothing to tell.
        if fault.sqlstate().is_some_and(|state| state == "42P01") {
            return Ok(());
        }
        self.unread.get_or_insert_with(|| fault.to_string());
        Ok(())
    }
}
