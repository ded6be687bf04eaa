//! A commit whose answer was lost, and the question that settles it.
//!
//! What only writes rows that it has looked at before can simply be done again. An event cannot: an operation that has ended
//! does not end a second time. So before such a transaction is done again, the server is asked how the last try ended.

use corridor_pg::{FaultContext, Result};
use tokio_postgres::{GenericClient, Transaction};

/// The transaction whose commit was sent and not answered.
#[derive(Debug, Default)]
pub(crate) struct Unanswered {
    xid: Option<String>,
}

impl Unanswered {
    /// Commits; remembers the transaction until the server has said that it did.
    pub(crate) async fn commit(
        &mut self,
        step: &str,
        tx: Transaction<'_>,
        doing: &'static str,
    ) -> Result<()> {
        let row = tx
            .query_one(include_str!("../../sql/run/own_transaction.sql"), &[])
            .await
            .doing(|| doing)?;
        self.xid = Some(row.get("xid"));
        // By its own text, as the swap does it, so that a log, a proxy and a test can tell this commit from all others.
        let commit = format!("commit /* corridor: {step} */");
        corridor_pg::failpoint::step(step, tx.batch_execute(&commit))
            .await
            .doing(|| doing)?;
        self.xid = None;
        tx.commit().await.ok();
        Ok(())
    }

    /// True when the transaction without an answer was committed.
    ///
    /// Its backend must be gone: it may commit until then. A [`Seat`](super::seat::Seat) sees to that before it hands out a
    /// new session.
    pub(crate) async fn was_committed(&mut self, client: &impl GenericClient) -> Result<bool> {
        let Some(xid) = &self.xid else { return Ok(false) };
        let row = client
            .query_one(include_str!("../../sql/run/transaction_status.sql"), &[xid])
            .await
            .doing(|| "asking how a transaction ended whose answer was lost")?;
        let status: Option<String> = row.get("status");
        self.xid = None;
        Ok(status.as_deref() == Some("committed"))
    }
}
