//! Who we are, and whom the server runs as.
//!
//! PostgreSQL refuses to run as root. Where the testbed is root (containers, mostly) it starts the server's programs
//! as an ordinary user, and gives that user the directories.

use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::error::{Error, Result};

/// The user that the server runs as; `None` where that is simply us.
#[derive(Debug, Clone)]
pub(crate) struct ServerUser(Option<(u32, u32)>);

impl ServerUser {
    /// Looks it up once per process: `postgres` when it exists, else `nobody`.
    pub(crate) fn find() -> Result<ServerUser> {
        static FOUND: OnceLock<ServerUser> = OnceLock::new();
        if let Some(found) = FOUND.get() {
            return Ok(found.clone());
        }
        let found = if id(&["-u"])? == Some(0) {
            let ids = match user_ids("postgres")? {
                Some(ids) => Some(ids),
                None => user_ids("nobody")?,
            };
            let Some(ids) = ids else {
                return Err(Error::Request(
                    "PostgreSQL refuses to run as root, and there is neither a user postgres nor a user nobody".into(),
                ));
            };
            ServerUser(Some(ids))
        } else {
            ServerUser(None)
        };
        Ok(FOUND.get_or_init(|| found).clone())
    }

    /// A command that runs as this user, with a clean environment, in a process group of its own: a Ctrl-C at the
    /// terminal must not take the server away from under a program that is about to end in good order.
    pub(crate) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("LC_ALL", "C")
            .current_dir("/")
            .stdin(Stdio::null())
            .process_group(0);
        if let Some((uid, gid)) = self.0 {
            command.uid(uid).gid(gid);
        }
        command
    }

    /// Hands a path that we made to this user.
    pub(crate) fn own(&self, path: &Path) -> Result<()> {
        match self.0 {
            None => Ok(()),
            Some((uid, gid)) => chown(path, Some(uid), Some(gid)).map_err(Error::io(format!(
                "giving {} to the server's user",
                path.display()
            ))),
        }
    }
}

fn user_ids(name: &str) -> Result<Option<(u32, u32)>> {
    Ok(id(&["-u", name])?.zip(id(&["-g", name])?))
}

/// `id` asks whatever the system asks (files, directory services); its answer is a number, or none for no such user.
fn id(arguments: &[&str]) -> Result<Option<u32>> {
    let output = Command::new("id")
        .args(arguments)
        .output()
        .map_err(Error::io("running id"))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().parse().ok())
}

/// Sends a signal by name (`QUIT`, `INT`, `TERM`, `KILL`). True when the process was there.
pub(crate) fn signal(name: &str, pid: u32) -> Result<bool> {
    let status = Command::new("sh")
        .args(["-c", "kill -s \"$1\" \"$2\"", "sh", name, &pid.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .map_err(Error::io(format!("sending SIG{name} to process {pid}")))?;
    Ok(status.success())
}
