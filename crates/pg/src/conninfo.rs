//! Connection settings, found exactly as psql finds them.
//!
//! What the text says (a URL, keywords, or a bare database name) comes first, then the service file, then the `PG*`
//! variables, then the defaults. tokio-postgres itself reads no variable, no password file and no service file, and
//! knows no `verify-full`; this module and [`connect`](crate::connect) are the layer that does.
//!
//! [`ConnectOptions::resolve`] is pure: variables, files and the user's name come in through [`Environment`].
//!
//! Where it differs from libpq: a keyword that asks for a protection that Corridor cannot give (`require_auth`,
//! `sslcrl`, `gssencmode=require`…) is refused instead of ignored; GSSAPI, SSPI and LDAP are not spoken; a compiled-in
//! system configuration directory cannot be known, so `PGSYSCONFDIR` or Debian's `/etc/postgresql-common` is taken.

mod environment;
mod keyword;
mod passfile;
mod program;
mod resolve;
mod service;
#[cfg(test)]
mod tests;
mod text;

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

pub use environment::{Environment, FileText, ProcessEnvironment};
pub use program::ForProgram;

use crate::fault::Result;

/// The port that PostgreSQL listens on when nobody says otherwise.
pub const PORT_DEFAULT: u16 = 5432;

/// How long one address may take to let us in, unless `connect_timeout` says otherwise.
///
/// libpq waits for ever; a tool that works at night must not.
pub const CONNECT_TIMEOUT_DEFAULT: Duration = Duration::from_secs(10);

/// A text that never shows itself.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(String);

impl Secret {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Secret(text.into())
    }

    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// One entry of the host list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostSpec {
    /// A host name, a numeric address, or an absolute path: the directory of a Unix socket. `None` when only `hostaddr`
    /// is known.
    pub host: Option<String>,
    /// A numeric address that saves the look-up of `host`.
    pub hostaddr: Option<IpAddr>,
    /// The port; for a socket, the number in its file name.
    pub port: u16,
    /// The password that the password file has for this host.
    pub(crate) password: Option<Secret>,
}

impl HostSpec {
    /// The directory of the Unix socket, when this is one.
    pub fn socket_dir(&self) -> Option<&str> {
        self.host
            .as_deref()
            .filter(|host| self.hostaddr.is_none() && is_socket_path(host))
    }
}

impl fmt::Display for HostSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.host, self.hostaddr) {
            (Some(dir), None) if is_socket_path(dir) => {
                write!(f, "{}/.s.PGSQL.{}", dir.trim_end_matches('/'), self.port)
            }
            (Some(host), None) => write!(f, "{}:{}", Bracketed(host), self.port),
            (Some(host), Some(addr)) => write!(f, "{}:{} ({addr})", Bracketed(host), self.port),
            (None, Some(addr)) => write!(f, "{}:{}", Bracketed(&addr.to_string()), self.port),
            (None, None) => write!(f, ":{}", self.port),
        }
    }
}

struct Bracketed<'a>(&'a str);

impl fmt::Display for Bracketed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.contains(':') {
            write!(f, "[{}]", self.0)
        } else {
            f.write_str(self.0)
        }
    }
}

fn is_socket_path(host: &str) -> bool {
    // "@" is Linux's abstract name space.
    host.starts_with('/') || host.starts_with('@')
}

/// A closed set of words that a keyword takes.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$variant_meta:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name {
            $($(#[$variant_meta])* $variant),+
        }

        impl $name {
            const WORDS: &'static [&'static str] = &[$($word),+];

            /// The word, as it stands in a connection string.
            pub fn as_str(self) -> &'static str {
                match self {
                    $($name::$variant => $word),+
                }
            }
        }

        impl FromStr for $name {
            type Err = String;

            fn from_str(word: &str) -> std::result::Result<Self, String> {
                match word {
                    $($word => Ok($name::$variant),)+
                    _ => Err(format!("expected one of {}", $name::WORDS.join(", "))),
                }
            }
        }
    };
}

words! {
    /// How much TLS is asked for.
    SslMode {
        /// Never.
        Disable = "disable",
        /// Only when the server does not let us in without.
        Allow = "allow",
        /// When the server offers it.
        Prefer = "prefer",
        /// Always; the certificate is checked only when a root certificate is at hand.
        Require = "require",
        /// Always; the certificate must come from a trusted authority.
        VerifyCa = "verify-ca",
        /// Always; and the certificate must be the host's.
        VerifyFull = "verify-full",
    }
}

words! {
    /// Whether the password exchange is bound to the TLS connection.
    ChannelBinding {
        /// Never.
        Disable = "disable",
        /// When both sides can.
        Prefer = "prefer",
        /// Always.
        Require = "require",
    }
}

words! {
    /// Which servers of a host list are good enough.
    TargetSessionAttrs {
        /// Each.
        Any = "any",
        /// Those that accept writes.
        ReadWrite = "read-write",
        /// Those that do not accept writes.
        ReadOnly = "read-only",
        /// Those that are not in recovery.
        Primary = "primary",
        /// Those that are in recovery.
        Standby = "standby",
        /// A standby; when there is none, each.
        PreferStandby = "prefer-standby",
    }
}

/// Whom to trust for a server's certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RootCertificates {
    /// Nobody is known; only the modes up to `require` work.
    None,
    /// The operating system's store.
    System,
    /// A file of PEM certificates.
    File(PathBuf),
}

/// What the TLS connection must be like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsOptions {
    /// How much TLS is asked for.
    pub mode: SslMode,
    /// Whom to trust.
    pub roots: RootCertificates,
    /// Our own certificate and its key, both PEM.
    pub client_certificate: Option<(PathBuf, PathBuf)>,
    /// Whether the host's name is sent in the open, so that a proxy can route by it.
    pub is_sni_sent: bool,
}

/// TCP keepalives: when a silent peer is given up. With the defaults that is within about 30 seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keepalive {
    /// Whether the connection is probed at all.
    pub is_on: bool,
    /// Silence before the first probe. `None`: the system's default.
    pub idle: Option<Duration>,
    /// Time between probes. `None`: the system's default.
    pub interval: Option<Duration>,
    /// Probes without an answer before the connection ends. `None`: the system's default.
    pub retries: Option<u32>,
    /// How long sent data may stay without acknowledgement. `None`: the system's default.
    pub user_timeout: Option<Duration>,
}

/// Everything that it takes to connect. `Debug` and [`describe`](Self::describe) never show a password.
#[derive(Clone, PartialEq, Eq)]
pub struct ConnectOptions {
    pub(crate) hosts: Vec<HostSpec>,
    pub(crate) dbname: String,
    pub(crate) user: String,
    pub(crate) password: Option<Secret>,
    pub(crate) tls: TlsOptions,
    pub(crate) channel_binding: ChannelBinding,
    pub(crate) target_session_attrs: TargetSessionAttrs,
    pub(crate) is_host_order_random: bool,
    pub(crate) connect_timeout: Option<Duration>,
    pub(crate) options: Option<String>,
    pub(crate) keepalive: Keepalive,
}

impl ConnectOptions {
    /// Finds the settings from `text` (a URL, keywords, a database name, or nothing) and from `env`.
    ///
    /// Fails with `PG-001`; the message names the keyword, or the variable or file that it came from.
    ///
    /// ```
    /// use corridor_pg::conninfo::{ConnectOptions, ProcessEnvironment};
    ///
    /// let options = ConnectOptions::resolve(Some("postgres://bob@db1/app?sslmode=require"), &ProcessEnvironment)?;
    /// assert_eq!(options.user(), "bob");
    /// # Ok::<(), corridor_pg::Fault>(())
    /// ```
    pub fn resolve(text: Option<&str>, env: &impl Environment) -> Result<Self> {
        resolve::resolve(text, env)
    }

    /// The same with the environment of this process.
    pub fn from_process(text: Option<&str>) -> Result<Self> {
        Self::resolve(text, &ProcessEnvironment)
    }

    /// The hosts, in the order in which they are tried.
    pub fn hosts(&self) -> &[HostSpec] {
        &self.hosts
    }

    /// The database.
    pub fn dbname(&self) -> &str {
        &self.dbname
    }

    /// The role.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// What is asked of TLS.
    pub fn tls(&self) -> &TlsOptions {
        &self.tls
    }

    /// How long one address may take; `None` is for ever.
    pub fn connect_timeout(&self) -> Option<Duration> {
        self.connect_timeout
    }

    /// The same server and user, another database. A password from the password file stays.
    #[must_use]
    pub fn with_dbname(mut self, dbname: impl Into<String>) -> Self {
        self.dbname = dbname.into();
        self
    }

    /// The settings as a URL without any password. Where a setting has its default it is left out.
    pub fn describe(&self) -> String {
        let mut url = format!("postgres://{}@", text::encode(&self.user));
        for (i, spec) in self.hosts.iter().enumerate() {
            let separator = if i > 0 { "," } else { "" };
            let host = match spec.host.as_deref().unwrap_or_default() {
                // Brackets are for addresses: what else has a colon in it is encoded, or it would be read as something else.
                host if host.parse::<std::net::Ipv6Addr>().is_ok() => format!("[{host}]"),
                host => text::encode(host),
            };
            url.push_str(&format!("{separator}{host}:{}", spec.port));
        }
        url.push_str(&format!("/{}", text::encode(&self.dbname)));
        for (i, (name, value)) in self.parameters().into_iter().enumerate() {
            let separator = if i > 0 { '&' } else { '?' };
            url.push_str(&format!("{separator}{name}={}", text::encode(&value)));
        }
        url
    }

    fn parameters(&self) -> Vec<(&'static str, String)> {
        let mut list = Vec::new();
        let mut push = |name, value: String| list.push((name, value));
        if self.hosts.iter().any(|h| h.hostaddr.is_some()) {
            let addrs = self.hosts.iter().map(|h| match h.hostaddr {
                Some(addr) => addr.to_string(),
                None => String::new(),
            });
            push("hostaddr", addrs.collect::<Vec<_>>().join(","));
        }
        push("sslmode", self.tls.mode.as_str().to_owned());
        match &self.tls.roots {
            RootCertificates::None => {}
            RootCertificates::System => push("sslrootcert", "system".to_owned()),
            RootCertificates::File(path) => push("sslrootcert", path.display().to_string()),
        }
        if let Some((certificate, key)) = &self.tls.client_certificate {
            push("sslcert", certificate.display().to_string());
            push("sslkey", key.display().to_string());
        }
        if !self.tls.is_sni_sent {
            push("sslsni", "0".to_owned());
        }
        if self.channel_binding != ChannelBinding::Prefer {
            push("channel_binding", self.channel_binding.as_str().to_owned());
        }
        if self.target_session_attrs != TargetSessionAttrs::Any {
            push(
                "target_session_attrs",
                self.target_session_attrs.as_str().to_owned(),
            );
        }
        if self.is_host_order_random {
            push("load_balance_hosts", "random".to_owned());
        }
        if self.connect_timeout != Some(CONNECT_TIMEOUT_DEFAULT) {
            let seconds = self.connect_timeout.map_or(0, |t| t.as_secs());
            push("connect_timeout", seconds.to_string());
        }
        if let Some(options) = &self.options {
            push("options", options.clone());
        }
        self.keepalive.parameters(&mut push);
        list
    }
}

impl Keepalive {
    fn parameters(&self, push: &mut impl FnMut(&'static str, String)) {
        let default = Keepalive::default();
        if !self.is_on {
            push("keepalives", "0".to_owned());
        }
        let seconds = |d: Option<Duration>| d.map_or(0, |d| d.as_secs()).to_string();
        if self.idle != default.idle {
            push("keepalives_idle", seconds(self.idle));
        }
        if self.interval != default.interval {
            push("keepalives_interval", seconds(self.interval));
        }
        if self.retries != default.retries {
            push("keepalives_count", self.retries.unwrap_or(0).to_string());
        }
        if self.user_timeout != default.user_timeout {
            let ms = self.user_timeout.map_or(0, |d| d.as_millis());
            push("tcp_user_timeout", ms.to_string());
        }
    }
}

impl Default for Keepalive {
    /// A peer that is gone is noticed after 10 + 3 × 5 seconds of silence, or 30 seconds after data was sent.
    fn default() -> Self {
        Keepalive {
            is_on: true,
            idle: Some(Duration::from_secs(10)),
            interval: Some(Duration::from_secs(5)),
            retries: Some(3),
            user_timeout: Some(Duration::from_secs(30)),
        }
    }
}

impl fmt::Debug for ConnectOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ConnectOptions").field(&self.describe()).finish()
    }
}

impl fmt::Display for ConnectOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.describe())
    }
}
