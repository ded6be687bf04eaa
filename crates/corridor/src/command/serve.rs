//! `corridor serve`: the service. `corridor config show`: its settings, and where each came from.

use std::time::Duration;

use corridor_pg::Result;
use serde::Serialize;

use super::{Context, DONE};
use crate::args::{self, Config as ConfigCommand};
use crate::output::text::{hang, harmless};
use crate::serve::config::{Config, Flags, Shown, Sources, Stored, doc};
use crate::serve::stored;

fn flags(context: &Context, config: Option<&std::path::PathBuf>, listen: Option<&String>) -> Flags {
    Flags {
        config: config.cloned(),
        listen: listen.cloned(),
        database: context.database.clone(),
    }
}

/// Serves until it is asked to leave.
pub(crate) async fn run(context: &Context, args: &args::Serve) -> Result<u8> {
    let flags = flags(context, args.config.as_ref(), args.listen.as_ref());
    crate::serve::run(context, &flags).await
}

#[derive(Serialize)]
struct Document {
    settings: Vec<Shown>,
}

/// How long the home cluster is waited for; without it the rest is shown.
const HOME_MAX: Duration = Duration::from_secs(5);

/// Shows the settings.
pub(crate) async fn show(context: &Context, command: &ConfigCommand) -> Result<u8> {
    let ConfigCommand::Show(args) = command;
    let sources = Sources::load(&flags(context, args.config.as_ref(), None))?;
    let mut config = Config::read(&sources, &Stored::new())?;
    if let Some(home) = config.clusters.first() {
        let fetched = tokio::time::timeout(HOME_MAX, stored::fetch(home.database.as_deref())).await;
        let kept = match fetched {
            Ok(Ok(kept)) => Config::read(&sources, &kept).map_err(|fault| fault.to_string()),
            Ok(Err(fault)) => Err(fault.to_string()),
            Err(_) => Err(format!("no answer within {} s", HOME_MAX.as_secs())),
        };
        match kept {
            Ok(with) => config = with,
            Err(why) => {
                let words = format!("what is kept in {} is not shown: {why}", home.name);
                context.output.say(&hang("", &harmless(&words)));
            }
        }
    }
    if context.output.is_json() {
        context.output.document(&Document {
            settings: config.shown,
        })?;
        return Ok(DONE);
    }
    let mut lines = Vec::new();
    for one in &config.shown {
        lines.push(hang(
            "",
            &harmless(&format!("{} = {:?}  ({})", one.key, one.value, one.origin)),
        ));
        lines.push(hang("    ", doc(&one.key)));
    }
    context.output.data(&lines.join("\n"))?;
    Ok(DONE)
}
