//! A small disk that can be full: a tmpfs that holds the databases, and ballast in it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Result;

/// Room for the databases of one life after the other.
const SIZE: &str = "400m";

/// A mounted tmpfs; unmounted when dropped.
#[derive(Debug)]
pub(crate) struct Disk {
    path: PathBuf,
}

impl Disk {
    /// Mounts one below `directory`, with a directory for a tablespace; `None` where that is not possible (not root).
    pub(crate) fn mount(directory: &Path, owner: &Path) -> Option<Disk> {
        unmount_what_the_dead_left(directory);
        let path = directory.join("disk");
        std::fs::create_dir(&path).ok()?;
        let is_mounted = quietly(
            Command::new("mount")
                .args(["-t", "tmpfs", "-o", &format!("size={SIZE}"), "corridor-chaos"])
                .arg(&path),
        );
        if !is_mounted {
            std::fs::remove_dir(&path).ok();
            return None;
        }
        let disk = Disk { path };
        let space = disk.space();
        std::fs::create_dir(&space).ok()?;
        quietly(
            Command::new("chown")
                .arg(format!("--reference={}", owner.display()))
                .arg(&space),
        )
        .then_some(disk)
    }

    /// The directory for the tablespace.
    pub(crate) fn space(&self) -> PathBuf {
        self.path.join("space")
    }

    /// Fills it to the last byte.
    pub(crate) fn fill(&self) -> Result<()> {
        use std::io::Write;
        let mut ballast = std::fs::File::create(self.path.join("ballast"))?;
        let block = vec![0u8; 1 << 16];
        let is_full = |e: &std::io::Error| e.kind() == std::io::ErrorKind::StorageFull;
        for size in [1 << 16, 4096] {
            loop {
                match ballast.write_all(block.get(..size).unwrap_or_default()) {
                    Ok(()) => {}
                    Err(error) if is_full(&error) => break,
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(())
    }

    /// Takes the ballast away.
    pub(crate) fn clear(&self) {
        std::fs::remove_file(self.path.join("ballast")).ok();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: the server that uses it may still be on its way out.
        quietly(Command::new("umount").arg("--lazy").arg(&self.path));
    }
}

/// A run that was killed with SIGKILL has left its disk mounted.
fn unmount_what_the_dead_left(directory: &Path) {
    let (Some(parent), Some(own)) = (directory.parent(), directory.file_name()) else {
        return;
    };
    let Some((prefix, _)) = own.to_str().and_then(|own| own.rsplit_once('-')) else {
        return;
    };
    for entry in std::fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let pid = name
            .to_str()
            .and_then(|name| name.strip_prefix(prefix)?.strip_prefix('-')?.parse::<u32>().ok());
        let disk = entry.path().join("disk");
        if pid.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists()) && disk.is_dir() {
            quietly(Command::new("umount").arg("--lazy").arg(&disk));
            std::fs::remove_dir(&disk).ok();
        }
    }
}

fn quietly(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
