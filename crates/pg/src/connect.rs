//! From [`ConnectOptions`] to a [`Session`]: host after host, TLS as asked for, and an account of what each one said.
//!
//! Traps that are handled here and nowhere else:
//!
//! - The driver's connect timeout covers only the TCP connect; ours covers look-up, TLS and login too.
//! - `sslmode=prefer` falls back to a plain connection, and `allow` to TLS, only when the server turned the *kind* of
//!   connection down. A wrong password is sent once: repeated ones lock accounts.
//! - Only a server that cannot be reached, or is starting or stopping, sends us on to the next host. One that refuses the
//!   login, lacks the database, or fails TLS ends the attempt, as it does for libpq.

mod direct;
mod pump;
mod retry;
mod tls;

use std::future::Future;
use std::time::Duration;

use tokio_postgres::{Client, Connection, Socket};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::conninfo::{ChannelBinding, ConnectOptions, HostSpec, SslMode, TargetSessionAttrs};
use crate::fault::{
    CANNOT_CONNECT, CONNECTION_LOST, Fault, FaultContext, LOGIN_METHOD, LOGIN_REFUSED, OUT_OF_RESOURCES,
    Result, TLS, UNSUPPORTED_VERSION,
};
use crate::session::{ApplicationName, Session};

pub use pump::Severer;
use pump::spawn_pump;

/// The oldest major version that Corridor works with.
pub const MAJOR_MIN: u32 = 14;

/// How long asking for the cancellation of a statement may take.
const CANCEL_TIMEOUT: Duration = Duration::from_secs(10);

/// The driver does not say what kind of error it has, except in words (tokio-postgres 0.7.18, `error/mod.rs`). The
/// tests against real servers hold these words fast.
const DRIVER_SAYS_TLS: &str = "error performing TLS handshake";
const DRIVER_SAYS_CONFIG: &str = "invalid configuration";
const DRIVER_SAYS_AUTHENTICATION: &str = "authentication error";

impl ConnectOptions {
    /// Connects to the first host that answers and suits `target_session_attrs`.
    ///
    /// `PG-002` names each address that was tried and what came back; `PG-003` (login), `PG-004` (database), `PG-005` (TLS),
    /// `PG-021` (version) and `PG-022` (login method) come from the address that answered.
    pub async fn connect(&self, name: &ApplicationName) -> Result<Session> {
        let tls = tls::connector(&self.tls)?;
        let mut order: Vec<&HostSpec> = self.hosts.iter().collect();
        if self.is_host_order_random {
            fastrand::shuffle(&mut order);
        }
        let mut tried = Tried::default();
        // `prefer-standby` looks through the list twice: for a standby, then for any.
        let rounds: &[TargetSessionAttrs] = match self.target_session_attrs {
            TargetSessionAttrs::PreferStandby => &[TargetSessionAttrs::Standby, TargetSessionAttrs::Any],
            ref wanted => std::slice::from_ref(wanted),
        };
        for wanted in rounds {
            for spec in &order {
                for address in self.addresses(spec, &mut tried).await {
                    let dial = Dial {
                        options: self,
                        spec,
                        address: &address,
                        tls: &tls,
                        name,
                    };
                    match dial.within_timeout(*wanted).await {
                        Ok(session) => return Ok(session),
                        Err(fault) if sends_us_on(&fault) => tried.note(&address.shown, fault),
                        Err(fault) => return Err(tried.tell_before(fault)),
                    }
                }
            }
        }
        Err(tried.into_fault())
    }

    /// The addresses behind one entry of the host list; what cannot be looked up is noted.
    async fn addresses(&self, spec: &HostSpec, tried: &mut Tried) -> Vec<Address> {
        let (Some(host), None, None) = (&spec.host, spec.hostaddr, spec.socket_dir()) else {
            let ip = spec.hostaddr;
            let shown = spec.to_string();
            return vec![Address { ip, shown }];
        };
        let found = limited(
            self.connect_timeout,
            tokio::net::lookup_host((host.as_str(), spec.port)),
        )
        .await;
        let why = match found {
            Some(Ok(found)) => {
                let addresses: Vec<Address> = found
                    .map(|socket| Address {
                        ip: Some(socket.ip()),
                        shown: shown_address(spec, host, socket.ip()),
                    })
                    .collect();
                if !addresses.is_empty() {
                    return addresses;
                }
                "the name has no address".to_owned()
            }
            Some(Err(e)) => format!("the name cannot be looked up: {e}"),
            None => "looking up the name took longer than connect_timeout".to_owned(),
        };
        tried.note(&spec.to_string(), Fault::new(&CANNOT_CONNECT, why));
        Vec::new()
    }
}

fn shown_address(spec: &HostSpec, host: &str, ip: std::net::IpAddr) -> String {
    if host.parse() == Ok(ip) {
        spec.to_string()
    } else {
        format!("{spec} ({ip})")
    }
}

/// One address to try: a numeric one, or (when `ip` is `None`) the socket of the host entry.
struct Address {
    ip: Option<std::net::IpAddr>,
    shown: String,
}

/// `None` when `limit` passed first.
async fn limited<T>(limit: Option<Duration>, future: impl Future<Output = T>) -> Option<T> {
    match limit {
        Some(limit) => tokio::time::timeout(limit, future).await.ok(),
        None => Some(future.await),
    }
}

/// What the addresses before the last one said.
#[derive(Default)]
struct Tried {
    accounts: Vec<String>,
    last: Option<Fault>,
}

impl Tried {
    fn note(&mut self, address: &str, fault: Fault) {
        self.accounts.push(format!("{address}: {}", fault.detail()));
        self.last = Some(fault);
    }

    /// A fault that ends the search, with what was tried before it.
    fn tell_before(self, fault: Fault) -> Fault {
        if self.accounts.is_empty() {
            return fault;
        }
        let code = fault.code();
        Fault::new(
            code,
            format!("{} (tried before: {})", fault.detail(), self.accounts.join("; ")),
        )
        .caused_by(fault)
    }

    fn into_fault(self) -> Fault {
        // A server that is full is there: another code, another hint. Everything else that ends here is "not there".
        let code = match &self.last {
            Some(last) if last.code().id == OUT_OF_RESOURCES.id => &OUT_OF_RESOURCES,
            _ => &CANNOT_CONNECT,
        };
        let fault = Fault::new(code, self.accounts.join("; "));
        match self.last {
            Some(last) => fault.caused_by(last),
            None => fault,
        }
    }
}

fn sends_us_on(fault: &Fault) -> bool {
    [&CANNOT_CONNECT, &CONNECTION_LOST, &OUT_OF_RESOURCES]
        .iter()
        .any(|code| code.id == fault.code().id)
}

/// Whether this try uses TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wire {
    Plain,
    /// When the server offers it.
    Offered,
    /// Or not at all.
    Required,
}

/// The kinds of connection that a mode tries: the first, and the one to fall back to.
fn wires(mode: SslMode, is_socket: bool) -> (Wire, Option<Wire>) {
    match mode {
        // libpq never speaks TLS over a socket, whatever the mode.
        _ if is_socket => (Wire::Plain, None),
        SslMode::Disable => (Wire::Plain, None),
        SslMode::Allow => (Wire::Plain, Some(Wire::Required)),
        SslMode::Prefer => (Wire::Offered, Some(Wire::Plain)),
        SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull => (Wire::Required, None),
    }
}

/// One address, being called.
struct Dial<'a> {
    options: &'a ConnectOptions,
    spec: &'a HostSpec,
    address: &'a Address,
    tls: &'a MakeRustlsConnect,
    name: &'a ApplicationName,
}

impl Dial<'_> {
    async fn within_timeout(&self, wanted: TargetSessionAttrs) -> Result<Session> {
        let limit = self.options.connect_timeout;
        match limited(limit, self.call(wanted)).await {
            Some(result) => result,
            None => {
                let seconds = limit.unwrap_or_default().as_secs();
                let why = format!("no answer within {seconds} s (connect_timeout)");
                Err(Fault::new(&CANNOT_CONNECT, why))
            }
        }
    }

    async fn call(&self, wanted: TargetSessionAttrs) -> Result<Session> {
        let is_socket = self.spec.socket_dir().is_some();
        let mode = self.options.tls.mode;
        if mode == SslMode::VerifyFull && !is_socket && self.spec.host.is_none() {
            let why = format!(
                "{}: sslmode=verify-full needs a host name, not only hostaddr",
                self.address.shown
            );
            return Err(Fault::new(&TLS, why));
        }
        let (first, second) = wires(mode, is_socket);
        let dialed = match (self.dial(first).await, second) {
            (Err(turned_down), Some(second)) if is_kind_turned_down(first, &turned_down) => {
                let before = explain(turned_down);
                self.dial(second)
                    .await
                    .map_err(|error| add_before(explain(error), first, &before))
            }
            (dialed, _) => dialed.map_err(explain),
        };
        let (client, connection) =
            dialed.doing(|| format!("connecting to {} as {}", self.address.shown, self.options.user))?;
        self.greet(client, connection, wanted).await
    }

    async fn dial(&self, wire: Wire) -> std::result::Result<(Client, Line), tokio_postgres::Error> {
        let options = self.options;
        let mut config = tokio_postgres::Config::new();
        config
            .user(&options.user)
            .dbname(&options.dbname)
            .port(self.spec.port)
            .application_name(self.name.as_str())
            .target_session_attrs(tokio_postgres::config::TargetSessionAttrs::Any)
            .ssl_mode(match wire {
                Wire::Plain => tokio_postgres::config::SslMode::Disable,
                Wire::Offered => tokio_postgres::config::SslMode::Prefer,
                Wire::Required => tokio_postgres::config::SslMode::Require,
            })
            .channel_binding(match options.channel_binding {
                ChannelBinding::Disable => tokio_postgres::config::ChannelBinding::Disable,
                ChannelBinding::Prefer => tokio_postgres::config::ChannelBinding::Prefer,
                ChannelBinding::Require => tokio_postgres::config::ChannelBinding::Require,
            });
        match (self.spec.socket_dir(), self.address.ip) {
            // The driver marks Linux's abstract name space as the system does, with a NUL.
            (Some(dir), _) => config.host_path(dir.replacen('@', "\0", usize::from(dir.starts_with('@')))),
            (None, Some(ip)) => config
                .host(self.spec.host.clone().unwrap_or_else(|| ip.to_string()))
                .hostaddr(ip),
            (None, None) => config.host(self.spec.host.clone().unwrap_or_default()),
        };
        if let Some(password) = options.password.as_ref().or(self.spec.password.as_ref()) {
            config.password(password.reveal());
        }
        if let Some(text) = &options.options {
            config.options(text);
        }
        self.set_patience(&mut config);
        config.connect(self.tls.clone()).await
    }

    fn set_patience(&self, config: &mut tokio_postgres::Config) {
        let keepalive = &self.options.keepalive;
        config.keepalives(keepalive.is_on);
        if let Some(idle) = keepalive.idle {
            config.keepalives_idle(idle);
        }
        if let Some(interval) = keepalive.interval {
            config.keepalives_interval(interval);
        }
        if let Some(retries) = keepalive.retries {
            config.keepalives_retries(retries);
        }
        if let Some(timeout) = keepalive.user_timeout {
            config.tcp_user_timeout(timeout);
        }
    }

    /// Past the login: is the server one that we can work with, and one that was asked for?
    async fn greet(&self, client: Client, line: Line, wanted: TargetSessionAttrs) -> Result<Session> {
        let version = line.parameter("server_version").unwrap_or_default().to_owned();
        refuse_old(&version)?;
        let canceller = Canceller {
            token: client.cancel_token(),
            tls: self.tls.clone(),
        };
        let severer = spawn_pump(line, self.name);
        let session = Session::adopt(client, self.name.clone(), canceller, severer).await?;
        refuse_other_kind(&session, wanted).await?;
        tracing::debug!(session = %self.name, address = %self.address.shown, %version, "connected");
        Ok(session)
    }
}

type Line = Connection<Socket, <MakeRustlsConnect as tokio_postgres::tls::MakeTlsConnect<Socket>>::Stream>;

/// True when another kind of connection may succeed where this one did not.
fn is_kind_turned_down(wire: Wire, error: &tokio_postgres::Error) -> bool {
    // 28000 is what "no pg_hba.conf entry for …, no encryption" comes as. 28P01 is a wrong password: not again.
    let is_refused = error.code().is_some_and(|code| code.code() == "28000");
    let is_tls = error.to_string() == DRIVER_SAYS_TLS || comes_from_rustls(error);
    is_refused || (wire == Wire::Offered && is_tls)
}

fn add_before(fault: Fault, first: Wire, before: &Fault) -> Fault {
    let kind = if first == Wire::Plain {
        "without TLS"
    } else {
        "over TLS"
    };
    let code = fault.code();
    Fault::new(
        code,
        format!("{} (before it, {kind}: {})", fault.detail(), before.detail()),
    )
    .caused_by(fault)
}

/// What the driver's error means while connecting.
fn explain(error: tokio_postgres::Error) -> Fault {
    use std::error::Error as _;
    if error.as_db_error().is_some() {
        return Fault::from_driver(error);
    }
    let words = error.to_string();
    let cause = error.source().map_or_else(|| words.clone(), ToString::to_string);
    let (code, detail) = if words == DRIVER_SAYS_TLS || comes_from_rustls(&error) {
        (&TLS, cause)
    } else if words == DRIVER_SAYS_CONFIG && cause == "password missing" {
        let why = "the server asks for a password, and none was found (PGPASSWORD, ~/.pgpass)";
        (&LOGIN_REFUSED, why.to_owned())
    } else if words == DRIVER_SAYS_AUTHENTICATION {
        (&LOGIN_METHOD, cause)
    } else {
        let fault = Fault::from_driver(error);
        if fault.code().id != CONNECTION_LOST.id {
            return fault;
        }
        return Fault::new(&CANNOT_CONNECT, cause).caused_by(fault);
    };
    Fault::new(code, detail).caused_by(error)
}

/// TLS 1.3 lets the client finish its handshake before the server has judged it; the verdict then comes with a read.
fn comes_from_rustls(error: &tokio_postgres::Error) -> bool {
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        let wrapped = inner
            .downcast_ref::<std::io::Error>()
            .and_then(std::io::Error::get_ref);
        if wrapped.is_some_and(|e| e.is::<rustls::Error>()) {
            return true;
        }
        source = inner.source();
    }
    false
}

/// `version` is what the server reports, for example `15.18 (Debian 15.18-0+deb12u1)` or `19devel`.
fn refuse_old(version: &str) -> Result<()> {
    let digits = version
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(version.len());
    match version[..digits].parse::<u32>() {
        Ok(major) if major < MAJOR_MIN => {
            let why = format!("the server is PostgreSQL {version}, {MAJOR_MIN} is the oldest");
            Err(Fault::new(&UNSUPPORTED_VERSION, why))
        }
        // A version that cannot be read is some fork's; it gets the benefit of the doubt.
        _ => Ok(()),
    }
}

async fn refuse_other_kind(session: &Session, wanted: TargetSessionAttrs) -> Result<()> {
    if wanted == TargetSessionAttrs::Any {
        return Ok(());
    }
    let row = session
        .query_one(include_str!("../sql/session/kind.sql"), &[])
        .await
        .doing(|| "asking the server whether it is a primary")?;
    let (is_standby, is_read_only): (bool, bool) = (row.get("is_standby"), row.get("is_read_only"));
    let is_suitable = match wanted {
        TargetSessionAttrs::Any | TargetSessionAttrs::PreferStandby => true,
        TargetSessionAttrs::ReadWrite => !is_read_only,
        TargetSessionAttrs::ReadOnly => is_read_only,
        TargetSessionAttrs::Primary => !is_standby,
        TargetSessionAttrs::Standby => is_standby,
    };
    if is_suitable {
        return Ok(());
    }
    let kind = if is_standby { "a standby" } else { "a primary" };
    let writes = if is_read_only {
        "does not accept"
    } else {
        "accepts"
    };
    Err(Fault::new(
        &CANNOT_CONNECT,
        format!(
            "the server is {kind} that {writes} writes, target_session_attrs={}",
            wanted.as_str()
        ),
    ))
}

/// The capability to cancel what a session is running, from anywhere, over TLS where the session uses it.
#[derive(Clone)]
pub struct Canceller {
    token: tokio_postgres::CancelToken,
    tls: MakeRustlsConnect,
}

impl Canceller {
    /// Asks the server to cancel the statement that runs now.
    ///
    /// The server does not say whether it did; a statement that had just ended is not affected, and neither is one that
    /// starts later.
    pub async fn cancel(&self) -> Result<()> {
        let asked = limited(Some(CANCEL_TIMEOUT), self.token.cancel_query(self.tls.clone())).await;
        match asked {
            Some(Ok(())) => Ok(()),
            Some(Err(error)) => Err(explain(error).doing("asking to cancel a statement")),
            None => {
                let why = format!("no answer within {} s", CANCEL_TIMEOUT.as_secs());
                Err(Fault::new(&CANNOT_CONNECT, why).doing("asking to cancel a statement"))
            }
        }
    }
}

impl std::fmt::Debug for Canceller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Canceller")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_before_14_are_refused() {
        for version in ["13.23", "9.6.24", "13beta1"] {
            let fault = refuse_old(version).unwrap_err();
            assert_eq!(fault.code().id, "PG-021");
            assert!(fault.detail().contains(version));
        }
        for version in ["14.0", "15.18 (Debian 15.18-0+deb12u1)", "19devel", "", "forked"] {
            refuse_old(version).unwrap();
        }
    }

    #[test]
    fn each_mode_tries_what_libpq_tries() {
        assert_eq!(wires(SslMode::Allow, false), (Wire::Plain, Some(Wire::Required)));
        assert_eq!(wires(SslMode::Prefer, false), (Wire::Offered, Some(Wire::Plain)));
        assert_eq!(wires(SslMode::VerifyFull, false), (Wire::Required, None));
        assert_eq!(wires(SslMode::VerifyFull, true), (Wire::Plain, None));
    }
}
