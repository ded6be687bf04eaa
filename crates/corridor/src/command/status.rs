//! `corridor status`: all migrations, or everything about one.

use std::io::IsTerminal;
use std::time::Duration;

use corridor_migration::status::{Status, read};
use corridor_migration::store::{self, Summary};
use corridor_migration::{Name, schema};
use corridor_pg::{ApplicationName, Result, Retry, Session};
use serde::Serialize;

use super::{Context, DONE};
use crate::args;
use crate::output::status;
use crate::output::text::{hang, harmless};

/// Time between two looks of `--watch`.
const WATCH_INTERVAL: Duration = Duration::from_secs(1);
/// How long `--watch` waits for a server that went away.
const AWAY_MAX: Duration = Duration::from_secs(60);

#[derive(Serialize)]
struct ListDocument {
    migrations: Vec<Summary>,
}

/// Lists, shows or watches.
pub(crate) async fn run(context: &Context, args: &args::Status) -> Result<u8> {
    let Some(name) = &args.name else {
        return list(context).await;
    };
    let name = Name::new(&**name)?;
    let mut session = context.session_for(&name).await?;
    if args.watch {
        return watch(context, &mut session, &name).await;
    }
    let now = read(&mut session, &name).await?;
    if context.output.is_json() {
        context.output.bare_document(&now, true)?;
    } else {
        context.output.data(&status::block(&now))?;
    }
    Ok(DONE)
}

async fn list(context: &Context) -> Result<u8> {
    let session = context.session("-").await?;
    let migrations = match schema::exists(&*session).await? {
        true => store::list(&*session).await?,
        false => Vec::new(),
    };
    if context.output.is_json() {
        context.output.document(&ListDocument { migrations })?;
    } else if migrations.is_empty() {
        let options = context.connect_options()?;
        context.output.data(&status::none(options.dbname()))?;
    } else {
        context.output.data(&status::list(&migrations))?;
    }
    Ok(DONE)
}

/// Shows it until it has ended: drawn anew on a terminal, else something for each change.
async fn watch(context: &Context, session: &mut Session, name: &Name) -> Result<u8> {
    let output = &context.output;
    let is_terminal = !output.is_json() && std::io::stdout().is_terminal();
    let mut drawn = status::Canvas::default();
    let mut last = String::new();
    loop {
        let now = look(context, session, name).await?;
        if is_terminal {
            output.data(&drawn.draw(&status::block(&now)))?;
        } else {
            let gist = status::gist(&now);
            if gist != last {
                match output.is_json() {
                    true => output.bare_document(&now, false)?,
                    false => output.data(&status::line(&now))?,
                }
                last = gist;
            }
        }
        if now.finished_at.is_some() || output.is_reader_gone() {
            return Ok(DONE);
        }
        tokio::time::sleep(WATCH_INTERVAL).await;
    }
}

/// Reads the status; connects again when the connection was lost.
async fn look(context: &Context, session: &mut Session, name: &Name) -> Result<Status> {
    loop {
        match read(session, name).await {
            Err(fault) if fault.code().retry == Retry::AfterReconnect || session.is_closed() => {
                let text = format!("{fault}; connecting again");
                context.output.note(&hang("", &harmless(&text)));
                let application = ApplicationName::new("control", name.as_str());
                *session = context
                    .connect_options()?
                    .connect_with_retry(&application, AWAY_MAX, |_, _| ())
                    .await?;
            }
            read => return read,
        }
    }
}
