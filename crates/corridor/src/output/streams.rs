//! The two streams, and what happens when nobody reads them any more.

use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use corridor_pg::{Fault, Result};
use indicatif::ProgressBar;
use serde::Serialize;

use super::JSON_VERSION;
use crate::args::Global;
use crate::fault::OUTPUT;

/// How this run speaks: to whom, and in which form.
///
/// A reader of stdout that goes away (`corridor logs x | head`) is no fault: the rest is not written, work goes on.
#[derive(Debug)]
pub(crate) struct Output {
    is_json: bool,
    is_quiet: bool,
    /// Nothing is said at all.
    is_mute: bool,
    is_reader_gone: AtomicBool,
    /// What moves on the terminal, and has to make room for every other line.
    bar: Mutex<Option<ProgressBar>>,
}

impl Output {
    /// As the command line wants it.
    pub(crate) fn new(global: &Global) -> Self {
        Output {
            is_json: global.json,
            is_quiet: global.quiet,
            is_mute: false,
            is_reader_gone: AtomicBool::new(false),
            bar: Mutex::new(None),
        }
    }

    /// One that says nothing to stderr: for a part of a process whose story another part tells.
    pub(crate) fn mute() -> Self {
        Output {
            is_json: false,
            is_quiet: true,
            is_mute: true,
            is_reader_gone: AtomicBool::new(false),
            bar: Mutex::new(None),
        }
    }

    /// JSON is wanted on stdout.
    pub(crate) fn is_json(&self) -> bool {
        self.is_json
    }

    /// Only the result and faults are wanted.
    pub(crate) fn is_quiet(&self) -> bool {
        self.is_quiet
    }

    /// Nobody reads stdout any more.
    pub(crate) fn is_reader_gone(&self) -> bool {
        self.is_reader_gone.load(Ordering::Relaxed)
    }

    /// Somebody looks at stderr who can be shown something that moves.
    pub(crate) fn is_watched(&self) -> bool {
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        !self.is_json && !self.is_quiet && !is_dumb && io::stderr().is_terminal()
    }

    /// Data goes into a pipe or a file, and to a program: what is cut for a screen would be lost there.
    pub(crate) fn is_piped(&self) -> bool {
        !io::stdout().is_terminal()
    }

    /// Writes lines of data to stdout.
    pub(crate) fn data(&self, text: &str) -> Result<()> {
        self.write_out(|| {
            let mut out = anstream::stdout().lock();
            out.write_all(text.as_bytes())?;
            if !text.ends_with('\n') {
                out.write_all(b"\n")?;
            }
            out.flush()
        })
    }

    /// Writes a frame that steers the terminal, painted only where paint is wanted. For a terminal only.
    pub(crate) fn frame(&self, frame: &str) -> Result<()> {
        let is_painted = anstream::AutoStream::choice(&io::stdout()) != anstream::ColorChoice::Never;
        self.write_out(|| {
            let mut out = io::stdout().lock();
            match is_painted {
                true => out.write_all(frame.as_bytes())?,
                false => out.write_all(unpainted(frame).as_bytes())?,
            }
            out.flush()
        })
    }

    /// Writes one JSON document to stdout, with its version in front.
    pub(crate) fn document(&self, document: &impl Serialize) -> Result<()> {
        let text = serde_json::to_string_pretty(&Versioned::of(document)).map_err(not_json)?;
        self.raw(&text)
    }

    /// Writes one JSON document as one line to stdout.
    pub(crate) fn json_line(&self, document: &impl Serialize) -> Result<()> {
        let text = serde_json::to_string(&Versioned::of(document)).map_err(not_json)?;
        self.raw(&text)
    }

    /// Writes a document that has its version inside; as one line where more may follow.
    pub(crate) fn bare_document(&self, document: &impl Serialize, is_whole: bool) -> Result<()> {
        let text = match is_whole {
            true => serde_json::to_string_pretty(document),
            false => serde_json::to_string(document),
        };
        self.raw(&text.map_err(not_json)?)
    }

    /// JSON keeps its characters, whatever they are.
    fn raw(&self, text: &str) -> Result<()> {
        self.write_out(|| {
            let mut out = io::stdout().lock();
            out.write_all(text.as_bytes())?;
            out.write_all(b"\n")?;
            out.flush()
        })
    }

    fn write_out(&self, write: impl FnOnce() -> io::Result<()>) -> Result<()> {
        if self.is_reader_gone() {
            return Ok(());
        }
        match self.beside_bar(write) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.is_reader_gone.store(true, Ordering::Relaxed);
                Ok(())
            }
            Err(error) => Err(Fault::new(&OUTPUT, error.to_string()).caused_by(error)),
            Ok(()) => Ok(()),
        }
    }

    /// Writes a line to stderr for the person who waits, unless told to be quiet.
    pub(crate) fn note(&self, text: &str) {
        if !self.is_quiet {
            self.say(text);
        }
    }

    /// Writes a line to stderr in any case.
    pub(crate) fn say(&self, text: &str) {
        if self.is_mute {
            return;
        }
        // Nobody is left to be told when stderr fails.
        let _ = self.beside_bar(|| {
            let mut err = anstream::stderr().lock();
            writeln!(err, "{text}")
        });
    }

    /// Something moves on the terminal from now on; `None` ends that.
    pub(crate) fn show_bar(&self, bar: Option<ProgressBar>) {
        *self.bar() = bar;
    }

    fn bar(&self) -> MutexGuard<'_, Option<ProgressBar>> {
        self.bar.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn beside_bar<T>(&self, write: impl FnOnce() -> T) -> T {
        match &*self.bar() {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }
}

/// Without the sequences that paint; those that move the cursor stay.
fn unpainted(frame: &str) -> String {
    let mut plain = String::with_capacity(frame.len());
    let mut rest = frame;
    while let Some(at) = rest.find("\x1b[") {
        let (before, sequence) = rest.split_at(at);
        let end = sequence[2..].find(|c: char| c.is_ascii_alphabetic());
        let end = end.map_or(sequence.len(), |end| end + 3);
        plain.push_str(before);
        if !sequence[..end].ends_with('m') {
            plain.push_str(&sequence[..end]);
        }
        rest = &sequence[end..];
    }
    plain.push_str(rest);
    plain
}

/// A document with its version in front.
#[derive(Serialize)]
pub(crate) struct Versioned<'a, T: Serialize> {
    version: u32,
    #[serde(flatten)]
    document: &'a T,
}

impl<'a, T: Serialize> Versioned<'a, T> {
    /// `document`, as it will be written.
    pub(crate) fn of(document: &'a T) -> Self {
        Versioned {
            version: JSON_VERSION,
            document,
        }
    }
}

fn not_json(error: serde_json::Error) -> Fault {
    Fault::new(&OUTPUT, format!("the document is no JSON: {error}")).caused_by(error)
}

#[cfg(test)]
mod tests {
    #[test]
    fn without_paint_the_cursor_still_moves() {
        let frame = "\x1b[3A\r\x1b[1;31mbad\x1b[0m \u{1b}[Kgood\x1b[J";
        assert_eq!(super::unpainted(frame), "\x1b[3A\rbad \x1b[Kgood\x1b[J");
        assert_eq!(super::unpainted("x\x1b["), "x\x1b[");
    }
}
