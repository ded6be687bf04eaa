//! The object id counter of a running server: reads it and sets it, in the server's shared memory.
//!
//! `pg_resetwal -o` needs a stopped server, and a run of used ids is walked through once and then left behind. To keep
//! an incident alive while an application works, the counter has to be put back while the server runs. No SQL does
//! that. The counter is the first word of a structure in shared memory, and the server's executable exports the
//! pointer to it (extensions need it), so the place can be found from outside.
//!
//! Linux only. We need the right to write `/proc/<pid>/mem`: the server is our child and runs as our user, or we are
//! root with the capability to trace others. A root without it (in most containers) asks the server's own user to do
//! it, a process per access. Writing races with a backend that is just taking an id; then our value is lost, and the
//! caller writes again.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::system::ServerUser;

/// The pointer's name up to 16, and from 17 on. Both structures begin with `Oid nextOid`.
const SYMBOLS: [&str; 2] = ["ShmemVariableCache", "TransamVariables"];

/// The counter of one running server. Void after a restart.
#[derive(Debug)]
pub struct OidCounter {
    memory: Memory,
    address: u64,
}

impl OidCounter {
    /// Finds the counter of the server with this main process and executable.
    pub(crate) fn find(pid: u32, executable: &Path, user: &ServerUser) -> Result<OidCounter> {
        let memory = match Memory::direct(pid) {
            Ok(memory) => memory,
            Err(_) => Memory::ThroughUser {
                user: user.clone(),
                pid,
            },
        };
        OidCounter::find_in(memory, executable)
    }

    fn find_in(memory: Memory, executable: &Path) -> Result<OidCounter> {
        let bad = |what: &str| {
            Error::Request(format!(
                "finding the object id counter of {}: {what}",
                executable.display()
            ))
        };
        let image = fs::read(executable).map_err(Error::io(format!("reading {}", executable.display())))?;
        let symbol = SYMBOLS
            .iter()
            .find_map(|name| exported(&image, name))
            .ok_or_else(|| bad("it is not an executable as expected"))?;
        let base = base_address(&memory.maps()?, executable).ok_or_else(|| bad("it is not what runs"))?;
        let pointer: [u8; 8] = memory.read(base + symbol)?;
        let counter = OidCounter {
            memory,
            address: u64::from_le_bytes(pointer),
        };
        counter.get()?;
        Ok(counter)
    }

    /// The id that the server tries next.
    pub fn get(&self) -> Result<u32> {
        Ok(u32::from_le_bytes(self.memory.read(self.address)?))
    }

    /// Makes the server try `oid` next.
    pub fn set(&self, oid: u32) -> Result<()> {
        self.memory.write(self.address, &oid.to_le_bytes())
    }

    /// How often it may be read without costing more than a few percent of a core.
    pub(crate) fn poll_interval(&self) -> Duration {
        match self.memory {
            Memory::Direct { .. } => Duration::from_millis(1),
            Memory::ThroughUser { .. } => Duration::from_millis(20),
        }
    }
}

/// The memory of another process.
#[derive(Debug)]
enum Memory {
    Direct { file: File, pid: u32 },
    ThroughUser { user: ServerUser, pid: u32 },
}

impl Memory {
    fn direct(pid: u32) -> std::io::Result<Memory> {
        let file = File::options()
            .read(true)
            .write(true)
            .open(format!("/proc/{pid}/mem"))?;
        Ok(Memory::Direct { file, pid })
    }

    /// What is mapped where.
    fn maps(&self) -> Result<String> {
        match self {
            Memory::Direct { pid, .. } => fs::read_to_string(format!("/proc/{pid}/maps"))
                .map_err(Error::io("reading the server's memory map")),
            Memory::ThroughUser { user, pid } => {
                let text = run(user, "cat", &[format!("/proc/{pid}/maps")], &[])?;
                Ok(String::from_utf8_lossy(&text).into_owned())
            }
        }
    }

    /// `address` is a multiple of `N`.
    fn read<const N: usize>(&self, address: u64) -> Result<[u8; N]> {
        match self {
            Memory::Direct { file, .. } => {
                let mut bytes = [0; N];
                file.read_exact_at(&mut bytes, address)
                    .map_err(Error::io("reading the server's memory"))?;
                Ok(bytes)
            }
            Memory::ThroughUser { user, pid } => {
                let arguments = [
                    format!("if=/proc/{pid}/mem"),
                    format!("bs={N}"),
                    "count=1".to_owned(),
                    format!("skip={}", address / N as u64),
                ];
                let bytes = run(user, "dd", &arguments, &[])?;
                bytes
                    .try_into()
                    .map_err(|_| Error::Request("the server's memory could not be read".to_owned()))
            }
        }
    }

    fn write(&self, address: u64, bytes: &[u8]) -> Result<()> {
        match self {
            Memory::Direct { file, .. } => file
                .write_all_at(bytes, address)
                .map_err(Error::io("writing the server's memory")),
            Memory::ThroughUser { user, pid } => {
                let arguments = [
                    format!("of=/proc/{pid}/mem"),
                    format!("bs={}", bytes.len()),
                    "count=1".to_owned(),
                    format!("seek={}", address / bytes.len() as u64),
                    "conv=notrunc".to_owned(),
                ];
                run(user, "dd", &arguments, bytes).map(drop)
            }
        }
    }
}

fn run(user: &ServerUser, program: &str, arguments: &[String], input: &[u8]) -> Result<Vec<u8>> {
    let doing = || Error::io(format!("running {program} as the server's user"));
    let mut child = user
        .command(Path::new(program))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(doing())?;
    if let Some(mut pipe) = child.stdin.take() {
        pipe.write_all(input).map_err(doing())?;
    }
    let output = child.wait_with_output().map_err(doing())?;
    match output.status.success() {
        true => Ok(output.stdout),
        false => Err(Error::Program {
            doing: format!("running {program} as the server's user"),
            output: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        }),
    }
}

/// Where the executable lies in memory: the lowest address that is mapped from it.
fn base_address(maps: &str, executable: &Path) -> Option<u64> {
    maps.lines()
        .filter(|line| line.ends_with(&*executable.to_string_lossy()))
        .filter_map(|line| u64::from_str_radix(line.split('-').next()?, 16).ok())
        .min()
}

/// The value of an exported symbol of a 64-bit little-endian, position-independent ELF file.
fn exported(image: &[u8], name: &str) -> Option<u64> {
    const SECTION_HEADERS_AT: usize = 40;
    const SECTION_HEADER_BYTES: usize = 64;
    const SECTION_COUNT_AT: usize = 60;
    const TYPE_DYNAMIC_SYMBOLS: u64 = 11;
    const SYMBOL_BYTES: usize = 24;

    let number = |at: usize, bytes: usize| -> Option<u64> {
        let mut word = [0; 8];
        word[..bytes].copy_from_slice(image.get(at..at + bytes)?);
        Some(u64::from_le_bytes(word))
    };
    let is_pie = image.starts_with(b"\x7fELF\x02\x01") && number(16, 2)? == 3;
    if !is_pie {
        return None;
    }
    let headers = number(SECTION_HEADERS_AT, 8)? as usize;
    let section = |i: usize| headers + i * SECTION_HEADER_BYTES;
    for i in 0..number(SECTION_COUNT_AT, 2)? as usize {
        if number(section(i) + 4, 4)? != TYPE_DYNAMIC_SYMBOLS {
            continue;
        }
        let symbols = number(section(i) + 24, 8)? as usize;
        let bytes = number(section(i) + 32, 8)? as usize;
        let names = number(section(number(section(i) + 40, 4)? as usize) + 24, 8)? as usize;
        for symbol in (symbols..symbols + bytes).step_by(SYMBOL_BYTES) {
            let at = names + number(symbol, 4)? as usize;
            if image.get(at..at + name.len())? == name.as_bytes() && *image.get(at + name.len())? == 0 {
                return number(symbol + 8, 8);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Cluster, ClusterOptions};

    /// Where root has all capabilities nothing else would come this way.
    #[tokio::test]
    async fn the_counter_is_reached_through_the_servers_user() {
        let cluster = Cluster::start(ClusterOptions::new(15)).await.unwrap();
        let user = ServerUser::find().unwrap();
        let pid = cluster.server_pid().unwrap();
        let executable = cluster.installation().bin_dir.join("postgres");
        let through = OidCounter::find_in(Memory::ThroughUser { user, pid }, &executable).unwrap();
        through.set(1_234_567_890).unwrap();
        assert_eq!(through.get().unwrap(), 1_234_567_890);
        assert_eq!(cluster.oid_counter().unwrap().get().unwrap(), 1_234_567_890);
    }
}
