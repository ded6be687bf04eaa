//! Which PostgreSQL majors this machine has.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::{Error, Result};

/// The oldest major that Corridor works with.
pub const MAJOR_MIN: u32 = 14;

/// The server programs of one major.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installation {
    /// For example 15.
    pub major: u32,
    /// Holds `postgres` and `initdb`; often `psql`, `pgbench` and `pg_resetwal`, but not always.
    pub bin_dir: PathBuf,
    /// Holds the loadable modules, such as `pg_stat_statements.so`.
    pub lib_dir: PathBuf,
    /// Holds the `extension` directory.
    pub share_dir: PathBuf,
}

impl Installation {
    /// The path of a program, when this installation has it.
    pub fn program(&self, name: &str) -> Option<PathBuf> {
        let path = self.bin_dir.join(name);
        path.is_file().then_some(path)
    }

    /// True when `create extension` would find it.
    pub fn has_extension(&self, name: &str) -> bool {
        self.share_dir
            .join("extension")
            .join(format!("{name}.control"))
            .is_file()
    }

    /// Reads what belongs to a directory with server programs; `None` when it holds no server.
    fn at(major: u32, bin_dir: &Path) -> Option<Installation> {
        // The real path: the user that the server runs as may not be able to enter a link's directory.
        let bin_dir = bin_dir.canonicalize().ok()?;
        if !bin_dir.join("postgres").is_file() || !bin_dir.join("initdb").is_file() {
            return None;
        }
        let root = bin_dir.parent()?;
        let lib_dir = [root.join("lib/postgresql"), root.join("lib")]
            .into_iter()
            .find(|dir| dir.join("plpgsql.so").is_file())
            .unwrap_or_else(|| root.join("lib"));
        let share_dir = [
            root.join("share/postgresql"),
            root.join("share"),
            PathBuf::from(format!("/usr/share/postgresql/{major}")),
        ]
        .into_iter()
        .find(|dir| dir.join("extension").is_dir())
        .unwrap_or_else(|| root.join("share"));
        Some(Installation {
            major,
            bin_dir,
            lib_dir,
            share_dir,
        })
    }
}

/// Finds installations.
#[derive(Debug)]
pub struct Servers;

impl Servers {
    /// All majors from 14 on this machine, oldest first; of each the first in this order:
    /// `$CORRIDOR_SERVERS/<major>`, Debian's and Red Hat's places, `.servers/<major>` of the checkout that we are
    /// in, the `pg_config` in the path.
    pub fn find() -> Vec<Installation> {
        let mut found = BTreeMap::new();
        let mut roots = Vec::new();
        if let Some(dir) = std::env::var_os("CORRIDOR_SERVERS") {
            roots.push((PathBuf::from(dir), "bin"));
        }
        roots.push((PathBuf::from("/usr/lib/postgresql"), "bin"));
        roots.extend(checkouts().into_iter().map(|dir| (dir.join(".servers"), "bin")));
        for (root, bin) in roots {
            for major in majors_in(&root, "") {
                if let Some(i) = Installation::at(major, &root.join(major.to_string()).join(bin)) {
                    found.entry(major).or_insert(i);
                }
            }
        }
        for major in majors_in(Path::new("/usr"), "pgsql-") {
            if let Some(i) = Installation::at(major, Path::new(&format!("/usr/pgsql-{major}/bin"))) {
                found.entry(major).or_insert(i);
            }
        }
        if let Some(i) = from_pg_config() {
            found.entry(i.major).or_insert(i);
        }
        found.into_values().collect()
    }

    /// A client program, such as `pg_dump`, of the newest version there is: a client reads servers that are as old as
    /// itself or older. Looked for in `.servers/clients` of the checkout first, then beside the servers.
    pub fn client(name: &str) -> Option<PathBuf> {
        let own = checkouts()
            .into_iter()
            .filter_map(|dir| dir.join(".servers/clients/bin").join(name).canonicalize().ok());
        let beside = Servers::find();
        let beside = beside.iter().rev().filter_map(|i| i.program(name));
        own.chain(beside).next()
    }

    /// The installation of one major, or an error that says what there is and how to get it.
    pub fn major(major: u32) -> Result<Installation> {
        let all = Servers::find();
        match all.iter().find(|i| i.major == major) {
            Some(i) => Ok(i.clone()),
            None => Err(Error::MissingMajor {
                major,
                found: match all.is_empty() {
                    true => "none".to_owned(),
                    false => all
                        .iter()
                        .map(|i| i.major.to_string())
                        .collect::<Vec<_>>()
                        .join(", "),
                },
            }),
        }
    }
}

/// Majors that a directory has an entry for, named `<prefix><major>`.
fn majors_in(root: &Path, prefix: &str) -> Vec<u32> {
    let Ok(entries) = std::fs::read_dir(root) else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|e| e.file_name().to_str()?.strip_prefix(prefix)?.parse().ok())
        .filter(|major| *major >= MAJOR_MIN)
        .collect()
}

/// Directories that may hold `.servers`: upwards from the crate under test, and from where we are.
fn checkouts() -> Vec<PathBuf> {
    let manifest = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let here = std::env::current_dir().ok();
    [manifest, here]
        .into_iter()
        .flatten()
        .flat_map(|start| start.ancestors().map(Path::to_path_buf).collect::<Vec<_>>())
        .collect()
}

fn from_pg_config() -> Option<Installation> {
    let ask = |what: &str| {
        let output = Command::new("pg_config").arg(what).output().ok()?;
        Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
    };
    // "PostgreSQL 15.18 (Debian 15.18-0+deb12u1)"
    let version = ask("--version")?;
    let major: u32 = version
        .split(' ')
        .nth(1)?
        .split(['.', 'b', 'r', 'd'])
        .next()?
        .parse()
        .ok()?;
    if major < MAJOR_MIN {
        return None;
    }
    let mut installation = Installation::at(major, Path::new(&ask("--bindir")?))?;
    installation.lib_dir = PathBuf::from(ask("--pkglibdir")?);
    installation.share_dir = PathBuf::from(ask("--sharedir")?);
    Some(installation)
}
