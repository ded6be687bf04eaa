//! The commands. One verb, one file; each returns what the process returns.

mod check;
pub(crate) mod collector;
mod completions;
mod cutover;
mod explain;
mod finish;
pub(crate) mod gate;
mod grants;
mod lint;
mod logs;
mod man;
pub(crate) mod migration;
pub(crate) mod r#move;
pub(crate) mod mover;
mod pause;
mod resume;
mod rollback;
mod serve;
mod set;
mod status;
mod stop;
mod user;
mod verify;
mod watch;
mod work;

use std::sync::Arc;

use corridor_migration::{Name, schema, store};
use corridor_pg::{ApplicationName, ConnectOptions, Fault, Result, Session};

use crate::args::Command;
use crate::interrupt::Interrupt;
use crate::output::Output;

pub(crate) use lint::Rehearsal;

/// Done.
pub(crate) const DONE: u8 = 0;

/// What every command is given.
pub(crate) struct Context {
    /// Where to speak.
    pub(crate) output: Arc<Output>,
    /// Whether somebody wants us to leave.
    pub(crate) interrupt: Interrupt,
    /// `--database`.
    pub(crate) database: Option<String>,
}

impl Context {
    /// The settings of the connection; `PG-001` when they cannot be read.
    fn connect_options(&self) -> Result<ConnectOptions> {
        ConnectOptions::from_process(self.database.as_deref())
    }

    /// A session for looking and asking. `migration` is its name, or `-`.
    async fn session(&self, migration: &str) -> Result<Session> {
        let options = self.connect_options()?;
        options.connect(&ApplicationName::new("control", migration)).await
    }

    /// A session in a database that has migrations; `MIG-003` otherwise.
    async fn session_for(&self, name: &Name) -> Result<Session> {
        let session = self.session(name.as_str()).await?;
        if schema::exists(&*session).await? {
            return Ok(session);
        }
        let why = format!("{name}; this database has no migrations at all");
        Err(Fault::new(&corridor_migration::fault::NO_SUCH_MIGRATION, why))
    }

    /// Carries out what may be left at any moment.
    async fn interruptible(&self, work: impl Future<Output = Result<u8>>) -> Result<u8> {
        match self.interrupt.or(work).await {
            Some(done) => done,
            None => Ok(self.interrupt.code()),
        }
    }
}

/// Carries out one command.
pub(crate) async fn run(context: &Context, command: Command) -> Result<u8> {
    match command {
        Command::Check(args) => context.interruptible(check::run(context, &args)).await,
        Command::Migration(args) => migration::run(context, &args).await,
        Command::Gate(args) => context.interruptible(gate::run(context, &args)).await,
        Command::Serve(args) => serve::run(context, &args).await,
        Command::User(args) => context.interruptible(user::run(context, &args)).await,
        Command::Config(args) => context.interruptible(serve::show(context, &args)).await,
        Command::Watch(args) => collector::run(context, &args, None).await,
        // What a rehearsal has made is taken away before it leaves.
        Command::Lint(args) if args.rehearse => lint::run(context, &args).await,
        Command::Lint(args) => context.interruptible(lint::run(context, &args)).await,
        Command::Move(args) => r#move::run(context, &args).await,
        Command::Resume(args) => resume::run(context, &args).await,
        Command::Stop(args) => stop::run(context, &args).await,
        Command::Verify(args) => verify::run(context, &args).await,
        Command::Cutover(args) => cutover::run(context, &args).await,
        Command::Rollback(args) => rollback::run(context, &args).await,
        Command::Finish(args) => finish::run(context, &args).await,
        Command::Pause(args) => pause::run(context, &args).await,
        Command::Status(args) => context.interruptible(status::run(context, &args)).await,
        Command::Set(args) => context.interruptible(set::run(context, &args)).await,
        Command::Logs(args) => context.interruptible(logs::run(context, &args)).await,
        Command::Grants(args) => context.interruptible(grants::run(context, &args)).await,
        Command::Explain(args) => explain::run(context, &args),
        Command::Completions(args) => completions::run(context, &args),
        Command::Man(args) => man::run(context, &args),
        Command::Demo(args) => crate::demo::run(context, &args).await,
    }
}

#[derive(serde::Serialize)]
struct DetachedDocument<'a> {
    name: &'a Name,
    outcome: &'static str,
}

/// Leaves the start of a planned migration to a service.
async fn detach(
    context: &Context,
    session: &Session,
    migration: &store::Migration,
    argument: &serde_json::Value,
) -> Result<u8> {
    let name = &migration.name;
    let start = corridor_migration::Verb::Start;
    let by = corridor_migration::lease::this_process(context.connect_options()?.user());
    corridor_migration::step(
        &migration.state,
        &corridor_migration::Event::asked(start, by.as_str()),
    )?;
    store::ask(&**session, migration.id, start, argument, &by).await?;
    if context.output.is_json() {
        let outcome = "detached";
        context.output.json_line(&DetachedDocument { name, outcome })?;
    } else {
        let text =
            format!("{name}: left to `corridor serve`; `corridor status {name} --watch` shows how far it is");
        context.output.data(&crate::output::text::hang("", &text))?;
    }
    Ok(DONE)
}

/// `key=value`, or `CLI-001`.
fn assignment(text: &str) -> Result<(&str, &str)> {
    match text.split_once('=') {
        Some((key, value)) => Ok((key.trim(), value)),
        None => {
            let why = format!("{text:?} is not of the form key=value");
            Err(Fault::new(&crate::fault::USAGE, why))
        }
    }
}
