//! Moving a table for a migration that waits for it: the same as `corridor move --execute --auto-cutover`.

use std::sync::Arc;

use clap::{CommandFactory, FromArgMatches};
use corridor_migration::data::{Local, Moved, Mover};
use corridor_migration::definition::{Definition, Move, Operation};
use corridor_migration::{Name, State, Wait, store};
use corridor_pg::{ConnectOptions, Exit, Fault, Result};
use tokio::sync::watch;

use super::{Context, r#move};
use crate::args::{self, Cli, Command};
use crate::fault::USAGE;
use crate::output::migration::Ear;
use crate::run::{self, Order, Outcome};

/// Moves tables.
pub(crate) struct TableMover {
    connect: ConnectOptions,
    ear: Arc<Ear>,
    interrupt: watch::Receiver<bool>,
}

impl TableMover {
    pub(crate) fn of(context: &Context) -> Result<Self> {
        Ok(TableMover {
            connect: context.connect_options()?,
            ear: Arc::new(Ear::new(&context.output)),
            interrupt: context.interrupt.watch(),
        })
    }

    /// Refuses moves that cannot be read.
    pub(crate) fn check_all(&self, definition: &Definition) -> Result<()> {
        for operation in &definition.operations {
            if let Operation::Move(wanted) = operation {
                self.check(wanted)?;
            }
        }
        Ok(())
    }

    async fn state(&self, name: &Name) -> Result<Option<State>> {
        let session = self
            .connect
            .connect(&corridor_pg::ApplicationName::new("control", name.as_str()))
            .await?;
        let all = store::list(&*session).await?;
        Ok(all.into_iter().find(|one| one.name == *name).map(|one| one.state))
    }

    async fn order(&self, name: &Name, order: Order) -> Result<Outcome> {
        run::carry_out(
            &self.connect,
            name.as_str(),
            order,
            self.ear.clone(),
            self.interrupt.clone(),
        )
        .await
    }

    async fn go(&self, name: &str, wanted: &Move) -> Result<Moved> {
        let name = Name::new(name)?;
        let outcome = match self.state(&name).await? {
            None => {
                let mut wish = r#move::wish(&read(wanted)?)?;
                wish.name = Some(name.to_string());
                let plan = run::plan(&self.connect, &wish).await?;
                run::store(&self.connect, &wish, &plan).await?;
                self.order(&name, Order::Start).await?
            }
            Some(State::Planned) => self.order(&name, Order::Start).await?,
            Some(
                State::Waiting {
                    for_what: Wait::Finish,
                }
                | State::Finishing
                | State::Finished,
            ) => return Ok(Moved::Done),
            // The automatic cut-over was given up: it is tried again by whoever resumes.
            Some(State::Waiting { .. }) => self.order(&name, Order::Cutover).await?,
            Some(state) if state.is_final() => {
                return Ok(Moved::Left(format!("{name} is {}", state.name())));
            }
            Some(_) => self.order(&name, Order::Resume).await?,
        };
        Ok(match outcome {
            Outcome::Waits(Wait::Finish) | Outcome::Ended(State::Finished) => Moved::Done,
            other => left(&name, &other),
        })
    }

    /// Plans what has not begun, without storing anything.
    async fn look_ahead(&self, name: &str, wanted: &Move) -> Result<Option<Fault>> {
        if self.state(&Name::new(name)?).await?.is_some() {
            return Ok(None);
        }
        let wish = r#move::wish(&read(wanted)?)?;
        let planned = match run::plan(&self.connect, &wish).await {
            Ok(plan) => plan.check_executable(),
            Err(fault) => Err(fault),
        };
        match planned {
            Ok(()) => Ok(None),
            Err(fault) if matches!(fault.code().exit, Exit::Refused | Exit::Usage) => Ok(Some(fault)),
            Err(fault) => Err(fault),
        }
    }

    async fn take_back(&self, name: &str) -> Result<Moved> {
        let name = Name::new(name)?;
        match self.state(&name).await? {
            None | Some(State::RolledBack | State::Stopped) => return Ok(Moved::Done),
            Some(State::Finished) => {
                return Ok(Moved::Left(format!(
                    "{name} is finished: its old table is retired"
                )));
            }
            Some(_) => {}
        }
        Ok(match self.order(&name, Order::Rollback).await? {
            Outcome::Ended(State::RolledBack) => Moved::Done,
            other => left(&name, &other),
        })
    }

    async fn retire(&self, name: &str) -> Result<Moved> {
        let name = Name::new(name)?;
        if self.state(&name).await? == Some(State::Finished) {
            return Ok(Moved::Done);
        }
        Ok(match self.order(&name, Order::Finish { is_drop: false }).await? {
            Outcome::Ended(State::Finished) => Moved::Done,
            other => left(&name, &other),
        })
    }
}

fn left(name: &Name, outcome: &Outcome) -> Moved {
    Moved::Left(match outcome {
        Outcome::Ended(state) => format!("{name} is {}", state.name()),
        Outcome::Waits(_) => format!("{name} waits"),
        Outcome::Paused { by, .. } => format!("{name} was paused by {by}"),
        Outcome::Interrupted => format!("{name} was interrupted"),
    })
}

/// The words of the file, read as the command line would.
fn read(wanted: &Move) -> Result<args::Move> {
    let words = ["corridor", "move", wanted.table.as_str()]
        .into_iter()
        .chain(wanted.arguments.iter().map(String::as_str))
        // The migration goes on by itself behind the cut-over.
        .chain(["--execute", "--auto-cutover"]);
    let unreadable = |error: clap::Error| {
        let text = error.render().to_string();
        let first = text
            .lines()
            .next()
            .unwrap_or_default()
            .trim_start_matches("error: ");
        Fault::new(&USAGE, format!("operation {}: {first}", wanted.name))
    };
    let matches = Cli::command().try_get_matches_from(words).map_err(unreadable)?;
    match Cli::from_arg_matches(&matches).map_err(unreadable)?.command {
        Command::Move(args) => Ok(*args),
        _ => Err(Fault::new(&USAGE, format!("operation {}: no move", wanted.name))),
    }
}

impl Mover for TableMover {
    fn carry<'a>(&'a self, name: &'a str, wanted: &'a Move) -> Local<'a, Result<Moved>> {
        Box::pin(self.go(name, wanted))
    }

    fn back<'a>(&'a self, name: &'a str) -> Local<'a, Result<Moved>> {
        Box::pin(self.take_back(name))
    }

    fn finish<'a>(&'a self, name: &'a str) -> Local<'a, Result<Moved>> {
        Box::pin(self.retire(name))
    }

    fn check(&self, wanted: &Move) -> Result<()> {
        let args = read(wanted)?;
        if args.name.is_some() || args.hook.hook.is_some() {
            let why = format!(
                "operation {}: --name and --hook are not for a move of a migration",
                wanted.name
            );
            return Err(Fault::new(&USAGE, why));
        }
        r#move::wish(&args).map(drop)
    }

    fn obstacle<'a>(&'a self, name: &'a str, wanted: &'a Move) -> Local<'a, Result<Option<Fault>>> {
        Box::pin(self.look_ahead(name, wanted))
    }
}
