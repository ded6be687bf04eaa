//! The command line of lint.

use clap::{Args, ValueEnum};

const LINT_EXAMPLES: &str = "\
Examples:
  corridor lint db/migrations/*.sql
  corridor lint --since origin/main --format github db/migrations/*.sql
  corridor lint V7__orders.sql -d postgres://app@host/app
  corridor lint --usage-snapshot monday.json -d postgres://app@host/app
  corridor lint --usage-since monday.json V8__drop.sql -d postgres://app@host/app
  corridor lint --plan migrations V7__orders.sql
  corridor lint --rehearse V7__orders.sql -d postgres://app@host/app
  python manage.py sqlmigrate app 0007 | corridor lint -";

/// `corridor lint`
#[derive(Debug, Args)]
#[command(after_help = LINT_EXAMPLES)]
pub(crate) struct Lint {
    /// Files with SQL, in the order in which they are run; - reads standard input
    #[arg(value_name = "FILE", required_unless_present = "usage_snapshot")]
    pub(crate) files: Vec<String>,
    /// Whose SQL it is
    #[arg(long, value_enum, default_value_t = Dialect::Postgres)]
    pub(crate) dialect: Dialect,
    /// With --dialect clickhouse: what is known of the cluster, as TOML
    #[arg(long, value_name = "FILE")]
    pub(crate) cluster: Option<std::path::PathBuf>,
    /// How findings are shown
    #[arg(long, value_enum, default_value_t = Format::Tty)]
    pub(crate) format: Format,
    /// The server's major, where no database is asked [default: the newest that is measured]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(14..=99))]
    pub(crate) pg_version: Option<u32>,
    /// Exit with 1 from this severity on
    #[arg(long, value_enum, default_value_t = Level::Warning)]
    pub(crate) fail_on: Level,
    /// Also say what only costs something later
    #[arg(long)]
    pub(crate) hygiene: bool,
    /// Say nothing of the findings that stand in this file
    #[arg(long, value_name = "FILE")]
    pub(crate) baseline: Option<std::path::PathBuf>,
    /// Write what is found into the file of --baseline, and exit with 0
    #[arg(long, requires = "baseline")]
    pub(crate) write_baseline: bool,
    /// Only what git says has changed since this revision
    #[arg(long, value_name = "REV")]
    pub(crate) since: Option<String>,
    /// With --database: write what pg_stat_statements counts now into this file, and judge nothing
    #[arg(long, value_name = "FILE", conflicts_with = "files")]
    pub(crate) usage_snapshot: Option<std::path::PathBuf>,
    /// With --database: judge by what was called since this file was written
    #[arg(long, value_name = "FILE", conflicts_with = "usage_snapshot")]
    pub(crate) usage_since: Option<std::path::PathBuf>,
    /// The settings; otherwise corridor-lint.toml in the working directory, when it is there
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<std::path::PathBuf>,
    /// Tables whose every change wants a written acknowledgement; otherwise what the settings name as `policy`
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: Option<std::path::PathBuf>,
    /// Mend the files where the mend is local
    #[arg(long)]
    pub(crate) fix: bool,
    /// Write for each file a migration that does it the safe way, into this directory [default: migrations]
    #[arg(long, value_name = "DIR", num_args = 0..=1, default_missing_value = "migrations", conflicts_with = "fix", require_equals = false)]
    pub(crate) plan: Option<std::path::PathBuf>,
    /// Also run the files on a clone of the schema of --database, without its rows, in a throwaway cluster, and compare
    #[arg(long, conflicts_with_all = ["fix", "plan", "write_baseline"])]
    pub(crate) rehearse: bool,
    /// Rehearse on this server instead, in a database of its own
    #[arg(long, value_name = "URL", requires = "rehearse")]
    pub(crate) rehearse_on: Option<String>,
}

/// Whose SQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Dialect {
    /// PostgreSQL
    Postgres,
    /// ClickHouse
    Clickhouse,
}

/// For whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// People: the place in the source, and what is said of it
    Tty,
    /// Programs; --json is the same
    Json,
    /// Scanners of code: SARIF 2.1.0
    Sarif,
    /// Annotations of a GitHub workflow
    Github,
    /// A report on code quality for GitLab
    Gitlab,
}

/// A severity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Level {
    /// It should not be carried out like this
    Error,
    /// Somebody should look at it
    Warning,
    /// Worth knowing
    Notice,
}
