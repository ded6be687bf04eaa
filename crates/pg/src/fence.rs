//! Fencing: proof, inside a writing transaction, that its worker still owns the work.
//!
//! An epoch that is only read does not fence: a dead worker's statement may still run on the server and commit
//! later. So each writing transaction *holds* the lease row `for share` at its epoch. Taking over updates that
//! row, and therefore waits until everything that the dead worker left running has ended (or ends it).
//!
//! The heartbeat is a row of its own: were it in the lease row, a worker's own beat would wait for its own chunks.

use tokio_postgres::GenericClient;

use crate::fault::{FENCED, Fault, FaultContext, Result};

/// Ownership of one migration at one epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fence {
    /// `corridor.lease.migration_id`.
    pub migration_id: i64,
    /// The epoch at which this worker took the lease.
    pub epoch: i64,
}

impl Fence {
    /// Locks the lease row in the current transaction until its end. Fails with `PG-019` when the epoch has moved on.
    ///
    /// Locks: `ROW SHARE` on `corridor.lease`, one row `for share`.
    pub async fn hold(&self, tx: &impl GenericClient) -> Result<()> {
        let row = tx
            .query_opt(
                include_str!("../sql/fence/hold.sql"),
                &[&self.migration_id, &self.epoch],
            )
            .await
            .doing(|| "holding the lease")?;
        match row {
            Some(_) => Ok(()),
            None => Err(Fault::new(
                &FENCED,
                format!(
                    "migration {} is no longer held at epoch {}",
                    self.migration_id, self.epoch
                ),
            )),
        }
    }
}
