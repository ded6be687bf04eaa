//! Replaying a truncate of the source: the target is emptied and copied again.

use corridor_pg::fence::Fence;
use corridor_pg::{FaultContext, Isolation, Result, Session};

use crate::Mirror;

impl Mirror {
    /// Empties the target, declares every lane as not started, and forgets every change that is visible: each key
    /// will be copied by a chunk that begins later, and therefore sees it.
    ///
    /// Returns false when no truncate waits. One transaction; copiers and rounds are held off.
    /// Locks: `ACCESS EXCLUSIVE` on the target.
    pub async fn replay_truncate(&self, writer: &mut Session, fence: &Fence) -> Result<bool> {
        let _alone = self.gate.write().await;
        let _applier = self.applier.lock().await;
        let spec = self.spec();
        let (change, lane, check) = (spec.table("change"), spec.table("lane"), spec.table("check"));
        let tx = writer.begin(Isolation::RepeatableRead).await?;
        self.lock_both(&tx).await?;
        self.lock_log(&tx).await?;
        fence.hold(&tx).await?; // the snapshot is taken here
        self.check_identity(&tx).await?;
        let is_truncated: bool = tx
            .query_one(
                &format!("select exists (select from {change} where is_truncate)"),
                &[],
            )
            .await
            .doing(|| "reading the change log")?
            .get(0);
        if !is_truncated {
            return Ok(false);
        }
        let nothing = spec.key_or_nulls(None);
        for sql in [
            format!("truncate {}", spec.target),
            format!(
                "update {lane} set is_done = false, rows = 0, claim_kind = 'none', ({}) = row({nothing}), ({}) = row({nothing})",
                spec.own_columns("at"),
                spec.own_columns("claim")
            ),
            // What was compared before says nothing about what is copied now.
            format!("delete from {check}"),
            format!("delete from {}", spec.table("unfit")),
            format!("delete from {change}"),
        ] {
            tx.batch_execute(&sql)
                .await
                .doing(|| format!("replaying the truncate of {}", spec.source))?;
        }
        corridor_pg::failpoint::step("truncate", tx.commit())
            .await
            .doing(|| format!("replaying the truncate of {}", spec.source))?;
        Ok(true)
    }
}
