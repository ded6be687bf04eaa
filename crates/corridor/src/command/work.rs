//! What all commands share that carry something out and wait for what comes of it.

use corridor_migration::{Name, State, Wait};
use corridor_pg::Result;

use super::{Context, DONE};
use crate::output::outcome;
use crate::output::progress::Board;
use crate::run::{Order, Outcome, carry_out};

/// Carries `order` out, shows what is said meanwhile, and then what came of it.
pub(crate) async fn carry(context: &Context, name: &Name, order: Order) -> Result<u8> {
    let connect = context.connect_options()?;
    let goal = Goal::of(&order);
    let board = Board::start(&context.output, name)?;
    let farewell = outcome::Farewell::begin(context);
    let outcome = carry_out(
        &connect,
        name.as_str(),
        order,
        board.watcher(),
        context.interrupt.watch(),
    )
    .await;
    farewell.end();
    board.finish();
    let outcome = outcome?;
    let exit = exit_code(goal, &outcome, context.interrupt.code());
    outcome::show(&context.output, name, &outcome, exit)?;
    Ok(exit)
}

/// What an order is given for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Goal {
    Finished,
    RolledBack,
    Stopped,
    CutOver,
    Verified,
    Paused,
}

impl Goal {
    fn of(order: &Order) -> Self {
        match order {
            Order::Start | Order::Resume | Order::Finish { .. } => Goal::Finished,
            Order::Rollback => Goal::RolledBack,
            Order::Stop => Goal::Stopped,
            Order::Cutover => Goal::CutOver,
            Order::Verify => Goal::Verified,
            Order::Pause => Goal::Paused,
        }
    }
}

/// 0 when the goal is reached; 5 when a person must say more; 1 when it ended elsewhere.
fn exit_code(goal: Goal, outcome: &Outcome, interrupted: u8) -> u8 {
    use corridor_pg::Exit::{BadResult, NotFinished};
    let reached = |is_reached: bool| if is_reached { DONE } else { BadResult.code() };
    match outcome {
        Outcome::Interrupted => interrupted,
        Outcome::Ended(State::Finished) => reached(matches!(goal, Goal::Finished | Goal::CutOver)),
        Outcome::Ended(State::RolledBack) => reached(goal == Goal::RolledBack),
        Outcome::Ended(State::Stopped) => reached(goal == Goal::Stopped),
        Outcome::Ended(_) => BadResult.code(),
        Outcome::Paused { .. } if goal == Goal::Paused => DONE,
        Outcome::Paused { .. } => NotFinished.code(),
        Outcome::Waits(_) if goal == Goal::Verified => DONE,
        Outcome::Waits(Wait::Finish) if goal == Goal::CutOver => DONE,
        Outcome::Waits(_) => NotFinished.code(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exit_code_says_whether_the_goal_was_reached() {
        let interrupted = 143;
        let ended = |state| Outcome::Ended(state);
        let waits = |wait| Outcome::Waits(wait);
        let paused = || Outcome::Paused {
            by: "p".into(),
            why: String::new(),
        };
        let cases = [
            (Goal::Finished, ended(State::Finished), 0),
            (Goal::Finished, ended(State::RolledBack), 1),
            (Goal::Finished, waits(Wait::Cutover), 5),
            (Goal::Finished, waits(Wait::Finish), 5),
            (Goal::Finished, paused(), 5),
            (Goal::Finished, Outcome::Interrupted, 143),
            (Goal::RolledBack, ended(State::RolledBack), 0),
            (Goal::RolledBack, ended(State::Finished), 1),
            (Goal::Stopped, ended(State::Stopped), 0),
            (Goal::Stopped, ended(State::RolledBack), 1),
            (Goal::CutOver, waits(Wait::Finish), 0),
            (Goal::CutOver, waits(Wait::Cutover), 5),
            (Goal::Verified, waits(Wait::Cutover), 0),
            (Goal::Paused, paused(), 0),
            (Goal::Paused, ended(State::Finished), 1),
        ];
        for (goal, outcome, wanted) in cases {
            assert_eq!(
                exit_code(goal, &outcome, interrupted),
                wanted,
                "{goal:?}, {outcome:?}"
            );
        }
    }
}
