//! Running the command once, within its time.

use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::process::{Child, ChildStderr, Command};

use super::event::Event;

/// What is kept of what it says on stderr; the last line of it is shown when it fails.
const STDERR_BYTES_MAX: usize = 4_096;
/// Somebody whom it left behind may hold its stderr open.
const STDERR_WAIT: Duration = Duration::from_millis(100);

/// The user's command.
#[derive(Debug)]
pub(super) struct Hook {
    /// For `sh -c`.
    pub(super) command: String,
    /// For one event.
    pub(super) limit: Duration,
}

impl Hook {
    /// Runs it for one event. Fails, in words, when it could not be run, took too long, or did not exit with 0.
    pub(super) async fn run(&self, event: &Event) -> Result<(), String> {
        let mut child = Command::new("sh")
            .args(["-c", &self.command])
            .envs(event.variables())
            .stdin(Stdio::null())
            // Ours is for data, and may be JSON.
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            // A Ctrl-C is for us; and what the command starts can be killed with it.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| format!("it cannot be run: {error}"))?;
        let group = Group(child.id());
        let said = tokio::spawn(listen(child.stderr.take()));
        let Ok(ended) = tokio::time::timeout(self.limit, child.wait()).await else {
            group.kill().await;
            reap(&mut child).await;
            return Err(format!("killed after {} s", self.limit.as_secs_f64()));
        };
        // Nothing to kill any more: the number may be somebody else's soon.
        group.forget();
        let status = ended.map_err(|error| format!("waiting for it: {error}"))?;
        if status.success() {
            return Ok(());
        }
        let said = tokio::time::timeout(STDERR_WAIT, said).await;
        let last = said.ok().and_then(Result::ok).unwrap_or_default();
        Err(words(status, &last))
    }
}

fn words(status: ExitStatus, said: &str) -> String {
    let status = match status.code() {
        Some(code) => format!("exit code {code}"),
        None => status.to_string(),
    };
    match said.lines().rev().find(|line| !line.trim().is_empty()) {
        Some(line) => format!("{status}: {}", line.trim()),
        None => status,
    }
}

/// The end of what it says. Read to the end, so that it never waits for us.
async fn listen(stderr: Option<ChildStderr>) -> String {
    let mut kept = Vec::new();
    let mut buffer = [0; 1_024];
    if let Some(mut stderr) = stderr {
        while let Ok(length @ 1..) = stderr.read(&mut buffer).await {
            kept.extend_from_slice(&buffer[..length]);
            let excess = kept.len().saturating_sub(STDERR_BYTES_MAX);
            kept.drain(..excess);
        }
    }
    String::from_utf8_lossy(&kept).into_owned()
}

async fn reap(child: &mut Child) {
    // It was killed; if even that fails there is nothing left to try.
    let _ = child.kill().await;
}

/// The command with everything that it has started. Killed when it is dropped: then somebody did not wait for its end.
struct Group(Option<u32>);

impl Group {
    fn forget(mut self) {
        self.0 = None;
    }

    async fn kill(mut self) {
        if let Some(pid) = self.0.take() {
            // Gone already is as good.
            let _ = kill_command(pid).status().await;
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(pid) = self.0 {
            let _ = kill_command(pid).spawn();
        }
    }
}

fn kill_command(group: u32) -> Command {
    let mut command = Command::new("kill");
    command
        .args(["-s", "KILL", "--", &format!("-{group}")])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}
