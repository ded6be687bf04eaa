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
