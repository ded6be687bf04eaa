//! The command line of the console's accounts.

use clap::{Args, Subcommand, ValueEnum};

const USER_EXAMPLES: &str = "\
Examples:
  corridor user add anna --role admin          (asks for the password)
  corridor user token deploy --name pipeline --role viewer --days 365
  pass show corridor/anna | corridor user password anna";

/// `corridor user`
#[derive(Debug, Subcommand)]
#[command(after_help = USER_EXAMPLES)]
pub(crate) enum User {
    /// Make an account; the password is asked for, or read from standard input
    Add(UserAdd),
    /// List the accounts
    List(Home),
    /// Give an account another role
    Role(UserRole),
    /// Give an account another password; all its sign-ins end
    Password(UserNamed),
    /// End all sign-ins and tokens of an account
    Revoke(UserNamed),
    /// Let an account not come in any more, and end its sign-ins
    Disable(UserNamed),
    /// Let an account come in again
    Enable(UserNamed),
    /// Remove an account, with its tokens
    Remove(UserNamed),
    /// Make a token for a program, and print it this once
    Token(UserToken),
}

/// Where the accounts are: the first cluster of the service's settings.
#[derive(Debug, Args)]
pub(crate) struct Home {
    /// The service's settings; otherwise corridor.toml in the working directory, when it is there
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<std::path::PathBuf>,
}

/// What an account may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    /// Looks
    Viewer,
    /// Also starts, pauses, stops, cuts over, rolls back, finishes
    Operator,
    /// Also changes accounts and settings
    Admin,
}

/// `corridor user add`
#[derive(Debug, Args)]
pub(crate) struct UserAdd {
    /// What is typed to sign in: a-z, 0-9, and . _ @ - behind the first character
    pub(crate) name: String,
    /// What it may do
    #[arg(long, value_enum)]
    pub(crate) role: Role,
    /// It comes through a trusted proxy or by token, and has no password
    #[arg(long)]
    pub(crate) no_password: bool,
    #[command(flatten)]
    pub(crate) home: Home,
}

/// One account.
#[derive(Debug, Args)]
pub(crate) struct UserNamed {
    /// The account, as `corridor user list` lists it
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) home: Home,
}

/// `corridor user role`
#[derive(Debug, Args)]
pub(crate) struct UserRole {
    /// The account, as `corridor user list` lists it
    pub(crate) name: String,
    /// What it may do
    #[arg(value_enum)]
    pub(crate) role: Role,
    #[command(flatten)]
    pub(crate) home: Home,
}

/// `corridor user token`
#[derive(Debug, Args)]
pub(crate) struct UserToken {
    /// The account, as `corridor user list` lists it
    pub(crate) account: String,
    /// What the token is called; which program has it, say
    #[arg(long, value_name = "TEXT")]
    pub(crate) name: String,
    /// What the token may do; never more than its account
    #[arg(long, value_enum, default_value = "viewer")]
    pub(crate) role: Role,
    /// How long it lasts; without it for ever
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..=3_660))]
    pub(crate) days: Option<i32>,
    #[command(flatten)]
    pub(crate) home: Home,
}
