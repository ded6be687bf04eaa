//! A vacuum of one relation: for its dead rows, or for its oldest ids.
//!
//! It waits for its lock as the lock budget says, a short time again and again, so that nobody waits behind it; once it has
//! it, it takes as long as it takes, and blocks no reader and no writer.

use std::time::Duration;

use corridor_pg::lock_budget::LockBudget;
use corridor_pg::{Fault, FaultContext, QualifiedName, Result, Retry, Session};

use crate::fault::WITHOUT_EFFECT;
use crate::finding::AgingIds;
use crate::probe::words::grouped;

/// Fewer dead rows than this prove nothing.
const DEAD_MIN: f64 = 1_000.0;
/// And so few ids.
const AGE_MIN: f64 = 10_000.0;

/// Sends the statement until it gets its lock.
async fn within_budget(
    session: &Session,
    relation: &QualifiedName,
    statement: &str,
    say: &impl Fn(&str),
) -> Result<()> {
    let budget = LockBudget::default();
    let mut pauses = budget.pauses(fastrand::u64(..));
    session.set_timeouts(budget.wait_ms_max, 0).await?;
    loop {
        let tried = session.batch_execute(statement).await;
        match tried.doing(|| format!("vacuuming {relation}")) {
            Ok(()) => return Ok(()),
            Err(fault) if fault.code().retry == Retry::AfterPause => match pauses.next() {
                Some(pause) => {
                    say(&format!("{fault}; again in {} ms", pause.as_millis()));
                    tokio::time::sleep(pause).await;
                }
                None => return Err(fault),
            },
            Err(fault) => return Err(fault),
        }
    }
}

/// For its dead rows; proven by the statistics.
pub(super) async fn dead_rows(
    session: &Session,
    relation: &QualifiedName,
    statement: &str,
    say: &impl Fn(&str),
) -> Result<String> {
    let dead = async || -> Result<f64> {
        let row = session
            .query_one(
                include_str!("../../sql/apply/dead.sql"),
                &[&relation.schema.as_str(), &relation.name.as_str()],
            )
            .await
            .doing(|| format!("looking at {relation}"))?;
        Ok(row.get(0))
    };
    let before = dead().await?;
    within_budget(session, relation, statement, say).await?;
    // The statistics are reported a little later than the answer.
    let mut after = dead().await?;
    for _ in 0..20 {
        if after < before {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        after = dead().await?;
    }
    if before >= DEAD_MIN && after > before / 2.0 {
        let why = format!(
            "{relation} has {after:.0} dead rows, {before:.0} before: an old snapshot, slot or prepared transaction still sees them"
        );
        return Err(Fault::new(&WITHOUT_EFFECT, why).with_durable_change());
    }
    Ok(format!("{relation} has {after:.0} dead rows, {before:.0} before"))
}

/// For its oldest ids; proven by the catalogue.
pub(super) async fn freeze(
    session: &Session,
    relation: &QualifiedName,
    ids: AgingIds,
    statement: &str,
    say: &impl Fn(&str),
) -> Result<String> {
    let (word, column) = match ids {
        AgingIds::Transactions => ("transactions", "xid_age"),
        AgingIds::MultiXacts => ("MultiXacts", "mxid_age"),
    };
    let age = async || -> Result<f64> {
        let row = session
            .query_one(
                include_str!("../../sql/apply/ages.sql"),
                &[&relation.schema.as_str(), &relation.name.as_str()],
            )
            .await
            .doing(|| format!("looking at {relation}"))?;
        Ok(row.get(column))
    };
    let before = age().await?;
    within_budget(session, relation, statement, say).await?;
    let after = age().await?;
    let said = format!(
        "the oldest of the {word} in {relation} was {} ago, and is {} ago now",
        grouped(before),
        grouped(after)
    );
    if before >= AGE_MIN && after > before / 2.0 {
        let why = format!(
            "{said}: somebody holds what is as old (`corridor check --only horizon` says who), or holds its pages"
        );
        return Err(Fault::new(&WITHOUT_EFFECT, why).with_durable_change());
    }
    Ok(said)
}
