//! What surrounds a process, as far as connecting needs it: variables, files, who the user is.

use std::io;
use std::path::{Path, PathBuf};

/// The outside that [`ConnectOptions::resolve`](super::ConnectOptions::resolve) reads. Injected, so that every rule of
/// precedence can be tested without touching the real one.
pub trait Environment {
    /// An environment variable; `None` when it is not set (set to nothing is `Some("")`).
    fn variable(&self, name: &str) -> Option<String>;

    /// Reads a text file.
    fn read(&self, path: &Path) -> io::Result<FileText>;

    /// True when something is at `path`.
    fn exists(&self, path: &Path) -> bool;

    /// The name of the operating system's user.
    fn user_name(&self) -> Option<String>;

    /// The user's home directory.
    fn home(&self) -> Option<PathBuf>;
}

/// The content of a file, with what the rule about readable password files needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileText {
    /// The content. Bytes that are not UTF-8 are replaced.
    pub text: String,
    /// The permission bits, where the system has any.
    pub mode: Option<u32>,
    /// False for a device, a pipe or a directory.
    pub is_plain: bool,
}

/// The environment of this process.
#[derive(Debug, Clone, Copy, Default)]
pub struct ProcessEnvironment;

impl Environment for ProcessEnvironment {
    fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn read(&self, path: &Path) -> io::Result<FileText> {
        let meta = std::fs::metadata(path)?;
        if !meta.is_file() {
            // Not read: a pipe would block for ever.
            return Ok(FileText {
                text: String::new(),
                mode: None,
                is_plain: false,
            });
        }
        Ok(FileText {
            text: String::from_utf8_lossy(&std::fs::read(path)?).into_owned(),
            mode: mode_of(&meta),
            is_plain: true,
        })
    }

    fn exists(&self, path: &Path) -> bool {
        path.exists()
    }

    fn user_name(&self) -> Option<String> {
        whoami::username().ok()
    }

    fn home(&self) -> Option<PathBuf> {
        std::env::home_dir().filter(|home| !home.as_os_str().is_empty())
    }
}

#[cfg(unix)]
fn mode_of(meta: &std::fs::Metadata) -> Option<u32> {
    use std::os::unix::fs::MetadataExt;
    Some(meta.mode() & 0o7777)
}

#[cfg(not(unix))]
fn mode_of(_meta: &std::fs::Metadata) -> Option<u32> {
    None
}
