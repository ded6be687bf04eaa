//! Runs the binary as a script would: pipes instead of a terminal, and nothing of the developer's own settings.

use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use corridor_testbed::{Cluster, Database};
use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};

/// Longer than any command here takes on a busy machine; a hang must fail, not stop everything.
const TIMEOUT: Duration = Duration::from_secs(120);

/// What a run of the binary came to.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// A command that is not started yet.
pub(crate) struct Corridor {
    command: Command,
}

/// `corridor` with `args`, without a database.
pub(crate) fn corridor(args: &[&str]) -> Corridor {
    let mut command = Command::new(env!("CARGO_BIN_EXE_corridor"));
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        if name.starts_with("PG") || ["NO_COLOR", "CLICOLOR_FORCE", "TERM"].contains(&name.as_str()) {
            command.env_remove(name);
        }
    }
    command
        .args(args)
        .env("HOME", "/nonexistent")
        .env("PGCONNECT_TIMEOUT", "10")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    Corridor { command }
}

/// `corridor` with `args` on a database.
pub(crate) fn corridor_on(database: &Database, args: &[&str]) -> Corridor {
    let mut run = corridor(args);
    run.command.arg("--database").arg(&database.url);
    run
}

impl Corridor {
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    pub(crate) fn start(mut self) -> Child {
        self.command.spawn().unwrap()
    }

    pub(crate) async fn run(self) -> Run {
        end(self.start()).await
    }

    /// With something on its standard input.
    pub(crate) async fn run_reading(mut self, text: &str) -> Run {
        self.command.stdin(Stdio::piped());
        let mut child = self.start();
        let mut input = child.stdin.take().unwrap();
        input.write_all(text.as_bytes()).await.unwrap();
        drop(input);
        end(child).await
    }
}

/// Waits for the end of a started command.
pub(crate) async fn end(child: Child) -> Run {
    let output = tokio::time::timeout(TIMEOUT, child.wait_with_output())
        .await
        .expect("the command hangs")
        .unwrap();
    let run = Run {
        code: code(output.status),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    };
    run.assert_plain();
    run
}

/// As a shell tells it: 128 and the signal for one that was killed.
fn code(status: ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    status
        .code()
        .unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
}

impl Run {
    /// Without a terminal nothing steers one, on no stream, and no text is wider than 80 columns but for single words.
    fn assert_plain(&self) {
        for (stream, text) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            let steering = text.chars().find(|c| c.is_control() && *c != '\n');
            assert_eq!(steering, None, "{stream}: {text:?}");
            // JSON, OpenMetrics, annotations and the line of a monitoring plugin are for programs.
            if text.starts_with(['{', '['])
                || text.starts_with("::")
                || text.starts_with("CORRIDOR ")
                || text.ends_with("# EOF\n")
                // So is the list of a person's own migrations: one line for each, with nothing cut.
                || (text.starts_with("name ") && text.lines().next().is_some_and(|head| head.contains(" versions")))
            {
                continue;
            }
            for line in text.lines() {
                assert!(!line.starts_with("WARN") && !line.starts_with("ERROR"), "{line}");
                // Logs are for `grep`: one line each.
                let is_log = ["INFO ", "DEBUG", "TRACE"]
                    .iter()
                    .any(|level| line.starts_with(level));
                let is_one_word = is_log || !line.trim_start().contains(' ');
                let columns = line.chars().count();
                assert!(
                    is_one_word || columns <= 80,
                    "{stream}, {columns} columns: {line}"
                );
            }
        }
    }

    #[track_caller]
    pub(crate) fn expect_code(self, wanted: i32) -> Self {
        assert_eq!(
            self.code, wanted,
            "stdout:\n{}\nstderr:\n{}",
            self.stdout, self.stderr
        );
        if wanted != 7 {
            assert!(!self.stderr.contains("panicked"), "{}", self.stderr);
        }
        self
    }

    /// Stdout as one JSON document.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        let value: Value =
            serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}", self.stdout));
        assert_eq!(value["version"], 1, "{value}");
        value
    }

    /// Stdout as JSON lines.
    #[track_caller]
    pub(crate) fn json_lines(&self) -> Vec<Value> {
        let lines: Vec<Value> = self
            .stdout
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
            .collect();
        assert!(lines.iter().all(|line| line["version"] == 1), "{}", self.stdout);
        lines
    }

    /// The fault with this code ended it, on stderr as text and with `--json` on stdout.
    #[track_caller]
    pub(crate) fn expect_fault(self, code: &str) -> Self {
        if self.stdout.starts_with('{') {
            let last = self.stdout.lines().last().unwrap();
            let value: Value = serde_json::from_str(last).unwrap_or_else(|_| self.json());
            assert_eq!(value["fault"]["code"], code, "{value}");
            assert_eq!(value["fault"]["exit"], self.code, "{value}");
        } else {
            assert!(self.stderr.contains(&format!("{code}: ")), "{}", self.stderr);
            let page = format!("corridor explain {code}");
            assert!(self.stderr.contains(&page), "{}", self.stderr);
        }
        self
    }
}

/// A new database on the cluster of PostgreSQL 15 that all tests of this process share.
pub(crate) async fn database(label: &str) -> Database {
    Cluster::shared(15).await.fresh_database(label).await.unwrap()
}
