//! `corridor completions`: what a shell sources to complete the command line. Names of migrations are not completed: a
//! press of the tab key must not connect to a database.

use clap::CommandFactory;
use corridor_pg::Result;
use serde::Serialize;

use super::{Context, DONE};
use crate::args::{Cli, Completions};

#[derive(Serialize)]
struct CompletionsDocument {
    shell: String,
    script: String,
}

/// Prints the script.
pub(crate) fn run(context: &Context, args: &Completions) -> Result<u8> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "corridor", &mut script);
    let script = String::from_utf8_lossy(&script).into_owned();
    if context.output.is_json() {
        let shell = args.shell.to_string();
        context.output.document(&CompletionsDocument { shell, script })?;
    } else {
        context.output.data(&script)?;
    }
    Ok(DONE)
}
