//! Who collects: one at a time, by a row lease in `corridor.collector`.
//!
//! The holder beats in the transaction that keeps its samples, at its epoch: who was taken over finds that the epoch has
//! moved on, and keeps nothing. No lock of a session: it works through a transaction pooler, and a dead one holds nothing.

use std::time::Duration;

use corridor_pg::{FaultContext, Isolation, Result, Session};

use crate::sample::Sample;
use crate::sample::store::{self, Kept};

/// The right to collect. Dropping it does not give it up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collector {
    epoch: i64,
}

/// Who collects already.
#[derive(Debug, Clone, PartialEq)]
pub struct Holder {
    /// `watch@host 4711`.
    pub name: String,
    /// When it was heard of last.
    pub silent_s: f64,
}

impl Collector {
    /// Becomes the collector, or says who is. `ttl` is how long this one promises to be silent at most.
    pub async fn take(
        session: &Session,
        holder: &str,
        ttl: Duration,
    ) -> Result<std::result::Result<Collector, Option<Holder>>> {
        let ttl_ms = i64::try_from(ttl.as_millis()).unwrap_or(i64::MAX).max(1);
        let taken = session
            .query_opt(include_str!("../sql/collector/take.sql"), &[&holder, &ttl_ms])
            .await
            .doing(|| "asking to be the collector")?;
        if let Some(row) = taken {
            return Ok(Ok(Collector {
                epoch: row.get("epoch"),
            }));
        }
        let seen = session
            .query_opt(include_str!("../sql/collector/look.sql"), &[])
            .await
            .doing(|| "looking for the collector")?;
        Ok(Err(seen.map(|row| Holder {
            name: row.get("holder"),
            silent_s: row.get("silent_s"),
        })))
    }

    /// Keeps samples; `None` when another one has taken over: then nothing was kept.
    pub async fn keep(&self, session: &mut Session, samples: &[Sample], at_s: f64) -> Result<Option<Kept>> {
        let tx = session.begin(Isolation::ReadCommitted).await?;
        let beaten = tx
            .execute(include_str!("../sql/collector/beat.sql"), &[&self.epoch])
            .await
            .doing(|| "beating")?;
        if beaten == 0 {
            return Ok(None);
        }
        let kept = store::keep(&tx, samples, at_s).await?;
        tx.commit().await.doing(|| "keeping samples")?;
        Ok(Some(kept))
    }

    /// Gives it up, so that the next one need not wait.
    pub async fn release(&self, session: &Session) -> Result<()> {
        session
            .execute(include_str!("../sql/collector/release.sql"), &[&self.epoch])
            .await
            .doing(|| "giving the collector's lease up")?;
        Ok(())
    }
}
