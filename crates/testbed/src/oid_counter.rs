//! The object id counter of a running server: reads it and sets it, in the server's shared memory.
//!
//! `pg_resetwal -o` needs a stopped server, and a run of used ids is walked through once and then left behind. To keep
//! an incident alive while an application works, the counter has to be put back while the server runs. No SQL does
//! that. The counter is the first word of a structure in shared memory, and the server's executable exports the
//! pointer to it (extensions need it), so the place can be found from outside.
//!
//! Linux only. We need the right to write `/proc/<pid>/mem`: the server is our child and runs as our user, or we are
//! root. Writing races with a backend that is just taking an id; then our value is lost, and the caller writes again.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::error::{Error, Result};

/// The pointer's name up to 16, and from 17 on. Both structures begin with `Oid nextOid`.
const SYMBOLS: [&str; 2] = ["ShmemVariableCache", "TransamVariables"];

/// The counter of one running server. Void after a restart.
#[derive(Debug)]
pub struct OidCounter {
    memory: File,
    address: u64,
}

impl OidCounter {
    /// Finds the counter of the server with this main process and executable.
    pub(crate) fn find(pid: u32, executable: &Path) -> Result<OidCounter> {
        let finding = "finding the server's object id counter";
        let image = fs::read(executable).map_err(Error::io(finding))?;
        let Some(symbol) = SYMBOLS.iter().find_map(|name| exported(&image, name)) else {
            return Err(Error::Request(format!(
                "{finding}: {} is not an executable as expected",
                executable.display()
            )));
        };
        let maps = fs::read_to_string(format!("/proc/{pid}/maps")).map_err(Error::io(finding))?;
        let Some(base) = base_address(&maps, executable) else {
            return Err(Error::Request(format!(
                "{finding}: process {pid} runs something else"
            )));
        };
        let memory = File::options()
            .read(true)
            .write(true)
            .open(format!("/proc/{pid}/mem"))
            .map_err(Error::io(finding))?;
        let mut pointer = [0; 8];
        memory
            .read_exact_at(&mut pointer, base + symbol)
            .map_err(Error::io(finding))?;
        let counter = OidCounter {
            memory,
            address: u64::from_le_bytes(pointer),
        };
        counter.get()?;
        Ok(counter)
    }

    /// The id that the server tries next.
    pub fn get(&self) -> Result<u32> {
        let mut word = [0; 4];
        self.memory
            .read_exact_at(&mut word, self.address)
            .map_err(Error::io("reading the server's object id counter"))?;
        Ok(u32::from_le_bytes(word))
    }

    /// Makes the server try `oid` next.
    pub fn set(&self, oid: u32) -> Result<()> {
        self.memory
            .write_all_at(&oid.to_le_bytes(), self.address)
            .map_err(Error::io("setting the server's object id counter"))
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
