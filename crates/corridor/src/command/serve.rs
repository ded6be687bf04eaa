//! `corridor serve`: the service. `corridor config show`: its settings, and where each came from.

use corridor_pg::Result;
use serde::Serialize;

use super::{Context, DONE};
use crate::args::{self, Config as ConfigCommand};
use crate::output::text::{hang, harmless};
use crate::serve::config::{Config, Flags, Shown, doc};

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

/// Shows the settings.
pub(crate) fn show(context: &Context, command: &ConfigCommand) -> Result<u8> {
    let ConfigCommand::Show(args) = command;
    let config = Config::load(&flags(context, args.config.as_ref(), None))?;
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
