//! The service's settings: a file, what is kept in the home cluster, the environment, flags; each value knows where it came from.
//! Pure but for [`Sources::load`].

mod definition;

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

use corridor_pg::near::{did_you_mean, near};
use corridor_pg::{ConnectOptions, Fault, Result};
use semver::Version;
use serde::Serialize;
use toml::{Table, Value};

use self::definition::is_for_restart;
use self::definition::{DEFINITIONS, TABLES};
pub(crate) use self::definition::{check_key, doc};
use super::window::Window;
use crate::fault::BAD_CONFIG;
use crate::webhook::Address;

/// Where it is looked for when nobody says.
pub(crate) const FILE: &str = "corridor.toml";

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "from", content = "name", rename_all = "snake_case")]
pub(crate) enum Origin {
    /// Nobody said anything.
    Default,
    /// The file.
    File(PathBuf),
    /// Kept in the home cluster, for all services of it.
    Stored {
        /// Who changed it.
        by: String,
        /// When; RFC 3339, UTC. Empty for one that is being set.
        at: String,
    },
    /// A variable of the environment.
    Environment(String),
    /// The command line.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("default"),
            Origin::File(path) => write!(f, "{}", path.display()),
            // It is being set.
            Origin::Stored { by, at } if at.is_empty() => write!(f, "set by {by}"),
            Origin::Stored { by, at } => write!(f, "set by {by}, {at}"),
            Origin::Environment(name) => write!(f, "environment, {name}"),
            Origin::Flag(name) => write!(f, "command line, {name}"),
        }
    }
}

/// One setting and where it came from, for a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Shown {
    pub(crate) key: String,
    pub(crate) value: String,
    #[serde(flatten)]
    pub(crate) origin: Origin,
}

/// A value that is kept in the home cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredValue {
    pub(crate) value: String,
    pub(crate) by: String,
    /// RFC 3339, UTC.
    pub(crate) at: String,
}

/// What is kept in the home cluster, by key.
pub(crate) type Stored = BTreeMap<String, StoredValue>;

/// What a cluster is called, and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cluster {
    pub(crate) name: String,
    pub(crate) database: Option<String>,
}

/// All settings, read.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Config {
    pub(crate) listen: std::net::SocketAddr,
    pub(crate) app_version: Option<Version>,
    pub(crate) is_auto_start: bool,
    pub(crate) is_auto_rollback: bool,
    pub(crate) windows: Vec<Window>,
    pub(crate) workers: usize,
    pub(crate) retries: u32,
    pub(crate) is_collecting: bool,
    pub(crate) webhook: Option<String>,
    pub(crate) slack: Option<String>,
    pub(crate) stall_minutes: u64,
    pub(crate) access: Access,
    pub(crate) clusters: Vec<Cluster>,
    /// Every value with its origin.
    pub(crate) shown: Vec<Shown>,
}

/// Who is let in, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Access {
    /// The header of a trusted proxy.
    pub(crate) proxy_header: Option<String>,
    /// Who may send it.
    pub(crate) proxy_from: Vec<IpAddr>,
    pub(crate) sign_in_hours: u64,
    /// Certificate chain and key.
    pub(crate) tls: Option<(PathBuf, PathBuf)>,
}

/// What stands on the command line.
#[derive(Debug, Clone, Default)]
pub(crate) struct Flags {
    pub(crate) config: Option<PathBuf>,
    pub(crate) listen: Option<String>,
    pub(crate) database: Option<String>,
}

/// What settings are read from, but for what is kept in the home cluster.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sources {
    path: PathBuf,
    text: String,
    environment: BTreeMap<String, String>,
    flags: Flags,
}

impl Sources {
    /// Reads the file and the environment.
    pub(crate) fn load(flags: &Flags) -> Result<Sources> {
        let (path, text) = match &flags.config {
            Some(path) => {
                let text = std::fs::read_to_string(path)
                    .map_err(|error| Fault::new(&BAD_CONFIG, format!("{}: {error}", path.display())))?;
                (path.clone(), text)
            }
            None => {
                let path = PathBuf::from(FILE);
                let text = match std::fs::read_to_string(&path) {
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
                    read => read.map_err(|error| Fault::new(&BAD_CONFIG, format!("{FILE}: {error}")))?,
                };
                (path, text)
            }
        };
        Ok(Sources {
            path,
            text,
            environment: std::env::vars().collect(),
            flags: flags.clone(),
        })
    }

    /// From a text, and from an environment that is not this process's.
    pub(crate) fn of(path: &str, text: &str, environment: BTreeMap<String, String>, flags: Flags) -> Sources {
        Sources {
            path: path.into(),
            text: text.to_owned(),
            environment,
            flags,
        }
    }
}

impl Config {
    /// Settles each value: the command line before the environment, before what is kept, before the file, before the default.
    pub(crate) fn read(sources: &Sources, stored: &Stored) -> Result<Config> {
        let Sources {
            path,
            text,
            environment,
            flags,
        } = sources;
        let bad = |why: String| Fault::new(&BAD_CONFIG, format!("{}: {why}", path.display()));
        let table: Table = text
            .parse()
            .map_err(|error: toml::de::Error| bad(error.to_string()))?;
        let mut flat = BTreeMap::new();
        let mut clusters = Vec::new();
        flatten(&table, "", &mut flat, &mut clusters).map_err(bad)?;
        let mut values: BTreeMap<&str, (String, Origin)> = BTreeMap::new();
        for definition in DEFINITIONS {
            let key = definition.key;
            let variable = format!("CORRIDOR_{}", key.replace('.', "_").to_uppercase());
            let flag = match key {
                "listen" => flags.listen.clone(),
                _ => None,
            };
            let found = if let Some(value) = flag {
                (value, Origin::Flag(format!("--{key}")))
            } else if let Some(value) = environment.get(&variable) {
                (value.clone(), Origin::Environment(variable))
            } else if let Some(kept) = stored.get(key).filter(|_| !definition.is_fixed) {
                let (by, at) = (kept.by.clone(), kept.at.clone());
                (kept.value.clone(), Origin::Stored { by, at })
            } else if let Some(value) = flat.get(key) {
                (value.clone(), Origin::File(path.to_owned()))
            } else {
                (definition.default.to_owned(), Origin::Default)
            };
            values.insert(key, found);
        }
        let mut shown: Vec<Shown> = DEFINITIONS
            .iter()
            .map(|definition| {
                let (value, origin) = &values[definition.key];
                Shown {
                    key: definition.key.to_owned(),
                    value: concealed(definition.key, value),
                    origin: origin.clone(),
                }
            })
            .collect();
        let origin_of_clusters = if clusters.is_empty() {
            clusters.push(Cluster {
                name: "main".to_owned(),
                database: flags.database.clone(),
            });
            match &flags.database {
                Some(_) => Origin::Flag("--database".to_owned()),
                None => Origin::Default,
            }
        } else {
            Origin::File(path.to_owned())
        };
        for cluster in &clusters {
            let options = ConnectOptions::from_process(cluster.database.as_deref())?;
            shown.push(Shown {
                key: format!("clusters.{}", cluster.name),
                value: format!("{} as {}", options.dbname(), options.user()),
                origin: origin_of_clusters.clone(),
            });
        }
        let mut config = build(&values, clusters)?;
        config.shown = shown;
        Ok(config)
    }

    /// Refuses to change what the command line or the environment fixes: the change would not hold.
    pub(crate) fn refuse_fixed(&self, key: &str) -> Result<()> {
        match self.shown.iter().find(|one| one.key == key) {
            Some(one) if is_fixed(one) => Err(Fault::new(
                &BAD_CONFIG,
                format!("{key} is fixed by the {}; change it there", one.origin),
            )),
            _ => Ok(()),
        }
    }

    /// Keeps what holds from a restart on as it is while the service runs, and says what waits for one.
    pub(crate) fn hold_until_restart(&mut self, running: &Config) -> Vec<String> {
        self.listen = running.listen;
        self.access = running.access.clone();
        let mut waiting = Vec::new();
        for one in &mut self.shown {
            let was = running.shown.iter().find(|known| known.key == one.key);
            let Some(was) = was.filter(|_| is_for_restart(&one.key)) else {
                continue;
            };
            if was.value != one.value {
                waiting.push(format!(
                    "{} stays {:?}: {:?} ({}) needs a restart",
                    one.key, was.value, one.value, one.origin
                ));
            }
            one.clone_from(was);
        }
        waiting
    }

    /// What differs, for whoever reads the log after a reload: key, before, now.
    pub(crate) fn differences(&self, now: &Config) -> Vec<String> {
        let before: BTreeMap<&str, &Shown> = self.shown.iter().map(|one| (one.key.as_str(), one)).collect();
        let after: BTreeMap<&str, &Shown> = now.shown.iter().map(|one| (one.key.as_str(), one)).collect();
        let mut said = Vec::new();
        for (key, one) in &after {
            match before.get(key) {
                None => said.push(format!("{key} = {} ({})", one.value, one.origin)),
                Some(old) if old.value != one.value => {
                    said.push(format!(
                        "{key}: {} is now {} ({})",
                        old.value, one.value, one.origin
                    ));
                }
                Some(_) => {}
            }
        }
        said.extend(
            before
                .keys()
                .filter(|key| !after.contains_key(*key))
                .map(|key| format!("{key} is gone")),
        );
        said
    }
}

/// True for what the command line or the environment fixes, and for what is never changed while the service runs.
pub(crate) fn is_fixed(shown: &Shown) -> bool {
    matches!(shown.origin, Origin::Flag(_) | Origin::Environment(_)) || check_key(&shown.key).is_err()
}

/// Refuses an address that nothing could be posted to. A name and a password may stand before the host.
fn usable(text: &str) -> std::result::Result<(), String> {
    let (scheme, rest) = text.split_once("://").unwrap_or(("", text));
    let (authority, path) = match rest.find(['/', '?', '#']) {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    let host = authority.rsplit('@').next().unwrap_or_default();
    Address::parse(&format!("{scheme}://{host}{path}")).map(drop)
}

/// Addresses of webhooks are secrets.
pub(crate) fn concealed(key: &str, value: &str) -> String {
    match is_secret(key) && !value.is_empty() {
        // No address at all: which part of it is the secret one?
        true if !value.contains("://") => "…".to_owned(),
        true => {
            let host = value.split('/').nth(2).unwrap_or_default();
            let host = host.rsplit('@').next().unwrap_or_default();
            format!("{}//{host}/…", value.split('/').next().unwrap_or_default())
        }
        false => value.to_owned(),
    }
}

fn is_secret(key: &str) -> bool {
    matches!(key, "alerts.webhook" | "alerts.slack")
}

fn flatten(
    table: &Table,
    prefix: &str,
    flat: &mut BTreeMap<String, String>,
    clusters: &mut Vec<Cluster>,
) -> std::result::Result<(), String> {
    let known: Vec<&str> = DEFINITIONS
        .iter()
        .map(|definition| definition.key)
        .chain(["clusters"])
        .collect();
    for (key, value) in table {
        let full = format!("{prefix}{key}");
        match value {
            Value::Table(inner) if TABLES.contains(&full.as_str()) => {
                flatten(inner, &format!("{full}."), flat, clusters)?;
            }
            Value::Array(all) if full == "clusters" => {
                for one in all {
                    clusters.push(cluster(one)?);
                }
            }
            _ if !known.contains(&full.as_str()) || full == "clusters" => {
                let suggestions = did_you_mean(&near(&full, known.iter().copied()));
                return Err(format!("there is no setting {full}{suggestions}"));
            }
            Value::String(text) => {
                flat.insert(full, text.clone());
            }
            Value::Integer(number) => {
                flat.insert(full, number.to_string());
            }
            Value::Boolean(is_on) => {
                flat.insert(full, is_on.to_string());
            }
            Value::Array(all) if full == "windows" => {
                let texts: Option<Vec<&str>> = all.iter().map(Value::as_str).collect();
                let texts = texts.ok_or("windows are texts such as \"22:00-06:00\"")?;
                flat.insert(full, texts.join(", "));
            }
            _ => return Err(format!("{full} cannot be {}", value.type_str())),
        }
    }
    let mut names: Vec<&str> = clusters.iter().map(|cluster| cluster.name.as_str()).collect();
    names.sort_unstable();
    if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(format!("two clusters are called {}", twice[0]));
    }
    Ok(())
}

fn cluster(value: &Value) -> std::result::Result<Cluster, String> {
    let table = value.as_table().ok_or("a cluster is a table: [[clusters]]")?;
    if let Some(key) = table
        .keys()
        .find(|key| !["name", "database"].contains(&key.as_str()))
    {
        return Err(format!("a cluster has no {key}; it has name and database"));
    }
    let text = |key: &str| table.get(key).and_then(Value::as_str).map(str::to_owned);
    let name = text("name").ok_or("a cluster needs a name")?;
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    if name.is_empty() || name.len() > 40 || !name.chars().all(is_plain) {
        return Err(format!(
            "a cluster cannot be called {name:?}: use a-z, 0-9, - and _"
        ));
    }
    Ok(Cluster {
        name,
        database: Some(text("database").ok_or("a cluster needs a database")?),
    })
}

fn build(values: &BTreeMap<&str, (String, Origin)>, clusters: Vec<Cluster>) -> Result<Config> {
    let text = |key: &str| values.get(key).map_or("", |(value, _)| value.as_str());
    let bad = |key: &str, why: String| {
        let origin = values
            .get(key)
            .map_or(String::new(), |(_, origin)| origin.to_string());
        let value = match is_secret(key) {
            true => String::new(),
            false => format!(" = {:?}", text(key)),
        };
        Fault::new(&BAD_CONFIG, format!("{key}{value} ({origin}): {why}"))
    };
    let number = |key: &str, least: u64, most: u64| match text(key).parse::<u64>() {
        Ok(number) if (least..=most).contains(&number) => Ok(number),
        _ => Err(bad(key, format!("a number from {least} to {most}"))),
    };
    let switch = |key: &str| match text(key) {
        "true" | "on" => Ok(true),
        "false" | "off" => Ok(false),
        _ => Err(bad(key, "true or false".to_owned())),
    };
    let address = |key: &str| match text(key) {
        "" => Ok(None),
        text => match usable(text) {
            Ok(()) => Ok(Some(text.to_owned())),
            Err(why) => Err(bad(key, format!("http(s)://host/…: {why}"))),
        },
    };
    let app_version = match text("app_version") {
        "" => None,
        text => Some(
            corridor_migration::definition::versions::app_version(text)
                .map_err(|fault| bad("app_version", fault.detail().to_owned()))?,
        ),
    };
    let windows = text("windows")
        .split(',')
        .map(str::trim)
        .filter(|text| !text.is_empty())
        .map(Window::parse)
        .collect::<std::result::Result<Vec<_>, String>>()
        .map_err(|why| bad("windows", why))?;
    let proxy_header = match text("console.proxy_header") {
        "" => None,
        text if text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_') =>
        {
            Some(text.to_owned())
        }
        _ => {
            return Err(bad(
                "console.proxy_header",
                "the name of a header, such as X-Forwarded-User".to_owned(),
            ));
        }
    };
    let proxy_from = text("console.proxy_from")
        .split(',')
        .map(|text| text.trim().parse())
        .collect::<std::result::Result<Vec<IpAddr>, _>>()
        .map_err(|_| {
            bad(
                "console.proxy_from",
                "IP addresses with commas between them".to_owned(),
            )
        })?;
    let tls = match (text("tls.cert"), text("tls.key")) {
        ("", "") => None,
        ("", _) => return Err(bad("tls.cert", "tls.key needs a certificate".to_owned())),
        (_, "") => return Err(bad("tls.key", "tls.cert needs a key".to_owned())),
        (cert, key) => Some((PathBuf::from(cert), PathBuf::from(key))),
    };
    Ok(Config {
        listen: text("listen")
            .parse()
            .map_err(|_| bad("listen", "an address and a port, 127.0.0.1:8765".to_owned()))?,
        app_version,
        is_auto_start: switch("auto_start")?,
        is_auto_rollback: switch("auto_rollback")?,
        windows,
        workers: number("workers", 0, 64)? as usize,
        retries: number("retries", 0, 100)? as u32,
        is_collecting: switch("collect")?,
        webhook: address("alerts.webhook")?,
        slack: address("alerts.slack")?,
        stall_minutes: number("alerts.stall_minutes", 1, 10_080)?,
        access: Access {
            proxy_header,
            proxy_from,
            sign_in_hours: number("console.sign_in_hours", 1, 8_760)?,
            tls,
        },
        clusters,
        shown: Vec::new(),
    })
}

#[cfg(test)]
mod tests;
