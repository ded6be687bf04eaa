//! One process of the binary: who works, or gives an order.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Instant;

use tokio::process::{Child, Command};

use crate::Result;

/// A started `corridor`.
#[derive(Debug)]
pub(crate) struct Hand {
    child: Child,
    /// Its first word: `move`, `resume`…
    pub(crate) verb: String,
    /// Until when it is stopped.
    pub(crate) thaws_at: Option<Instant>,
    pub(crate) has_failpoint: bool,
    log: PathBuf,
}

/// What a process is started with, beside its arguments.
#[derive(Debug, Default)]
pub(crate) struct Circumstances {
    pub(crate) failpoint: Option<String>,
    /// libfaketime, and the file that it reads the step of the clock from.
    pub(crate) clock: Option<(PathBuf, PathBuf)>,
}

impl Hand {
    /// Starts it; what it says goes into files in `directory`.
    pub(crate) fn start(
        binary: &Path,
        url: &str,
        arguments: &[String],
        circumstances: &Circumstances,
        directory: &Path,
        number: u32,
    ) -> Result<Hand> {
        let verb = arguments.first().cloned().unwrap_or_default();
        let log = directory.join(format!("{number:02}-{verb}.log"));
        let mut out = File::create(&log)?;
        use std::io::Write;
        writeln!(out, "# corridor {arguments:?} {circumstances:?}")?;
        let mut command = Command::new(binary);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("PG") {
                command.env_remove(name);
            }
        }
        if let Some(failpoint) = &circumstances.failpoint {
            command.env("CORRIDOR_FAILPOINT", failpoint);
        }
        if let Some((library, file)) = &circumstances.clock {
            command
                .env("LD_PRELOAD", library)
                .env("FAKETIME_TIMESTAMP_FILE", file)
                .env("FAKETIME_NO_CACHE", "1")
                .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        }
        let child = command
            .args(arguments)
            .args(["--json", "--database", url])
            .env("HOME", "/nonexistent")
            .env("PGCONNECT_TIMEOUT", "5")
            .stdin(Stdio::null())
            .stdout(out.try_clone()?)
            .stderr(out)
            .kill_on_drop(true)
            .spawn()?;
        Ok(Hand {
            child,
            verb,
            thaws_at: None,
            has_failpoint: circumstances.failpoint.is_some(),
            log,
        })
    }

    /// How it ended, once it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// What it said.
    pub(crate) fn words(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// SIGKILL, at once; also for one that is stopped.
    pub(crate) async fn kill(&mut self) -> bool {
        self.child.kill().await.is_ok()
    }

    /// Sends a signal by name. True when the process was there.
    pub(crate) async fn signal(&self, name: &str) -> bool {
        let Some(pid) = self.child.id() else { return false };
        let sent = Command::new("kill").args(["-s", name, &pid.to_string()]).status();
        sent.await.is_ok_and(|status| status.success())
    }
}
