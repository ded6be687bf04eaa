//! Who has the name: the question after every swap whose answer was lost.

use std::fmt;

use corridor_pg::{FaultContext, Result};
use tokio_postgres::GenericClient;

use crate::plan::MovePlan;

/// Which table has the moved table's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    /// The table that it had when the plan was made: before the cut-over, or after the swap back.
    Old,
    /// The new table: the cut-over has been committed.
    New,
    /// Neither: somebody else has renamed, dropped or replaced something.
    Unclear(String),
}

impl Owner {
    /// Who it is, from the object ids: of the table that has the name now, of the one that had it when the plan was made,
    /// and of the one that the move made (`None` before it is made).
    pub fn of(named: Option<u32>, old: u32, new: Option<u32>) -> Owner {
        match named {
            Some(oid) if oid == old => Owner::Old,
            Some(oid) if Some(oid) == new => Owner::New,
            Some(oid) => Owner::Unclear(format!(
                "the name belongs neither to the table that was planned (oid {old}) nor to the one that was made (oid {}), but to oid {oid}",
                new.map_or_else(|| "unknown".into(), |oid| oid.to_string())
            )),
            None => Owner::Unclear("nobody has the name".to_owned()),
        }
    }

    /// Compares with what is expected.
    pub fn is(&self, is_new: bool) -> bool {
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
    let owner = Owner::of(row.get("named_oid"), plan.source.oid.0, row.get("target_oid"));
    Ok(match owner {
        Owner::Unclear(what) => Owner::Unclear(format!("{}: {what}", plan.source.name)),
        known => known,
    })
}

/// What is to be done when the answer to the commit of a swap was lost, and its old backend is certainly gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It was committed: nothing is to be done again.
    Swapped,
    /// It was rolled back: it may be tried again.
    NotSwapped,
    /// Neither of the two tables has the name: a person has to look.
    Unclear(String),
}

/// Decides by who has the name now. `is_back`: it was the swap back.
///
/// Also the model of the protocol (`crates/model`) asks it.
pub fn after_lost_answer(owner: Owner, is_back: bool) -> Verdict {
    match owner {
        Owner::Unclear(what) => Verdict::Unclear(what),
        known if known.is(!is_back) => Verdict::Swapped,
        _ => Verdict::NotSwapped,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_name_says_what_came_of_a_swap() {
        let verdict = |named, is_back| after_lost_answer(Owner::of(named, 10, Some(20)), is_back);
        assert_eq!(verdict(Some(10), false), Verdict::NotSwapped);
        assert_eq!(verdict(Some(20), false), Verdict::Swapped);
        assert_eq!(verdict(Some(10), true), Verdict::Swapped);
        assert_eq!(verdict(Some(20), true), Verdict::NotSwapped);
        for named in [Some(30), None] {
            assert!(matches!(verdict(named, false), Verdict::Unclear(_)));
        }
    }
}
