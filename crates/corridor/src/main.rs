//! The `corridor` command: arguments in, output and an exit code out.
//!
//! Everything that is decided here is how to speak: which stream, which form, which exit code. What is done is done by
//! the rooms below.
//!
//! - [`args`]: the command line.
//! - [`command`]: one verb, one file.
//! - [`output`]: what is shown, and how.
//! - [`hook`]: a command of the user's that is told what happens.
//! - [`interrupt`]: Ctrl-C and SIGTERM.
//! - [`post`]: JSON to an address.
//! - [`serve`]: the service.
//! - [`terminal`]: its size, its keys, its cursor.
//! - [`webhook`]: an address that is told what `watch` finds.
//! - [`fault`]: the codes of the command line, and where all codes come together.
//!
//! **Invariant:** this is the only room that prints.

mod args;
mod command;
mod demo;
mod fault;
mod hook;
mod interrupt;
mod log;
mod output;
mod post;
mod serve;
mod terminal;
mod webhook;

use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use corridor_move::run;
use corridor_pg::{Exit, Fault, Result};

use crate::args::{Cli, Command, Global};
use crate::command::Context;
use crate::interrupt::Interrupt;
use crate::output::Output;

/// Of each thread that carries work out. A request in the console asks a database within its handler, and a debug build moves what
/// waits for the answer from frame to frame: two megabytes, which threads have by default, were not enough.
pub(crate) const STACK_BYTES: usize = 16 << 20;

fn main() -> ExitCode {
    report_panics();
    // A terminal that says it can do nothing is believed, also where `CI` would have colour switched on.
    if std::env::var_os("TERM").is_some_and(|term| term == "dumb") {
        anstream::ColorChoice::Never.write_global();
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return ExitCode::from(refuse(&error)),
    };
    let output = Arc::new(Output::new(&cli.global));
    log::listen(&output, cli.global.verbose);
    let code = match start(&output, cli.global, cli.command) {
        Ok(code) => code,
        Err(fault) => {
            output::fault::show(&output, &fault);
            output::fault::exit_code(&fault)
        }
    };
    ExitCode::from(code)
}

fn start(output: &Arc<Output>, global: Global, command: Command) -> Result<u8> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .thread_stack_size(STACK_BYTES)
        .enable_all()
        .build()
        .map_err(|error| {
            Fault::new(&fault::RUNTIME, format!("starting threads: {error}")).caused_by(error)
        })?;
    let outcome = runtime.block_on(async {
        let context = Context {
            output: Arc::clone(output),
            interrupt: Interrupt::listen(output)?,
            database: global.database,
        };
        command::run(&context, command).await
    });
    // Nothing that is still there may keep us: what was done is done, what was not is rolled back by the server.
    runtime.shutdown_background();
    outcome
}

/// Tells what is wrong with the command line; help and version are told in the same way by clap.
fn refuse(error: &clap::Error) -> u8 {
    let is_json = std::env::args_os().any(|arg| arg == "--json");
    if is_json && error.use_stderr() {
        let global = Global {
            database: None,
            json: true,
            quiet: false,
            verbose: 0,
        };
        let text = error.render().to_string();
        let fault = Fault::new(&fault::USAGE, text.trim().to_owned());
        output::fault::show(&Output::new(&global), &fault);
    } else {
        // A reader that went away is no fault.
        let _ = error.print();
    }
    if error.use_stderr() {
        Exit::Usage.code()
    } else {
        command::DONE
    }
}

/// A panic on any thread is a bug: it is reported, and ends the process at once. The server rolls back what was not
/// committed, which is what a worker that was killed relies on too.
fn report_panics() {
    std::panic::set_hook(Box::new(|panic| {
        output::fault::report_bug(&panic.to_string());
        std::process::exit(i32::from(Exit::Bug.code()));
    }));
}

#[cfg(test)]
mod tests {
    /// Says that the process is there to end.
    const DOOMED: &str = "CORRIDOR_TEST_DOOMED";

    /// Does its work only in a process of its own, see below.
    #[test]
    fn a_bug() {
        if std::env::var_os(DOOMED).is_none() {
            return;
        }
        super::report_panics();
        let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
        // In a task, where nobody looks at the result.
        runtime.block_on(async {
            let task = tokio::spawn(async { panic!("the herd is gone") });
            let _ = task.await;
            std::future::pending::<()>().await;
        });
    }

    #[test]
    fn a_bug_on_any_thread_is_reported_and_exits_7() {
        let output = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "tests::a_bug", "--nocapture"])
            .env(DOOMED, "1")
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(7));
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(text.starts_with("CLI-003: a bug in Corridor\n"), "{text}");
        assert!(
            text.contains("the herd is gone") && text.contains("corridor explain CLI-003"),
            "{text}"
        );
    }
}
