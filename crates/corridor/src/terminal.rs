//! The terminal that somebody sits at: how large it is, keys without the return key, and everything put back afterwards.

use std::io::{IsTerminal, Read, Write, stdin, stdout};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcgetpgrp, tcgetwinsize, tcsetattr};

const CURSOR_AWAY: &[u8] = b"\x1b[?25l";
const CURSOR_BACK: &[u8] = b"\x1b[?25h";

/// Columns and rows; 80 by 24 where it does not say.
pub(crate) fn size() -> (usize, usize) {
    match tcgetwinsize(stdout()) {
        Ok(size) if size.ws_col > 0 && size.ws_row > 0 => (size.ws_col.into(), size.ws_row.into()),
        _ => (80, 24),
    }
}

/// True when stdout is a terminal that can be drawn on again and again.
pub(crate) fn is_drawable() -> bool {
    let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    !is_dumb && stdout().is_terminal()
}

/// A line that is not shown while it is typed; `None` where nobody sits at a terminal. Whoever leaves meanwhile sees again
/// what is typed.
pub(crate) async fn ask_hidden(prompt: &str) -> std::io::Result<Option<String>> {
    if !stdin().is_terminal() {
        return Ok(None);
    }
    let _veil = Veil::draw()?;
    let mut err = std::io::stderr();
    err.write_all(prompt.as_bytes())?;
    err.flush()?;
    let line = line().await?;
    err.write_all(b"\n")?;
    Ok(Some(line))
}

/// The next line of the standard input, without its end. A thread that waits for it for ever is not waited for at the end.
pub(crate) async fn line() -> std::io::Result<String> {
    let read = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        stdin().read_line(&mut line).map(|_| line)
    });
    let line = read.await.map_err(std::io::Error::other)??;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

/// What is typed is not shown, until it is dropped.
struct Veil(Termios);

impl Veil {
    fn draw() -> std::io::Result<Self> {
        let before = tcgetattr(stdin())?;
        let mut hidden = before.clone();
        hidden.local_modes.remove(LocalModes::ECHO);
        tcsetattr(stdin(), OptionalActions::Now, &hidden)?;
        Ok(Veil(before))
    }
}

impl Drop for Veil {
    fn drop(&mut self) {
        let _ = tcsetattr(stdin(), OptionalActions::Now, &self.0);
    }
}

/// Keys come at once and are not shown, and the cursor is away, until it is dropped. Ctrl-C stays a signal.
pub(crate) struct Cockpit {
    before: Option<Termios>,
}

impl Cockpit {
    /// Takes the terminal over. Where there is no keyboard, or it belongs to another job, only the cursor goes.
    pub(crate) fn enter() -> Self {
        steer(CURSOR_AWAY);
        // Who is in the background and touches the keyboard is stopped by the system.
        let is_ours = stdin().is_terminal()
            && tcgetpgrp(stdin()).is_ok_and(|group| group == rustix::process::getpgrp());
        let before = is_ours.then(|| tcgetattr(stdin()).ok()).flatten();
        if let Some(before) = &before {
            let mut now = before.clone();
            now.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO);
            // Without it keys wait for the return key, and that is all.
            let _ = tcsetattr(stdin(), OptionalActions::Now, &now);
        }
        Cockpit { before }
    }

    /// Returns when somebody wants to leave: `q`, or the end of the input. Never where there is no keyboard.
    pub(crate) async fn until_left(&self) {
        if self.before.is_none() {
            std::future::pending::<()>().await;
        }
        // A thread that waits for a key for ever is not waited for at the end.
        while let Ok(Some(key)) = tokio::task::spawn_blocking(key).await {
            if matches!(key, b'q' | b'Q') {
                return;
            }
        }
    }
}

/// The next key; `None` at the end of the input.
fn key() -> Option<u8> {
    let mut key = [0];
    matches!(stdin().lock().read(&mut key), Ok(1)).then(|| key[0])
}

impl Drop for Cockpit {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            let _ = tcsetattr(stdin(), OptionalActions::Now, before);
        }
        steer(CURSOR_BACK);
    }
}

/// A terminal that went away needs no steering.
fn steer(bytes: &[u8]) {
    let mut out = stdout().lock();
    let _ = out.write_all(bytes).and_then(|()| out.flush());
}
