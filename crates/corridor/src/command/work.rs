//! What all commands share that carry something out and wait for what comes of it.

use corridor_migration::{Name, State, Wait, store};
use corridor_move::run::StoredMove;
use corridor_pg::{ConnectOptions, Result};
use serde::Deserialize;

use super::status::is_one_way;
use super::{Context, DONE};
use crate::args::{HookArgs, Why};
use crate::hook::{Hooks, Subject};
use crate::output::progress::Board;
use crate::output::{fault, outcome};
use crate::run::{Order, Outcome, carry_out_because};

/// Who else is told, and asked.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Call<'a> {
    /// `--hook`
    pub(crate) hook: Option<&'a HookArgs>,
    /// `--hook-gate`
    pub(crate) is_gated: bool,
    /// `--why`
    pub(crate) why: &'a str,
}

impl<'a> Call<'a> {
    /// Told, not asked.
    pub(crate) fn with(hook: &'a HookArgs, why: &'a Why) -> Self {
        Call {
            hook: Some(hook),
            is_gated: false,
            why: &why.why,
        }
    }

    /// Nobody else is told.
    pub(crate) fn because(why: &'a Why) -> Self {
        Call {
            why: &why.why,
            ..Call::default()
        }
    }
}

/// Carries `order` out, shows what is said meanwhile, and then what came of it.
pub(crate) async fn carry(context: &Context, name: &Name, order: Order, call: Call<'_>) -> Result<u8> {
    let session = context.session_for(name).await?;
    if store::load(&*session, name).await?.kind == corridor_migration::data::KIND {
        drop(session);
        return carry_data(context, name, order, call).await;
    }
    drop(session);
    let connect = context.connect_options()?;
    let goal = Goal::of(&order);
    let hooks = match call.hook.filter(|args| args.hook.is_some()) {
        Some(args) => Hooks::start(args, subject(context, &connect, name).await?, &context.output),
        None => None,
    };
    let work = Work {
        context,
        connect: &connect,
        name,
        hooks: hooks.as_ref(),
        why: call.why,
    };
    let outcome = work.all(order, call.is_gated).await;
    let exit = match &outcome {
        Ok(outcome) => exit_code(goal, outcome, context.interrupt.code()),
        Err(fault) => fault::exit_code(fault),
    };
    if let Some(hooks) = hooks {
        hooks.end(&outcome, exit).await;
    }
    let outcome = outcome?;
    let is_one_way = match outcome {
        Outcome::Waits(Wait::Finish) => {
            let session = context.session_for(name).await?;
            is_one_way(&session, name).await?
        }
        _ => false,
    };
    outcome::show(&context.output, name, &outcome, exit, is_one_way)?;
    Ok(exit)
}

/// A migration of a person's own. Hooks are of moves.
async fn carry_data(context: &Context, name: &Name, order: Order, call: Call<'_>) -> Result<u8> {
    if call.hook.is_some_and(|args| args.hook.is_some()) {
        let why = format!("--hook is for moves; {name} is a migration of your own");
        return Err(corridor_pg::Fault::new(&crate::fault::USAGE, why));
    }
    super::migration::carry(context, name, (order, call.why)).await
}

/// What a hook is told about.
async fn subject(context: &Context, connect: &ConnectOptions, name: &Name) -> Result<Subject> {
    let session = context.session_for(name).await?;
    let plan = store::load(&*session, name).await?.plan;
    // A plan that cannot be read is refused by whoever needs more of it.
    let table = StoredMove::deserialize(&plan).map(|stored| stored.plan.source.name.to_string());
    Ok(Subject {
        migration: name.to_string(),
        table: table.unwrap_or_default(),
        database: connect.dbname().to_owned(),
    })
}

/// One order, and who hears of it.
struct Work<'a> {
    context: &'a Context,
    connect: &'a ConnectOptions,
    name: &'a Name,
    hooks: Option<&'a Hooks>,
    why: &'a str,
}

impl Work<'_> {
    /// With a gate, the cut-over is an order of its own, given when the gate is open.
    async fn all(&self, order: Order, is_gated: bool) -> Result<Outcome> {
        let Some(hooks) = self.hooks.filter(|_| is_gated) else {
            return self.carry(order).await;
        };
        if order != Order::Cutover {
            let outcome = self.carry(order).await?;
            if outcome != Outcome::Waits(Wait::Cutover) {
                return Ok(outcome);
            }
        }
        match self.context.interrupt.or(hooks.may_cut_over()).await {
            Some(answer) => answer?,
            None => return Ok(Outcome::Interrupted),
        }
        self.carry(Order::Cutover).await
    }

    async fn carry(&self, order: Order) -> Result<Outcome> {
        let is_worker = matches!(order, Order::Start | Order::Resume);
        let board = Board::start(&self.context.output, self.name, is_worker)?;
        let farewell = outcome::Farewell::begin(self.context);
        let watcher = match self.hooks {
            Some(hooks) => {
                hooks.begun(order);
                hooks.beside(board.watcher())
            }
            None => board.watcher(),
        };
        let outcome = carry_out_because(
            self.connect,
            self.name.as_str(),
            (order, self.why),
            watcher,
            self.context.interrupt.watch(),
        )
        .await;
        farewell.end();
        board.finish();
        outcome
    }
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
