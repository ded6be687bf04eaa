//! The command line. Section "Command line" of the guide is written from the doc comments here.
//!
//! What a shape, a setting or a connection string means is read by the room that owns it; here they are texts.

mod account;
mod lint;
mod service;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use self::account::{Home, Role, User, UserAdd, UserToken};
pub(crate) use self::lint::{Dialect, Format, Level, Lint};
pub(crate) use self::service::{
    Config, Gate, Migration, MigrationAdd, MigrationNamed, MigrationSettle, MigrationSkip, MigrationStart,
    Serve,
};
use crate::demo;
use crate::webhook::Address;

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
    /// See which engine limits come near, why, when, and the way out; changes nothing
    Check(Check),
    /// Check again and again and keep the figures, so that `check` knows how they grow
    Watch(Watch),
    /// Say whether the statements of a migration are safe: locks, rewrites, releases that still run
    Lint(Lint),
    /// Plan the move of a live table into a new shape; with --execute, do it
    Move(Box<Move>),
    /// Your own migrations: files with operations that are worked durably, and can be taken back
    #[command(subcommand)]
    Migration(Migration),
    /// Say which required migrations stand in the way of a version of the application; starts nothing
    Gate(Gate),
    /// Run as a service: work what nobody works, start what is due, tell what happens, answer over HTTP
    Serve(Serve),
    /// The accounts of the service's console
    #[command(subcommand)]
    User(User),
    /// The settings of the service
    #[command(subcommand)]
    Config(Config),
    /// Show all migrations, or everything about one
    Status(Status),
    /// Checkpoint and let nothing be written until `resume`
    Pause(Pause),
    /// Take up what was paused, failed, or left by a dead worker
    Resume(Worked),
    /// List the settings of a migration, or change them, also while it runs
    Set(Set),
    /// End: a move before its cut-over, the database as it was; your own, what is done stays
    Stop(Named),
    /// Compare every row again
    Verify(Named),
    /// Swap the tables; the old one is kept in step until `finish`
    Cutover(Cutover),
    /// Go back to where it began; after the cut-over every later write is kept
    Rollback(Worked),
    /// Retire the old table; from then on there is no way back
    Finish(Finish),
    /// Show what happened to a migration, oldest first
    Logs(Logs),
    /// Print the grants that a role without superuser needs for a move, as SQL
    Grants(Grants),
    /// Show the page behind a code, or the list of all codes
    Explain(Explain),
    /// Print what a shell sources to complete the command line
    Completions(Completions),
    /// Print the manual page, or write one for each command
    Man(Man),
    /// Replay a real incident and the way out of it on a throwaway cluster
    Demo(demo::Args),
}

const CHECK_EXAMPLES: &str = "\
Examples:
  corridor check
  corridor check --only toast --table public.persons
  corridor check --json
  corridor check --nagios
  corridor check --apply LIM-001 --table public.persons --execute";

/// `corridor check`
#[derive(Debug, Args)]
#[command(after_help = CHECK_EXAMPLES)]
pub(crate) struct Check {
    /// Only these probes; may be repeated, or separated by commas
    #[arg(long, value_name = "PROBE", value_delimiter = ',')]
    pub(crate) only: Vec<String>,
    /// Only this table, and everything about it
    #[arg(long)]
    pub(crate) table: Option<String>,
    /// Every finding with its facts, its way out, and the ways that were rejected
    #[arg(long, short = 'l')]
    pub(crate) long: bool,
    /// One line and the exit codes of a monitoring plugin: 0 ok, 1 warning, 2 critical, 3 unknown
    #[arg(long, conflicts_with = "long")]
    pub(crate) nagios: bool,
    /// Plan the way out of the finding with this code, where it is one safe statement
    #[arg(
        long,
        value_name = "CODE",
        conflicts_with = "nagios",
        help_heading = "Way out"
    )]
    pub(crate) apply: Option<String>,
    /// With --apply: another way than the one that is recommended
    #[arg(long, value_name = "WAY", requires = "apply", help_heading = "Way out")]
    pub(crate) way: Option<String>,
    /// With --apply: do it, and look whether it helped
    #[arg(long, requires = "apply", help_heading = "Way out")]
    pub(crate) execute: bool,
    /// The figures as OpenMetrics text, for a file collector or a scrape
    #[arg(long, conflicts_with_all = ["nagios", "long", "apply"], help_heading = "Monitoring")]
    pub(crate) openmetrics: bool,
    /// Print alert rules for Prometheus; checks nothing
    #[arg(long, exclusive = true, help_heading = "Monitoring")]
    pub(crate) alert_rules: bool,
    /// Print a dashboard for Grafana; checks nothing
    #[arg(long, exclusive = true, help_heading = "Monitoring")]
    pub(crate) dashboard: bool,
    /// How large the disk of the server is, in bytes, where nobody can be asked
    #[arg(long, value_name = "BYTES")]
    pub(crate) disk_size: Option<u64>,
    /// A path on the disk of the server, when it is this machine
    #[arg(long, value_name = "DIR")]
    pub(crate) disk_path: Option<std::path::PathBuf>,
}

const WATCH_EXAMPLES: &str = "\
Examples:
  corridor watch
  corridor watch --interval 300 --webhook http://127.0.0.1:8080/alerts
  corridor watch --once                 (for cron)";

/// `corridor watch`
#[derive(Debug, Args)]
#[command(after_help = WATCH_EXAMPLES)]
pub(crate) struct Watch {
    /// Time between two checks
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    pub(crate) interval: u64,
    /// How long figures are kept as they were measured; hours are kept for 60 days, days for three years
    #[arg(long, value_name = "HOURS", default_value_t = 48, value_parser = clap::value_parser!(u64).range(2..=720))]
    pub(crate) retention: u64,
    /// Check and keep one time, unless a collector is at work
    #[arg(long)]
    pub(crate) once: bool,
    /// Post what is found to this address as JSON: after two checks in a row, again each day, and when it is over
    #[arg(long, value_name = "http(s)://HOST…", conflicts_with = "once", value_parser = Address::parse)]
    pub(crate) webhook: Option<Address>,
    /// Only these probes; may be repeated, or separated by commas
    #[arg(long, value_name = "PROBE", value_delimiter = ',')]
    pub(crate) only: Vec<String>,
    /// How large the disk of the server is, in bytes, where nobody can be asked
    #[arg(long, value_name = "BYTES")]
    pub(crate) disk_size: Option<u64>,
    /// A path on the disk of the server, when it is this machine
    #[arg(long, value_name = "DIR")]
    pub(crate) disk_path: Option<std::path::PathBuf>,
}

const MOVE_EXAMPLES: &str = "\
Examples:
  corridor move persons --partition-by \"hash(team_id)\" --partitions 64
  corridor move events --partition-by \"range(at)\" --every '1 month' --execute
  corridor move accounts --same-shape --execute --auto-cutover
  corridor move orders --to shape.sql --set 'total = price * amount'";

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
    /// Leave the work to a `corridor serve`
    #[arg(long, requires = "execute", conflicts_with_all = ["hook", "hook_gate"])]
    pub(crate) detach: bool,
    /// Name of the migration; otherwise one that resembles the table's
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Cut over as soon as everything is copied, verified and in step
    #[arg(long)]
    pub(crate) auto_cutover: bool,
    /// A setting to begin with, for example workers=4; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) setting: Vec<String>,
    /// With --to: what a column of the new table is made from, over a row of the old one; may be repeated. Without --to
    /// the same as --setting
    #[arg(long, value_name = "COLUMN = EXPRESSION")]
    pub(crate) set: Vec<String>,
    #[command(flatten)]
    pub(crate) hook: HookArgs,
    /// With --auto-cutover: ask the command at `before-cutover`; unless it exits with 0, nothing is cut over
    #[arg(long, requires_all = ["hook", "auto_cutover"], help_heading = "Hook")]
    pub(crate) hook_gate: bool,
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
    /// A file with the wanted create table, and create index statements
    #[arg(long, value_name = "FILE")]
    pub(crate) to: Option<std::path::PathBuf>,
    /// With --to: what a column of the old table is made from after the cut-over; may be repeated
    #[arg(long, value_name = "COLUMN = EXPRESSION", requires = "to")]
    pub(crate) reverse_set: Vec<String>,
    /// With --to: no way back after the cut-over
    #[arg(long, requires = "to")]
    pub(crate) one_way: bool,
    /// One table again: what was partitioned is not any more
    #[arg(long)]
    pub(crate) unpartitioned: bool,
    /// The same shape, written anew without bloat; a partitioned table partition by partition
    #[arg(long)]
    pub(crate) same_shape: bool,
}

/// A loss that a person can accept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Accept {
    /// A unique key takes in the partition columns
    KeyWidening,
    /// What only single partitions have (indexes, grants, comments…) stays behind
    PartitionSettings,
}

/// Why something is done.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Why {
    /// The reason, kept in the journal for whoever comes later
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub(crate) why: String,
}

/// A command about one migration.
#[derive(Debug, Args)]
pub(crate) struct Named {
    /// The migration, as `corridor status` lists it
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) why: Why,
}

/// A command about one migration, of which somebody else can be told.
#[derive(Debug, Args)]
pub(crate) struct Worked {
    /// The migration, as `corridor status` lists it
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) hook: HookArgs,
    #[command(flatten)]
    pub(crate) why: Why,
}

/// `corridor cutover`
#[derive(Debug, Args)]
pub(crate) struct Cutover {
    /// The migration, as `corridor status` lists it
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) hook: HookArgs,
    /// Ask the command at `before-cutover`; unless it exits with 0, nothing is cut over
    #[arg(long, requires = "hook", help_heading = "Hook")]
    pub(crate) hook_gate: bool,
    #[command(flatten)]
    pub(crate) why: Why,
}

/// Who is told what happens.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Hook")]
pub(crate) struct HookArgs {
    /// Run this by the shell at each event, with the facts in CORRIDOR_EVENT and other variables
    #[arg(long, value_name = "CMD")]
    pub(crate) hook: Option<String>,
    /// Kill it when it takes longer for one event
    #[arg(long, value_name = "SECONDS", default_value_t = 10, requires = "hook", value_parser = clap::value_parser!(u64).range(1..=600))]
    pub(crate) hook_timeout: u64,
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
#[command(override_usage = "corridor set NAME [KEY=VALUE]...\n       corridor set --all [KEY=VALUE]...")]
pub(crate) struct Set {
    /// The migration, as `corridor status` lists it
    #[arg(required_unless_present = "all")]
    pub(crate) name: Option<String>,
    /// What to set; `KEY=default` gives the default back. Without it, all settings are listed
    #[arg(value_name = "KEY=VALUE")]
    pub(crate) settings: Vec<String>,
    /// All migrations of this database that have no value of their own, instead of one
    #[arg(long)]
    pub(crate) all: bool,
    #[command(flatten)]
    pub(crate) why: Why,
}

/// `corridor finish`
#[derive(Debug, Args)]
pub(crate) struct Finish {
    /// The migration, as `corridor status` lists it
    pub(crate) name: String,
    /// Drop the old table instead of moving it into the schema corridor_retired
    #[arg(long)]
    pub(crate) drop: bool,
    #[command(flatten)]
    pub(crate) hook: HookArgs,
    #[command(flatten)]
    pub(crate) why: Why,
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

const GRANTS_EXAMPLES: &str = "\
Examples:
  corridor grants public.events --role mover | psql app
  corridor grants public.events --role mover --missing";

/// `corridor grants`
#[derive(Debug, Args)]
#[command(after_help = GRANTS_EXAMPLES)]
pub(crate) struct Grants {
    /// The table that is to be moved; without it, only what every move needs
    pub(crate) table: Option<String>,
    /// The role that is to do the work; otherwise the one that connects
    #[arg(long)]
    pub(crate) role: Option<String>,
    /// Leave out what is there already
    #[arg(long)]
    pub(crate) missing: bool,
}

/// `corridor explain`
#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// For example MOV-018; a number alone lists the codes that have it. Without it, all are listed
    pub(crate) code: Option<String>,
}

/// `corridor completions`
#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell
    pub(crate) shell: clap_complete::Shell,
}

/// `corridor man`
#[derive(Debug, Args)]
pub(crate) struct Man {
    /// Where to write a page for each command; without it, the page of the whole goes to stdout
    #[arg(value_name = "DIR")]
    pub(crate) directory: Option<std::path::PathBuf>,
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
                "check",
                "watch",
                "lint",
                "move",
                "migration",
                "gate",
                "serve",
                "user",
                "config",
                "status",
                "pause",
                "resume",
                "set",
                "stop",
                "verify",
                "cutover",
                "rollback",
                "finish",
                "logs",
                "grants",
                "explain",
                "completions",
                "man",
                "demo"
            ]
        );
    }
}
