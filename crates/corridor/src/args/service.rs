//! The command line of a person's own migrations, of the gate, and of the service.

use clap::{Args, Subcommand};

use super::Why;

/// `corridor migration`
#[derive(Debug, Subcommand)]
pub(crate) enum Migration {
    /// Read files (.toml, .sql) and keep what they say, not started yet; all or none
    Add(MigrationAdd),
    /// List your migrations: which are needed here, running, done
    List,
    /// Show what the file of one says
    Show(MigrationNamed),
    /// Show what a start would do, and what stands in its way; changes nothing
    Plan(MigrationStart),
    /// Begin one, in the foreground; one that is not needed here is completed without doing anything
    Start(MigrationStart),
    /// Say that one need not be done here; it counts as done from then on
    Skip(MigrationSkip),
    /// Say whether an operation was done whose end is not known
    Settle(MigrationSettle),
    /// Print the JSON Schema of the files
    Schema,
}

const MIGRATION_EXAMPLES: &str = "\
Examples:
  corridor migration add migrations/*.toml
  corridor migration plan 0003_fill_person_distinct_id2 --set team_id=7
  corridor migration start 0003_fill_person_distinct_id2";

const GATE_EXAMPLES: &str = "\
Examples:
  corridor gate --app-version 1.42.0
  corridor gate --app-version 1.42.0 --installed 1.41.3 --json";

/// `corridor gate`
#[derive(Debug, Args)]
#[command(after_help = GATE_EXAMPLES)]
pub(crate) struct Gate {
    /// The version that is to be installed
    #[arg(long, value_name = "X.Y.Z")]
    pub(crate) app_version: String,
    /// The version that is installed now, so that the answer says what it can still run
    #[arg(long, value_name = "X.Y.Z")]
    pub(crate) installed: Option<String>,
}

const SERVE_EXAMPLES: &str = "\
Examples:
  corridor serve
  corridor serve --config /etc/corridor/corridor.toml
  kill -HUP PID                         (reads the settings again)";

/// `corridor serve`
#[derive(Debug, Args)]
#[command(after_help = SERVE_EXAMPLES)]
pub(crate) struct Serve {
    /// The settings; otherwise corridor.toml in the working directory, when it is there
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<std::path::PathBuf>,
    /// Address of the HTTP service; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) listen: Option<String>,
}

/// `corridor config`
#[derive(Debug, Subcommand)]
pub(crate) enum Config {
    /// Print every setting of the service, its value, and where it came from
    Show(ConfigShow),
}

/// `corridor config show`
#[derive(Debug, Args)]
pub(crate) struct ConfigShow {
    /// The settings; otherwise corridor.toml in the working directory, when it is there
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<std::path::PathBuf>,
}

/// `corridor migration add`
#[derive(Debug, Args)]
#[command(after_help = MIGRATION_EXAMPLES)]
pub(crate) struct MigrationAdd {
    /// The files
    #[arg(required = true)]
    pub(crate) files: Vec<std::path::PathBuf>,
}

/// One of them.
#[derive(Debug, Args)]
pub(crate) struct MigrationNamed {
    /// The migration, as `corridor migration list` lists it
    pub(crate) name: String,
}

/// `corridor migration start` and `plan`
#[derive(Debug, Args)]
#[command(after_help = MIGRATION_EXAMPLES)]
pub(crate) struct MigrationStart {
    /// The migration, as `corridor migration list` lists it
    pub(crate) name: String,
    /// A parameter; may be repeated
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) set: Vec<String>,
    /// The application's version; one that the file was not written for is refused
    #[arg(long, value_name = "X.Y.Z")]
    pub(crate) app_version: Option<String>,
    /// With start: leave the work to a `corridor serve`
    #[arg(long)]
    pub(crate) detach: bool,
    #[command(flatten)]
    pub(crate) why: Why,
}

/// `corridor migration skip`
#[derive(Debug, Args)]
pub(crate) struct MigrationSkip {
    /// The migration, as `corridor migration list` lists it
    pub(crate) name: String,
    /// Why, for whoever comes later
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,
}

/// `corridor migration settle`
#[derive(Debug, Args)]
pub(crate) struct MigrationSettle {
    /// The migration, as `corridor migration list` lists it
    pub(crate) name: String,
    /// The operation
    pub(crate) operation: String,
    /// It was done
    #[arg(long, required_unless_present = "again", conflicts_with = "again")]
    pub(crate) done: bool,
    /// It was not done, or may be done twice
    #[arg(long)]
    pub(crate) again: bool,
    #[command(flatten)]
    pub(crate) why: Why,
}
