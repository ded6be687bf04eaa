//! From texts to settings: who overrides whom, and what each value means.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use super::environment::Environment;
use super::keyword::{self, KEYWORDS, Support};
use super::passfile;
use super::{
    CONNECT_TIMEOUT_DEFAULT, ChannelBinding, ConnectOptions, HostSpec, Keepalive, PORT_DEFAULT,
    RootCertificates, Secret, SslMode, TargetSessionAttrs, TlsOptions, service, text,
};
use crate::fault::{BAD_CONNINFO, Fault, Result};

/// Where the server's socket is, unless told otherwise: Debian's and the distributors' choice, then PostgreSQL's own.
const SOCKET_DIRS: [&str; 2] = ["/var/run/postgresql", "/tmp"];

fn bad(why: impl Into<String>) -> Fault {
    Fault::new(&BAD_CONNINFO, why.into())
}

pub(super) fn resolve(text: Option<&str>, env: &impl Environment) -> Result<ConnectOptions> {
    let settings = Settings::gather(text, env)?;
    let user = match settings.text("user") {
        Some(user) => user.to_owned(),
        None => env
            .user_name()
            .ok_or_else(|| bad("no user is given, and the operating system's user has no name"))?,
    };
    let dbname = settings.text("dbname").unwrap_or(&user).to_owned();
    let password = settings.text("password").map(Secret::new);
    let mut hosts = settings.hosts(env)?;
    if password.is_none() {
        settings.look_up_passwords(&mut hosts, &dbname, &user, env);
    }
    Ok(ConnectOptions {
        hosts,
        dbname,
        user,
        password,
        tls: settings.tls(env)?,
        channel_binding: settings.word("channel_binding", ChannelBinding::Prefer)?,
        target_session_attrs: settings.word("target_session_attrs", TargetSessionAttrs::Any)?,
        is_host_order_random: match settings.text("load_balance_hosts") {
            None | Some("disable") => false,
            Some("random") => true,
            Some(_) => return Err(settings.bad_value("load_balance_hosts", "expected disable or random")),
        },
        connect_timeout: match settings.number("connect_timeout")? {
            None => Some(CONNECT_TIMEOUT_DEFAULT),
            Some(seconds) => positive(seconds).map(Duration::from_secs),
        },
        options: settings.text("options").map(str::to_owned),
        keepalive: settings.keepalive()?,
    })
}

/// Zero and below mean "no limit" or "the system's default" in libpq.
fn positive(number: i64) -> Option<u64> {
    u64::try_from(number).ok().filter(|n| *n > 0)
}

struct Setting {
    value: String,
    origin: String,
}

/// The values that won, by keyword.
struct Settings(BTreeMap<&'static str, Setting>);

impl Settings {
    fn gather(text: Option<&str>, env: &impl Environment) -> Result<Self> {
        let mut settings = Settings(BTreeMap::new());
        let origin = "in the connection string";
        for (name, value) in text::parse(text.unwrap_or_default())? {
            settings.set(&name, value, origin, true)?;
        }
        // The service may itself be named by a variable, so these two come before the others.
        for name in ["service", "servicefile"] {
            settings.set_from_variable(keyword::find(name, "")?, env)?;
        }
        if let Some(name) = settings.text("service").map(str::to_owned) {
            settings.read_service(&name, env)?;
        }
        for keyword in KEYWORDS {
            settings.set_from_variable(keyword, env)?;
        }
        Ok(settings)
    }

    fn set(&mut self, name: &str, value: String, origin: &str, is_overriding: bool) -> Result<()> {
        let keyword = keyword::find(name, origin)?;
        if matches!(keyword.support, Support::Ignored)
            || (!is_overriding && self.0.contains_key(keyword.name))
        {
            return Ok(());
        }
        keyword.check(&value, origin)?;
        let origin = origin.to_owned();
        self.0.insert(keyword.name, Setting { value, origin });
        Ok(())
    }

    fn set_from_variable(&mut self, keyword: &keyword::Keyword, env: &impl Environment) -> Result<()> {
        let Some(variable) = keyword.variable else {
            return Ok(());
        };
        match env.variable(variable) {
            Some(value) => self.set(keyword.name, value, &format!("in {variable}"), false),
            None => Ok(()),
        }
    }

    fn read_service(&mut self, name: &str, env: &impl Environment) -> Result<()> {
        let own = match self.text("servicefile") {
            Some(file) => Some(PathBuf::from(file)),
            None => env.home().map(|home| home.join(".pg_service.conf")),
        };
        let system = env
            .variable("PGSYSCONFDIR")
            .unwrap_or_else(|| "/etc/postgresql-common".to_owned());
        let system = Path::new(&system).join("pg_service.conf");
        for file in own.into_iter().chain([system]) {
            let Ok(content) = env.read(&file) else {
                continue;
            };
            let file = file.display().to_string();
            if let Some(pairs) = service::find(&content.text, name, &file)? {
                let origin = format!("in service {name:?} of {file}");
                for (key, value) in pairs {
                    self.set(&key, value, &origin, false)?;
                }
                return Ok(());
            }
        }
        let origin = self.0.get("service").map_or("", |s| s.origin.as_str());
        Err(bad(format!(
            "service {name:?} {origin} is not defined in any service file"
        )))
    }

    /// The value; nothing and the empty value are the same, as they are for libpq.
    fn text(&self, name: &str) -> Option<&str> {
        self.0
            .get(name)
            .map(|setting| setting.value.as_str())
            .filter(|value| !value.is_empty())
    }

    fn bad_value(&self, name: &str, why: &str) -> Fault {
        let (value, origin) = match self.0.get(name) {
            Some(setting) => (setting.value.as_str(), setting.origin.as_str()),
            None => ("", ""),
        };
        bad(format!("{name}={value:?} {origin}: {why}"))
    }

    fn word<T: FromStr<Err = String>>(&self, name: &str, default: T) -> Result<T> {
        match self.text(name) {
            None => Ok(default),
            Some(word) => word.parse().map_err(|why: String| self.bad_value(name, &why)),
        }
    }

    fn number(&self, name: &str) -> Result<Option<i64>> {
        self.text(name)
            .map(|value| value.trim().parse::<i32>().map(i64::from))
            .transpose()
            .map_err(|_| self.bad_value(name, "expected a whole number"))
    }

    fn hosts(&self, env: &impl Environment) -> Result<Vec<HostSpec>> {
        let list = |name| self.text(name).map(|value| value.split(',').collect::<Vec<_>>());
        let (names, addrs) = (list("host"), list("hostaddr"));
        let ports = list("port").unwrap_or_default();
        let count = match (&names, &addrs) {
            (Some(names), Some(addrs)) if names.len() != addrs.len() => {
                return Err(bad(format!(
                    "{} host names, but {} values of hostaddr",
                    names.len(),
                    addrs.len()
                )));
            }
            (Some(list), _) | (None, Some(list)) => list.len(),
            (None, None) => 1,
        };
        if ports.len() > 1 && ports.len() != count {
            return Err(bad(format!("{count} hosts, but {} ports", ports.len())));
        }
        let at = |list: &Option<Vec<&str>>, i: usize| {
            let item = list.as_ref().and_then(|list| list.get(i)).copied();
            item.filter(|item| !item.is_empty()).map(str::to_owned)
        };
        (0..count)
            .map(|i| {
                let hostaddr = match at(&addrs, i) {
                    None => None,
                    Some(addr) => Some(IpAddr::from_str(&addr).map_err(|_| {
                        self.bad_value("hostaddr", &format!("{addr:?} is not a numeric address"))
                    })?),
                };
                let host = match at(&names, i) {
                    None if hostaddr.is_none() => Some(default_socket_dir(env)),
                    host => host,
                };
                let port = ports
                    .get(i)
                    .or_else(|| ports.first().filter(|_| ports.len() == 1));
                Ok(HostSpec {
                    host,
                    hostaddr,
                    port: self.port(port.copied().unwrap_or_default())?,
                    password: None,
                })
            })
            .collect()
    }

    fn port(&self, port: &str) -> Result<u16> {
        match port.trim() {
            "" => Ok(PORT_DEFAULT),
            port => match port.parse::<u16>() {
                Ok(number) if number > 0 => Ok(number),
                _ => Err(self.bad_value("port", "a port is a number from 1 to 65535")),
            },
        }
    }

    fn look_up_passwords(&self, hosts: &mut [HostSpec], dbname: &str, user: &str, env: &impl Environment) {
        let path = match self.text("passfile") {
            Some(path) => Some(PathBuf::from(path)),
            None => env.home().map(|home| home.join(".pgpass")),
        };
        let Some(content) = path.and_then(|path| passfile::read(&path, env)) else {
            return;
        };
        let default_dir = default_socket_dir(env);
        for spec in hosts {
            let addr = spec.hostaddr.map(|addr| addr.to_string());
            let host = match spec.host.as_deref().or(addr.as_deref()) {
                Some(dir) if dir == default_dir => "localhost",
                Some(host) => host,
                None => "localhost",
            };
            let wanted = passfile::Wanted {
                host,
                port: spec.port,
                dbname,
                user,
            };
            spec.password = passfile::find(&content, wanted);
        }
    }

    fn tls(&self, env: &impl Environment) -> Result<TlsOptions> {
        let own = |file: &str| env.home().map(|home| home.join(".postgresql").join(file));
        let roots = match self.text("sslrootcert") {
            Some("system") => RootCertificates::System,
            Some(path) => RootCertificates::File(PathBuf::from(path)),
            None => match own("root.crt").filter(|path| env.exists(path)) {
                Some(path) => RootCertificates::File(path),
                None => RootCertificates::None,
            },
        };
        let is_system = roots == RootCertificates::System;
        let default = if is_system {
            SslMode::VerifyFull
        } else {
            SslMode::Prefer
        };
        let mode = self.word("sslmode", default)?;
        if is_system && mode != SslMode::VerifyFull {
            // Any public authority would vouch for any host: only the host's name makes it mean something.
            return Err(self.bad_value("sslmode", "sslrootcert=system needs sslmode=verify-full"));
        }
        let certificate = match self.text("sslcert") {
            Some(path) => Some(PathBuf::from(path)),
            None => own("postgresql.crt").filter(|path| env.exists(path)),
        };
        let key = match self.text("sslkey") {
            Some(path) => Some(PathBuf::from(path)),
            None => own("postgresql.key"),
        };
        Ok(TlsOptions {
            mode,
            roots,
            client_certificate: certificate.zip(key),
            is_sni_sent: self.text("sslsni") != Some("0"),
        })
    }

    fn keepalive(&self) -> Result<Keepalive> {
        let default = Keepalive::default();
        let limit = |name, default: Option<Duration>, unit: fn(u64) -> Duration| -> Result<_> {
            Ok(match self.number(name)? {
                None => default,
                Some(number) => positive(number).map(unit),
            })
        };
        Ok(Keepalive {
            is_on: self.number("keepalives")? != Some(0),
            idle: limit("keepalives_idle", default.idle, Duration::from_secs)?,
            interval: limit("keepalives_interval", default.interval, Duration::from_secs)?,
            retries: match self.number("keepalives_count")? {
                None => default.retries,
                Some(count) => positive(count).and_then(|n| u32::try_from(n).ok()),
            },
            user_timeout: limit("tcp_user_timeout", default.user_timeout, Duration::from_millis)?,
        })
    }
}

fn default_socket_dir(env: &impl Environment) -> String {
    let dir = SOCKET_DIRS.iter().find(|dir| env.exists(Path::new(dir)));
    dir.unwrap_or(&SOCKET_DIRS[1]).to_string()
}
