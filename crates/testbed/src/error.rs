//! What can go wrong in the testbed itself.
//!
//! Not the coded faults of the other rooms: this room stands beside the house and depends on none of them.

use std::error::Error as StdError;
use std::io;

/// Result of everything in the testbed.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong in the testbed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The wanted major is not on this machine.
    #[error("PostgreSQL {major} is not on this machine (found: {found}); run script/setup --majors {major}")]
    MissingMajor {
        /// The wanted major.
        major: u32,
        /// What was found instead, for people.
        found: String,
    },
    /// A file, a directory or a program could not be worked with.
    #[error("{doing}: {source}")]
    Io {
        /// What was attempted, with the path.
        doing: String,
        /// What the system said.
        source: io::Error,
    },
    /// A server program ran and failed.
    #[error("{doing}: {output}")]
    Program {
        /// What was attempted.
        doing: String,
        /// What it printed.
        output: String,
    },
    /// The server refused, or could not be reached.
    #[error("{doing}: {}", spelled_out(source))]
    Postgres {
        /// What was attempted.
        doing: String,
        /// What the driver said.
        source: tokio_postgres::Error,
    },
    /// The request makes no sense.
    #[error("{0}")]
    Request(String),
}

impl Error {
    /// For `map_err`: an I/O error with what was attempted.
    pub(crate) fn io(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Error {
        let doing = doing.into();
        move |source| Error::Io { doing, source }
    }

    /// For `map_err`: an error of the driver with what was attempted.
    pub(crate) fn postgres(doing: impl Into<String>) -> impl FnOnce(tokio_postgres::Error) -> Error {
        let doing = doing.into();
        move |source| Error::Postgres { doing, source }
    }
}

/// The driver's own text is only "db error"; what the server said is in its source.
fn spelled_out(error: &tokio_postgres::Error) -> String {
    match (error.as_db_error(), StdError::source(error)) {
        (Some(db), _) => format!("{} ({})", db.message(), db.code().code()),
        (None, Some(source)) => format!("{error}: {source}"),
        (None, None) => error.to_string(),
    }
}
