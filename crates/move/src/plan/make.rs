//! Making the plan.

use corridor_pg::Result;

use super::MovePlan;

/// What a plan is made from.
#[derive(Debug)]
pub struct PlanInput {}

/// Makes the plan of a move.
pub fn plan(_input: PlanInput) -> Result<MovePlan> {
    Err(corridor_pg::Fault::new(&crate::fault::BAD_SHAPE, "not yet"))
}
