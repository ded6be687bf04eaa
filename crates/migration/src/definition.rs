//! A person's own migration: what a file says, as data.
//!
//! [`file`](mod@file) reads files into a [`Definition`], and [`validate`](mod@validate) looks at every rule that needs no server.
//! [`graph`] orders several. [`placeholder`] puts parameters into the statements; the result is a definition again, and is
//! what a plan freezes. What is done for each kind of operation is another module's part.
//!
//! # Placeholders in SQL
//!
//! - `:name` is a parameter. It is replaced by a literal of the parameter's type, so a value is never read as SQL.
//! - `:each` is the value of a `for_each` query that a backfill is at.
//! - `:range` is the range of keys that a backfill is at, a condition over its table.
//!
//! Nothing is replaced inside of quotes, dollar quotes and comments, nor in a cast (`::text`).

pub mod duration;
pub mod fault;
pub mod file;
pub mod graph;
#[cfg(test)]
mod guide;
pub mod not_null;
pub mod placeholder;
mod problem;
pub mod schema;
mod shape;
mod sql_file;
mod text;
pub mod tolerance;
pub mod validate;
pub mod versions;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use duration::duration;
pub use schema::json_schema;

/// A migration, as a file says it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    /// Name: lower-case letters, digits, `-` and `_`, at most 41. The file's name without its ending, when absent.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// One line: what it is for.
    pub description: String,
    /// Versions of the application that can run it, for example `>=1.33.0, <1.42.0`. All, when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub versions: Option<String>,
    /// What the server must have.
    #[serde(default, skip_serializing_if = "Requirements::is_empty")]
    pub requires: Requirements,
    /// Migrations that must be done before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<String>,
    /// What may be said when it is started.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, Parameter>,
    /// A query for one boolean: whether the work is needed here. No answer, NULL or an error is *unknown*, and unknown never
    /// completes a migration. Needed, when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub required_when: Option<String>,
    /// Asked once, before anything is done.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub prechecks: Vec<Check>,
    /// Asked before it begins and again and again while it runs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub health_checks: Vec<Check>,
    /// Time between two health checks, for example `30s`.
    #[serde(default = "health_every", skip_serializing_if = "is_health_every")]
    pub health_every: String,
    /// Go back by itself when an operation or a health check fails.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rollback_on_failure: bool,
    /// Whether it is over with its last operation, or waits for `finish`, and can be rolled back until then.
    #[serde(default, skip_serializing_if = "Finish::is_automatic")]
    pub finish: Finish,
    /// Settings from the start, as `corridor set` takes them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub settings: BTreeMap<String, String>,
    /// What is done, in this order.
    pub operations: Vec<Operation>,
}

fn health_every() -> String {
    "30s".to_owned()
}

fn is_health_every(text: &str) -> bool {
    text == "30s"
}

/// What the server must have.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Requirements {
    /// Versions of PostgreSQL, for example `>=14, <19`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub postgres: Option<String>,
    /// Extensions that must be there, and their versions: `*` or for example `>=1.5`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub extensions: BTreeMap<String, String>,
    /// Settings of the server and what they must be.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub settings: BTreeMap<String, String>,
}

impl Requirements {
    /// True when nothing is required.
    pub fn is_empty(&self) -> bool {
        *self == Requirements::default()
    }
}

/// Something that may be said when a migration is started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Parameter {
    /// Its type.
    #[serde(rename = "type")]
    pub kind: ParameterType,
    /// Its value when nothing is said, as text. Without one, it must be said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// What it means.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
}

/// The type of a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ParameterType {
    /// `text`
    Text,
    /// `bigint`
    Integer,
    /// `numeric`
    Numeric,
    /// `boolean`
    Boolean,
    /// `timestamptz`
    Timestamp,
    /// `jsonb`
    Json,
}

impl ParameterType {
    /// The type's name in SQL.
    pub const fn sql(self) -> &'static str {
        match self {
            ParameterType::Text => "text",
            ParameterType::Integer => "bigint",
            ParameterType::Numeric => "numeric",
            ParameterType::Boolean => "boolean",
            ParameterType::Timestamp => "timestamptz",
            ParameterType::Json => "jsonb",
        }
    }
}

/// A question with a right answer: true.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// Its name.
    pub name: String,
    /// A query for one boolean.
    pub query: String,
    /// What to say when it is not true.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
}

/// When a migration is over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Finish {
    /// With its last operation.
    #[default]
    Automatic,
    /// When somebody says so; until then it can be rolled back.
    ByHand,
}

impl Finish {
    fn is_automatic(&self) -> bool {
        *self == Finish::Automatic
    }
}

/// One operation. Its name is what it is known by, whatever place it has.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Operation {
    /// A statement of your own.
    Sql(Sql),
    /// A change of many rows, in batches along a key.
    Backfill(Backfill),
    /// An index, built without blocking writers.
    Index(Index),
    /// A constraint, added without a check of the rows and then validated without blocking writers.
    Constraint(Constraint),
    /// A question that must be answered with true.
    Check(CheckOperation),
    /// A question for a number of bad rows, and how many are tolerated.
    Verify(Verify),
    /// A question that is asked until it is answered with true.
    WaitUntil(WaitUntil),
    /// A program on the machine of the worker.
    Command(Command),
    /// A call of a web address.
    Http(Http),
    /// A table into another shape.
    Move(Move),
}

impl Operation {
    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            Operation::Sql(it) => &it.name,
            Operation::Backfill(it) => &it.name,
            Operation::Index(it) => &it.name,
            Operation::Constraint(it) => &it.name,
            Operation::Check(it) => &it.name,
            Operation::Verify(it) => &it.name,
            Operation::WaitUntil(it) => &it.name,
            Operation::Command(it) => &it.name,
            Operation::Http(it) => &it.name,
            Operation::Move(it) => &it.name,
        }
    }

    /// Its kind, as a file says it.
    pub const fn kind(&self) -> &'static str {
        match self {
            Operation::Sql(_) => "sql",
            Operation::Backfill(_) => "backfill",
            Operation::Index(_) => "index",
            Operation::Constraint(_) => "constraint",
            Operation::Check(_) => "check",
            Operation::Verify(_) => "verify",
            Operation::WaitUntil(_) => "wait_until",
            Operation::Command(_) => "command",
            Operation::Http(_) => "http",
            Operation::Move(_) => "move",
        }
    }
}

/// A statement, or several in one transaction.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Sql {
    /// Its name.
    pub name: String,
    /// The SQL.
    pub statement: String,
    /// The SQL that takes it back; it must tolerate that there is nothing to take back. Empty: nothing needs to be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rollback: Option<String>,
    /// Why it cannot be taken back, where it cannot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub irreversible: Option<String>,
    /// Outside of a transaction, for statements that the server allows only there. Then `done_when` is needed.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub no_transaction: bool,
    /// A query for one boolean: whether it is done already. Asked before each try; what is done is not done again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub done_when: Option<String>,
    /// The longest that one try may run, for example `10min`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<String>,
    /// The longest that one try waits for a lock. It is tried again until `lock_budget` is used up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lock_timeout: Option<String>,
    /// How long it is tried to get the locks, all tries and pauses together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lock_budget: Option<String>,
}

/// A change of many rows, in batches along a unique key, each in a transaction with its entry in the ledger.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Backfill {
    /// Its name.
    pub name: String,
    /// The table whose key the batches follow.
    pub table: String,
    /// What each column becomes: an expression over the row. Makes an update.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub set: BTreeMap<String, String>,
    /// Which rows, a condition over the row. Beside `statement`: the rows that the batches are made of, so that an index can lead
    /// to them; the statement has to say it itself, too.
    #[serde(rename = "where", skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// Instead of `set`: a statement of your own with `:range` in it, a condition over the table's row.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub statement: Option<String>,
    /// A query for one column: the whole is done once for each value, `:each`. The list is frozen when the operation begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub for_each: Option<String>,
    /// The name by which `statement` calls the table, when it is not the table's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
    /// Rows of the first batch; later ones are sized by the time that they take.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<u32>,
    /// The SQL that takes it back. Empty: nothing needs to be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rollback: Option<String>,
    /// Why it cannot be taken back, where it cannot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub irreversible: Option<String>,
}

/// An index. It is rolled back by dropping it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Index {
    /// The operation's name.
    pub name: String,
    /// The table.
    pub table: String,
    /// The index's name.
    pub index: String,
    /// What stands behind the table's name in `create index`: `(lower(email)) where deleted_at is null`.
    pub definition: String,
    /// Whether it is unique.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unique: bool,
}

/// A constraint. It is rolled back by dropping it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Constraint {
    /// The operation's name.
    pub name: String,
    /// The table.
    pub table: String,
    /// The constraint's name. For `not null`: of the check that stands in for it until every row has been looked at.
    pub constraint: String,
    /// `check (…)`, `foreign key (…) references …`, or `not null` and the name of a column.
    pub definition: String,
    /// How long it is tried to get the lock, all tries and pauses together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lock_budget: Option<String>,
}

/// A question that must be answered with true.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CheckOperation {
    /// Its name.
    pub name: String,
    /// A query for one boolean.
    pub query: String,
    /// What to say when it is not true.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message: String,
}

/// A question for a number of bad rows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Verify {
    /// Its name.
    pub name: String,
    /// A query for one row: how many are bad and, for a tolerance in percent, of how many.
    pub query: String,
    /// How many may be: `0`, `12` or `1%`.
    pub tolerance: String,
    /// What to say when there are more.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message: String,
}

/// A question that is asked until it is answered with true.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct WaitUntil {
    /// Its name.
    pub name: String,
    /// A query for one boolean.
    pub query: String,
    /// Time between two questions, for example `10s`.
    pub every: String,
    /// The longest wait, for example `2h`; then it fails. For ever, when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_most: Option<String>,
}

/// What to do when it is not known whether something that Corridor began was done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Repeat {
    /// Ask a person: `corridor migration settle`.
    #[default]
    Ask,
    /// Do it again: twice is as good as once.
    Safe,
}

/// A program on the machine of the worker.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Command {
    /// Its name.
    pub name: String,
    /// The program and its arguments. Parameters are in its environment: `CORRIDOR_PARAMETER_TEAM_ID`.
    pub command: Vec<String>,
    /// The program that takes it back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rollback: Option<Vec<String>>,
    /// Why it cannot be taken back, where it cannot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub irreversible: Option<String>,
    /// The longest that it may run, for example `10min`; then it is killed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<String>,
    /// Whether it may be done twice.
    pub repeat: Repeat,
}

/// A call of a web address.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Http {
    /// Its name.
    pub name: String,
    /// The method: `GET`, `POST`…
    pub method: String,
    /// The address, `http://…`.
    pub url: String,
    /// Headers of the request.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// Body of the request.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub body: String,
    /// Statuses that mean that it is done; 200 to 299, when absent.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub expect: Vec<u16>,
    /// The longest that the call may take, for example `30s`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<String>,
    /// Why it cannot be taken back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub irreversible: Option<String>,
    /// Whether it may be done twice.
    pub repeat: Repeat,
}

/// A table into another shape: all that `corridor move` does, as a migration of its own that this one waits for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Move {
    /// Its name.
    pub name: String,
    /// The table.
    pub table: String,
    /// What stands behind the table in `corridor move`, word by word: `["--partition-by", "hash(team_id)", "--partitions", "64"]`.
    pub arguments: Vec<String>,
}
