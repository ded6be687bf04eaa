//! Ends a cluster when the process that started it is gone, however it went.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::error::{Error, Result};

/// The guardian reads a pipe whose other end only our process holds (it is close-on-exec). The end of the pipe is the
/// signal that works for every kind of death, SIGKILL included.
///
/// It looks the server up in its file of the process id, so that it finds it after restarts too, and stops it as
/// `pg_ctl stop -m immediate` does; it cannot use pg_ctl, which refuses to run as root. A server that is a zombie
/// counts as ended: in a container nobody may be there to reap it.
const SCRIPT: &str = r#"
trap '' HUP INT TERM
read -r word
[ "$word" = keep ] && exit 0
pid=$(head -n 1 "$1/$2" 2>/dev/null)
if [ -n "$pid" ]; then
  kill -s QUIT "$pid" 2>/dev/null
  tries=0
  while [ $tries -lt 200 ] && kill -0 "$pid" 2>/dev/null; do
    grep -q '^State:.Z' "/proc/$pid/status" 2>/dev/null && break
    tries=$((tries + 1))
    [ $tries = 150 ] && kill -s KILL "$pid" 2>/dev/null
    sleep 0.05
  done
fi
tries=0
while [ -e "$1" ] && [ $tries -lt 50 ]; do
  rm -rf -- "$1" 2>/dev/null || sleep 0.1
  tries=$((tries + 1))
done
"#;

/// A child process that ends the server and removes its directory as soon as we are gone.
#[derive(Debug)]
pub(crate) struct Guardian {
    child: Child,
}

impl Guardian {
    /// Watches over the server in `directory` from now on. `pid_file` is where it writes its process id, from there.
    pub(crate) fn post(directory: &Path, pid_file: &str) -> Result<Guardian> {
        let child = Command::new("sh")
            .args(["-c", SCRIPT, "corridor-guardian"])
            .arg(directory)
            .arg(pid_file)
            .current_dir("/")
            .stdin(Stdio::piped())
            // Nothing of ours: a pipeline that reads our output must not wait for the guardian.
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(Error::io("starting the guardian of a cluster"))?;
        Ok(Guardian { child })
    }

    /// Ends the server now, if it still runs, removes the directory, and waits until that is done.
    pub(crate) fn finish(mut self) -> Result<()> {
        drop(self.child.stdin.take());
        self.child
            .wait()
            .map(drop)
            .map_err(Error::io("waiting for the guardian of a cluster"))
    }

    /// Sends it away: server and directory stay.
    pub(crate) fn dismiss(mut self) -> Result<()> {
        let told = match self.child.stdin.as_mut() {
            Some(pipe) => pipe.write_all(b"keep\n"),
            None => Ok(()),
        };
        told.and_then(|()| self.child.wait().map(drop))
            .map_err(Error::io("dismissing the guardian of a cluster"))
    }
}
