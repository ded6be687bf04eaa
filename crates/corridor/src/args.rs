//! The command line. Section "Command line" of the guide is written from the doc comments here.
//!
//! What a shape, a setting or a connection string means is read by the room that owns it; here they are texts.

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::demo;

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Yellow.on_default().bold())
    .usage(AnsiColor::Yellow.on_default().bold())
    .literal(AnsiColor::Green.on_default())
    .placeholder(AnsiColor::Cyan.on_default());

const EXIT_CODES: &str = "\
Exit codes:
  0    done
  1    ran, and the result is bad
  2    the command line or the request makes no sense
  3    cannot connect
  4    refused; nothing was changed
  5    not finished: it waits for a person, or was paused
  6    ambiguous: a human must look
  7    a bug in Corridor (a report is printed)
  130  interrupted (Ctrl-C) after a checkpoint; 143 for SIGTERM

Connections are made as psql makes them: --database takes a URL or keywords,
otherwise PGHOST, PGSERVICE, PGPASSFILE, ~/.pgpass and their like are read.";

/// Carries live PostgreSQL data safely through change.
#[derive(Debug, Parser)]
#[command(
    name = "corridor",
    version,
    styles = STYLES,
    max_term_width = 80,
    after_help = EXIT_CODES,
    subcommand_required = true,
    disable_help_subcommand = true
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command understands.
#[derive(Debug, Args)]
pub(crate) struct Global {
    /// Where the database is: postgres://user@host:5432/db, or host=… dbname=…
    #[arg(
        long,
        short = 'd',
        global = true,
        value_name = "URL|KEYWORDS",
        help_heading = "Everywhere"
    )]
    pub(crate) database: Option<String>,
    /// Answer with JSON on stdout; long-running commands write one line per event
    #[arg(long, global = true, help_heading = "Everywhere")]
    pub(crate) json: bool,
    /// Say nothing but the result and faults
    #[arg(
        long,
        short,
        global = true,
        help_heading = "Everywhere",
        conflicts_with = "verbose"
    )]
    pub(crate) quiet: bool,
    /// Log what happens inside to stderr; twice for more
    #[arg(long, short, global = true, action = clap::ArgAction::Count, help_heading = "Everywhere")]
    pub(crate) verbose: u8,
}

/// What can be asked for.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Plan the move of a live table into a new shape; with --execute, do it
    Move(Move),
    /// Show all migrations, or everything about one
    Status(Status),
    /// Checkpoint and let nothing be written until `resume`
    Pause(Pause),
    /// Take up what was paused, failed, or left by a dead worker
    Resume(Named),
    /// List the settings of a migration, or change them, also while it runs
    Set(Set),
    /// End before the cut-over and leave the database as it was
    Stop(Named),
    /// Compare every row again
    Verify(Named),
    /// Swap the tables; the old one is kept in step until `finish`
    Cutover(Named),
    /// Go back to where it began; after the cut-over every later write is kept
    Rollback(Named),
    /// Retire the old table; from then on there is no way back
    Finish(Finish),
    /// Show what happened to a migration, oldest first
    Logs(Logs),
    /// Show the page behind a code, or the list of all codes
    Explain(Explain),
    /// Replay a real incident and the way out of it on a throwaway cluster
    Demo(demo::Args),
}

const MOVE_EXAMPLES: &str = "\
Examples:
  corridor move persons --partition-by \"hash(team_id)\" --partitions 64
  corridor move events --partition-by \"range(at)\" --every '1 month' --execute
  corridor move accounts --same-shape --execute --auto-cutover";

/// `corridor move`
#[derive(Debug, Args)]
#[command(after_help = MOVE_EXAMPLES)]
pub(crate) struct Move {
    /// The table: name, or schema.name; with double quotes where SQL needs them
    pub(crate) table: String,
    #[command(flatten)]
    pub(crate) shape: ShapeArgs,
    /// Go on although a guarantee is lost that the plan names
    #[arg(long, value_name = "LOSS")]
    pub(crate) accept: Vec<Accept>,
    /// During the copy, offer a view that reads the new table first and then the old one
    #[arg(long, value_name = "NAME")]
    pub(crate) fallback_view: Option<String>,
    /// Do it: without this, the plan is shown and nothing is changed
    #[arg(long)]
    pub(crate) execute: bool,
    /// Name of the migration; otherwise one that resembles the table's
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Cut over as soon as everything is copied, verified and in step
    #[arg(long)]
    pub(crate) auto_cutover: bool,
    /// A setting to begin with, for example workers=4; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
}

/// The wanted shape, unread.
#[derive(Debug, Args)]
#[command(next_help_heading = "Shape")]
pub(crate) struct ShapeArgs {
    /// "hash(a, b)", "range(col)" or "list(col)"
    #[arg(long, value_name = "METHOD(COLUMNS)")]
    pub(crate) partition_by: Option<String>,
    /// With hash: how many partitions
    #[arg(long, value_name = "N")]
    pub(crate) partitions: Option<String>,
    /// With range: how wide a partition is, for example '1 month' or 1000000
    #[arg(long, value_name = "WIDTH", allow_hyphen_values = true)]
    pub(crate) every: Option<String>,
    /// With range: how many partitions beyond the newest row [default: 4]
    #[arg(long, value_name = "N")]
    pub(crate) ahead: Option<String>,
    /// With range or list: a partition for rows that no other one takes
    #[arg(long)]
    pub(crate) default_partition: bool,
    /// The same shape, written anew without bloat
    #[arg(long)]
    pub(crate) same_shape: bool,
}

/// A loss that a person can accept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Accept {
    /// A unique key takes in the partition columns
    KeyWidening,
}

/// A command about one migration.
#[derive(Debug, Args)]
pub(crate) struct Named {
    /// The migration, as `corridor status` lists it
    pub(crate) name: String,
}

/// `corridor status`
#[derive(Debug, Args)]
pub(crate) struct Status {
    /// The migration; without it, all are listed, the newest first
    pub(crate) name: Option<String>,
    /// Go on showing it until it has ended
    #[arg(long, short, requires = "name")]
    pub(crate) watch: bool,
}

/// `corridor pause`
#[derive(Debug, Args)]
pub(crate) struct Pause {
    /// The migration, as `corridor status` lists it
    pub(crate) name: String,
    /// The reason, for whoever finds it paused
    #[arg(long, default_value = "", hide_default_value = true)]
    pub(crate) why: String,
}

/// `corridor set`
#[derive(Debug, Args)]
pub(crate) struct Set {
    /// The migration, as `corridor status` lists it
    pub(crate) name: String,
    /// What to set; `KEY=default` gives the default back. Without it, all settings are listed
    #[arg(value_name = "KEY=VALUE")]
    pub(crate) settings: Vec<String>,
}

/// `corridor finish`
#[derive(Debug, Args)]
pub(crate) struct Finish {
    /// The migration, as `corridor status` lists it
    pub(crate) name: String,
    /// Drop the old table instead of moving it into the schema corridor_retired
    #[arg(long)]
    pub(crate) drop: bool,
}

/// `corridor logs`
#[derive(Debug, Args)]
pub(crate) struct Logs {
    /// The migration, as `corridor status` lists it
    pub(crate) name: String,
    /// Show at most so many of the newest entries
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) limit: u32,
}

/// `corridor explain`
#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// For example MOV-018; without it, all codes are listed
    pub(crate) code: Option<String>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn only_what_exists_is_offered() {
        let command = Cli::command();
        let names: Vec<_> = command.get_subcommands().map(clap::Command::get_name).collect();
        assert_eq!(
            names,
            [
                "move", "status", "pause", "resume", "set", "stop", "verify", "cutover", "rollback",
                "finish", "logs", "explain", "demo"
            ]
        );
    }
}
