//! The plan of a move, and what to do with it.

use corridor_move::MovePlan;
use corridor_move::plan::MirrorSteps;
use corridor_pg::Fault;
use serde::Serialize;

use super::fault::FaultDocument;
use super::text::{hang, harmless_lines};

/// A plan that was shown and not carried out.
#[derive(Serialize)]
pub(crate) struct PlanDocument<'a> {
    outcome: &'static str,
    is_executable: bool,
    fault: Option<FaultDocument<'a>>,
    plan: &'a MovePlan,
    mirror: MirrorSteps,
}

impl<'a> PlanDocument<'a> {
    /// `refusal` is what [`MovePlan::check_executable`] says.
    pub(crate) fn new(plan: &'a MovePlan, refusal: Option<&'a Fault>) -> Self {
        PlanDocument {
            outcome: if refusal.is_some() { "refused" } else { "planned" },
            is_executable: refusal.is_none(),
            fault: refusal.map(FaultDocument::of),
            plan,
            mirror: plan.mirror_steps(),
        }
    }
}

/// The plan as text.
pub(crate) fn text(plan: &MovePlan) -> String {
    harmless_lines(&corridor_move::plan::render(plan))
}

/// How to go on from a plan that can be carried out.
pub(crate) fn how_to_execute() -> String {
    hang(
        "",
        "Nothing was changed. To carry the plan out, give the same command with --execute: it works in the foreground \
         and can be interrupted (Ctrl-C) and taken up again (`corridor resume NAME`) at any time.",
    )
}
