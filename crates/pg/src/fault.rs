//! One error type for all rooms: a stable code, what happened to which object, and two failure facts.
//!
//! Each room keeps a table of its own [`Code`]s next to the code that raises them; the binary joins the tables
//! for `corridor explain`. A [`Fault`] carries a reference to its code, so that the retry policy, the exit code,
//! the hint and the page are written once.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;

/// Result of everything that can fail in Corridor.
pub type Result<T, E = Fault> = std::result::Result<T, E>;

/// The process exit code that a fault leads to when nobody handles it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 1: it ran, and the result is bad.
    BadResult,
    /// 2: the request makes no sense.
    Usage,
    /// 3: the server cannot be reached, or does not let us in.
    CannotConnect,
    /// 4: refused; nothing was changed.
    Refused,
    /// 5: not finished when the wait ended.
    NotFinished,
    /// 6: nobody can say from here whether a change took place; a human must look.
    Ambiguous,
    /// 7: a bug in Corridor.
    Bug,
}

impl Exit {
    /// The number that the process returns.
    pub const fn code(self) -> u8 {
        match self {
            Exit::BadResult => 1,
            Exit::Usage => 2,
            Exit::CannotConnect => 3,
            Exit::Refused => 4,
            Exit::NotFinished => 5,
            Exit::Ambiguous => 6,
            Exit::Bug => 7,
        }
    }
}

/// When the operation that failed may be tried again without a person's word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// Never: the same request will fail in the same way.
    Never,
    /// The transaction lost a race (lock timeout, deadlock, serialization): again after a short, jittered pause.
    AfterPause,
    /// The connection is gone: again on a new one.
    AfterReconnect,
}

/// A kind of fault. One `static` per code; `id` is stable for ever.
#[derive(Debug)]
pub struct Code {
    /// For example `PG-003`. Prefixes: `PG`, `MIR` (mirror), `MIG` (migration), `MOV` (move), `CLI`.
    pub id: &'static str,
    /// Short static description, without the object's name.
    pub title: &'static str,
    /// Retry policy.
    pub retry: Retry,
    /// Exit code when the fault ends the command.
    pub exit: Exit,
    /// What to do, in one sentence.
    pub hint: &'static str,
    /// The page that `corridor explain ID` prints: Markdown, symptom first.
    pub page: &'static str,
}

struct Inner {
    code: &'static Code,
    detail: Cow<'static, str>,
    doing: Option<String>,
    sqlstate: Option<String>,
    is_change_durable: bool,
    is_ownership_ambiguous: bool,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// What went wrong, with its code and the two facts that travel with every failure.
///
/// Boxed inside, so that `Result<T, Fault>` stays one word wide on the way up.
pub struct Fault(Box<Inner>);

impl Fault {
    /// A fault of `code`; `detail` names the object, the figure and the limit.
    pub fn new(code: &'static Code, detail: impl Into<Cow<'static, str>>) -> Self {
        Fault(Box::new(Inner {
            code,
            detail: detail.into(),
            doing: None,
            sqlstate: None,
            is_change_durable: false,
            is_ownership_ambiguous: false,
            source: None,
        }))
    }

    /// Adds what was attempted, for example `copying rows 5..9 of public.persons`. The innermost word stays.
    #[must_use]
    pub fn doing(mut self, what: impl Into<String>) -> Self {
        if self.0.doing.is_none() {
            self.0.doing = Some(what.into());
        }
        self
    }

    /// Adds the error that this fault comes from.
    #[must_use]
    pub fn caused_by(mut self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.0.source = Some(Box::new(source));
        self
    }

    /// Marks that a durable change took place before the failure.
    #[must_use]
    pub fn with_durable_change(mut self) -> Self {
        self.0.is_change_durable = true;
        self
    }

    /// Marks that the server may or may not have committed. Nothing may retry past such a fault blindly.
    #[must_use]
    pub fn with_ambiguous_ownership(mut self) -> Self {
        self.0.is_ownership_ambiguous = true;
        self
    }

    /// The code with its policy.
    pub fn code(&self) -> &'static Code {
        self.0.code
    }

    /// The object, the figure, the limit.
    pub fn detail(&self) -> &str {
        &self.0.detail
    }

    /// The SQLSTATE that the server sent, when it was the server that refused.
    pub fn sqlstate(&self) -> Option<&str> {
        self.0.sqlstate.as_deref()
    }

    /// True when a durable change took place before the failure.
    pub fn is_change_durable(&self) -> bool {
        self.0.is_change_durable
    }

    /// True when it is unknown whether the change took place.
    pub fn is_ownership_ambiguous(&self) -> bool {
        self.0.is_ownership_ambiguous
    }

    /// Maps an error of the driver to a code by its SQLSTATE.
    pub fn from_driver(error: tokio_postgres::Error) -> Self {
        let (code, detail, sqlstate) = crate::fault::classify(&error);
        let mut fault = Fault::new(code, detail).caused_by(error);
        fault.0.sqlstate = sqlstate;
        fault
    }
}

fn classify(error: &tokio_postgres::Error) -> (&'static Code, String, Option<String>) {
    let Some(db) = error.as_db_error() else {
        let detail = match StdError::source(error) {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        };
        let code = if error.is_closed() || is_io(error) {
            &CONNECTION_LOST
        } else {
            &PROTOCOL
        };
        return (code, detail, None);
    };
    let state = db.code().code();
    let code: &'static Code = match state {
        "28P01" | "28000" => &LOGIN_REFUSED,
        "3D000" => &NO_SUCH_DATABASE,
        "42501" => &NO_PRIVILEGE,
        "25006" => &READ_ONLY,
        "55P03" => &LOCK_TIMEOUT,
        "40P01" => &DEADLOCK,
        "40001" => &SERIALIZATION,
        "57014" => &CANCELLED,
        "57P01" | "57P02" | "57P03" | "57P05" | "08000" | "08003" | "08006" | "25P03" => &CONNECTION_LOST,
        "53100" | "53200" | "53300" | "53400" | "53000" => &OUT_OF_RESOURCES,
        "42P01" | "3F000" => &NO_SUCH_OBJECT,
        "23505" | "23P01" => &UNIQUE_CONFLICT,
        "23514" | "23502" | "23503" => &CONSTRAINT_CONFLICT,
        // We name each prepared statement once in a session; only somebody in between can mix them up.
        "26000" | "42P05" => &POOLED,
        _ => &SERVER_REFUSED,
    };
    let mut detail = format!("{} ({state})", db.message());
    if let Some(extra) = db.detail() {
        detail.push_str("; ");
        detail.push_str(extra);
    }
    (code, detail, Some(state.to_owned()))
}

fn is_io(error: &tokio_postgres::Error) -> bool {
    let mut source = StdError::source(error);
    while let Some(inner) = source {
        if inner.is::<std::io::Error>() {
            return true;
        }
        source = inner.source();
    }
    false
}

impl From<tokio_postgres::Error> for Fault {
    fn from(error: tokio_postgres::Error) -> Self {
        Fault::from_driver(error)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.code.id, self.0.code.title)?;
        if let Some(doing) = &self.0.doing {
            write!(f, ", {doing}")?;
        }
        if !self.0.detail.is_empty() {
            write!(f, ": {}", self.0.detail)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fault")
            .field("code", &self.0.code.id)
            .field("doing", &self.0.doing)
            .field("detail", &self.0.detail)
            .field("is_change_durable", &self.0.is_change_durable)
            .field("is_ownership_ambiguous", &self.0.is_ownership_ambiguous)
            .field("source", &self.0.source)
            .finish()
    }
}

impl StdError for Fault {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|s| s as _)
    }
}

/// Adds what was attempted to a result on its way up.
pub trait FaultContext<T> {
    /// `what` is evaluated only when there is a fault.
    fn doing<S: Into<String>>(self, what: impl FnOnce() -> S) -> Result<T>;
}

impl<T, E: Into<Fault>> FaultContext<T> for std::result::Result<T, E> {
    fn doing<S: Into<String>>(self, what: impl FnOnce() -> S) -> Result<T> {
        self.map_err(|e| e.into().doing(what()))
    }
}

macro_rules! code {
    ($name:ident, $id:literal, $title:literal, $retry:ident, $exit:ident, $hint:literal, $page:literal) => {
        #[doc = $title]
        pub static $name: Code = Code {
            id: $id,
            title: $title,
            retry: Retry::$retry,
            exit: Exit::$exit,
            hint: $hint,
            page: $page,
        };
    };
}

code!(
    BAD_CONNINFO,
    "PG-001",
    "the connection string cannot be read",
    Never,
    Usage,
    "Give a URL (postgres://user@host:5432/db) or keywords (host=… dbname=…), as psql takes them.",
    "The text after `--database`, or a `PG*` variable, does not follow libpq's rules. The message names the part that could not be read."
);
code!(
    CANNOT_CONNECT,
    "PG-002",
    "cannot connect",
    AfterReconnect,
    CannotConnect,
    "Check host, port and that the server accepts connections; `psql` with the same settings should get in.",
    "No address of the host list answered. Every address that was tried is listed with what came back."
);
code!(
    LOGIN_REFUSED,
    "PG-003",
    "the server refused the login",
    Never,
    CannotConnect,
    "Check user and password (PGPASSWORD, ~/.pgpass) and the server's pg_hba.conf.",
    "The server answered, but did not accept the user or the password. Corridor does not try again: repeated wrong passwords lock accounts."
);
code!(
    NO_SUCH_DATABASE,
    "PG-004",
    "the database does not exist",
    Never,
    CannotConnect,
    "Check the database name.",
    "The server answered that it has no database of this name."
);
code!(
    TLS,
    "PG-005",
    "the TLS connection cannot be made",
    Never,
    CannotConnect,
    "Check sslmode, sslrootcert and the server's certificate.",
    "TLS was required (`sslmode`) and the server does not offer it, or its certificate did not pass the check that was asked for."
);
code!(
    CONNECTION_LOST,
    "PG-006",
    "the connection was lost",
    AfterReconnect,
    CannotConnect,
    "Corridor connects again by itself; when the server stays away, `resume` continues later.",
    "The server closed the connection, restarted, or the network failed. What was not committed is gone; what was committed stands."
);
code!(
    NO_PRIVILEGE,
    "PG-007",
    "a privilege is missing",
    Never,
    Refused,
    "Grant what the message names; the plan lists every missing GRANT.",
    "The role that Corridor connects as may not do this. Superuser is never needed for a move on one server: ownership of the table and CREATE on database and schema are."
);
code!(
    READ_ONLY,
    "PG-008",
    "the server is read-only",
    Never,
    Refused,
    "Connect to the primary, or turn default_transaction_read_only off.",
    "The server is a standby, or its transactions are read-only. Nothing was changed."
);
code!(
    LOCK_TIMEOUT,
    "PG-009",
    "the lock was not free within its budget",
    AfterPause,
    NotFinished,
    "Corridor steps back and tries again; see who holds the lock in the message.",
    "The application wins: Corridor waits for a lock only as long as its budget, then gives way."
);
code!(
    DEADLOCK,
    "PG-010",
    "a deadlock was broken by the server",
    AfterPause,
    NotFinished,
    "Corridor tries again by itself.",
    "The server chose our transaction to end a deadlock. It was rolled back whole."
);
code!(
    SERIALIZATION,
    "PG-011",
    "the transaction could not be serialized",
    AfterPause,
    NotFinished,
    "Corridor tries again by itself.",
    "A concurrent transaction changed what ours had read. It was rolled back whole."
);
code!(
    CANCELLED,
    "PG-012",
    "the statement was cancelled",
    AfterPause,
    NotFinished,
    "Somebody cancelled it, or statement_timeout ended it. Corridor tries again.",
    "The statement was cancelled by a person or by a timeout. It was rolled back whole."
);
code!(
    OUT_OF_RESOURCES,
    "PG-013",
    "the server is out of a resource",
    AfterPause,
    BadResult,
    "Free disk, memory or connections on the server, then `resume`.",
    "The server ran out of disk, memory or connections. The transaction was rolled back whole."
);
code!(
    NO_SUCH_OBJECT,
    "PG-014",
    "the object does not exist",
    Never,
    Refused,
    "Check the name; names with capitals or spaces need double quotes.",
    "The server knows no relation or schema of this name."
);
code!(
    UNIQUE_CONFLICT,
    "PG-015",
    "a unique or exclusion constraint was violated",
    Never,
    BadResult,
    "See the constraint and the key in the message.",
    "Two rows would have had the same unique key, or would have excluded each other."
);
code!(
    CONSTRAINT_CONFLICT,
    "PG-016",
    "a row does not satisfy a constraint",
    Never,
    BadResult,
    "See the constraint and the row in the message.",
    "A row does not satisfy a check, not-null, foreign key or partition constraint."
);
code!(
    SERVER_REFUSED,
    "PG-017",
    "the server refused the statement",
    Never,
    BadResult,
    "See the server's message.",
    "The server refused a statement for a reason that Corridor has no own code for."
);
code!(
    PROTOCOL,
    "PG-018",
    "the answer of the server could not be read",
    Never,
    Bug,
    "Please report this with the message.",
    "Corridor and the server did not understand each other. This is a bug in Corridor."
);
code!(
    FENCED,
    "PG-019",
    "another worker has taken over",
    Never,
    Refused,
    "Nothing to do: the other worker goes on.",
    "The lease's epoch is no longer ours: another worker took the work over. Our transaction was rolled back."
);
code!(
    BAD_NAME,
    "PG-020",
    "the name cannot be read",
    Never,
    Usage,
    "Write names as in SQL: schema.table, with double quotes around what is not lower case.",
    "The name is empty, longer than 63 bytes, holds a NUL byte, or its quotes do not match."
);
code!(
    UNSUPPORTED_VERSION,
    "PG-021",
    "this version of PostgreSQL is not supported",
    Never,
    Refused,
    "Corridor works with PostgreSQL 14 to 18.",
    "The server's version is older than 14."
);
code!(
    LOGIN_METHOD,
    "PG-022",
    "no way of logging in suits both sides",
    Never,
    CannotConnect,
    "Let the server's pg_hba.conf ask for scram-sha-256, md5, password, cert, peer or trust, and see channel_binding.",
    "The server answered, but asks for a login that Corridor does not speak (GSSAPI, SSPI, OAuth), or `channel_binding=require` was asked for and the server, or the connection without TLS, cannot do it. It is also raised when the server cannot prove that it knows the password: then somebody else may be answering in its place."
);
code!(
    POOLED,
    "PG-023",
    "a pooler in transaction mode stands between us and the server",
    Never,
    Refused,
    "Connect to the server itself, or through a pool in session mode; the application may stay on its pooler.",
    "A pooler such as PgBouncer with `pool_mode = transaction` gives a server connection to another client after each transaction. A worker of Corridor relies on what that breaks: settings of the session (time limits, `search_path`), prepared statements, and the process id by which a lost connection is ended. So it is refused before anything is changed. It is noticed when one server process answers two of our sessions or several answer one, or when the server does not know a statement that we have prepared (SQLSTATE 26000, 42P05).\n\nGive Corridor the server's own address (`--database`, `PGHOST`, `PGPORT`), or a pool with `pool_mode = session`. The application needs no change: it may go through the pooler in any mode during the whole move."
);

/// All codes of this room.
pub static CODES: &[&Code] = &[
    &BAD_CONNINFO,
    &CANNOT_CONNECT,
    &LOGIN_REFUSED,
    &NO_SUCH_DATABASE,
    &TLS,
    &CONNECTION_LOST,
    &NO_PRIVILEGE,
    &READ_ONLY,
    &LOCK_TIMEOUT,
    &DEADLOCK,
    &SERIALIZATION,
    &CANCELLED,
    &OUT_OF_RESOURCES,
    &NO_SUCH_OBJECT,
    &UNIQUE_CONFLICT,
    &CONSTRAINT_CONFLICT,
    &SERVER_REFUSED,
    &PROTOCOL,
    &FENCED,
    &BAD_NAME,
    &UNSUPPORTED_VERSION,
    &LOGIN_METHOD,
    &POOLED,
];
