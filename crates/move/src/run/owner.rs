//! Who has the name: the question after every swap whose answer was lost.

use std::fmt;

use corridor_pg::{FaultContext, Result};
use tokio_postgres::GenericClient;

use crate::plan::MovePlan;

/// Which table has the moved table's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Owner {
    /// The table that it had when the plan was made: before the cut-over, or after the swap back.
    Old,
    /// The new table: the cut-over has been committed.
    New,
    /// Neither: somebody else has renamed, dropped or replaced something.
    Unclear(String),
}

impl Owner {
    /// Compares with what is expected.
    pub(crate) fn is(&self, is_new: bool) -> bool {
        matches!((self, is_new), (Owner::New, true) | (Owner::Old, false))
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Owner::Old => f.write_str("the old table has the name"),
            Owner::New => f.write_str("the new table has the name"),
            Owner::Unclear(what) => f.write_str(what),
        }
    }
}

/// Looks the owner up by object ids. The new table is known by its mark, a comment-free fact: its id is recorded by
/// `prepare` in the same transaction that created it.
pub(crate) async fn look_up(
    client: &impl GenericClient,
    plan: &MovePlan,
    migration_id: i64,
) -> Result<Owner> {
    let row = client
        .query_one(
            include_str!("../../sql/run/owner.sql"),
            &[
                &plan.source.name.schema.as_str(),
                &plan.source.name.name.as_str(),
                &migration_id,
            ],
        )
        .await
        .doing(|| "looking up who has the name")?;
    let (named, target): (Option<u32>, Option<u32>) = (row.get("named_oid"), row.get("target_oid"));
    Ok(match named {
        Some(oid) if oid == plan.source.oid.0 => Owner::Old,
        Some(oid) if Some(oid) == target => Owner::New,
        Some(oid) => Owner::Unclear(format!(
            "{} is neither the table that was planned (oid {}) nor the one that was made (oid {}), but oid {oid}",
            plan.source.name,
            plan.source.oid,
            target.map_or_else(|| "unknown".into(), |t| t.to_string())
        )),
        None => Owner::Unclear(format!("nobody has the name {}", plan.source.name)),
    })
}
