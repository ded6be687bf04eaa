//! Sets the object id, or the transaction id, that a stopped server hands out next.
//!
//! `pg_resetwal -o` and `-x` do it. Where an installation lacks that program (the npm packages do), we write what the next
//! start reads: a cleanly stopped server takes the counters from its last checkpoint, up to 14 from the record in the
//! write-ahead log, later from the copy in `pg_control`. The new value goes to both, with their checksums made right.
//!
//! Layouts: `ControlFileData` and `CheckPoint` (catalog/pg_control.h), `XLogRecord` (access/xlogrecord.h) and the page
//! headers (access/xlog_internal.h), the same from 14 to 18 in the part that is used here. Every assumption is checked
//! before a byte is written, the record's checksum included.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// In `pg_control`: where the last checkpoint record is, its copy, and the counter in that copy.
const CONTROL_CHECKPOINT_LSN: usize = 32;
const CONTROL_CHECKPOINT_COPY: usize = 40;
/// In `CheckPoint`: the timeline, and the counters.
const CHECKPOINT_TIMELINE: usize = 8;
const CHECKPOINT_NEXT_XID: usize = 24;
const CHECKPOINT_NEXT_OID: usize = 32;
/// `XLogRecord`: the whole header, the rmgr, the checksum.
const RECORD_HEADER_BYTES: usize = 24;
const RECORD_INFO: usize = 16;
const RECORD_RMID: usize = 17;
const RECORD_CRC: usize = 20;
/// After the header: one byte that says "short main data", one with its length.
const SHORT_DATA_HEADER_BYTES: usize = 2;
const BLOCK_ID_DATA_SHORT: u8 = 255;
const RMGR_XLOG: u8 = 0;
const INFO_CHECKPOINT_SHUTDOWN: u8 = 0;

const WAL_PAGE_BYTES: u64 = 8192;
const SHORT_PAGE_HEADER_BYTES: u64 = 24;
const LONG_PAGE_HEADER_BYTES: u64 = 40;
/// In the long page header of a segment's first page.
const LONG_HEADER_SEGMENT_BYTES: usize = 32;

/// A counter that a server takes from its last checkpoint.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Counter {
    /// The next object id.
    Oid(u32),
    /// The next transaction id, in the first lap of the counter.
    Xid(u32),
}

impl Counter {
    /// Where it is in `CheckPoint`, and what is to be there.
    fn field(self) -> (usize, Vec<u8>) {
        match self {
            Counter::Oid(oid) => (CHECKPOINT_NEXT_OID, oid.to_le_bytes().to_vec()),
            // The lap is in the upper half.
            Counter::Xid(xid) => (CHECKPOINT_NEXT_XID, u64::from(xid).to_le_bytes().to_vec()),
        }
    }
}

/// Writes `counter` into the last checkpoint record of the cleanly stopped cluster in `data_dir`.
pub(crate) fn write(data_dir: &Path, counter: Counter) -> Result<()> {
    let (field, value) = counter.field();
    let control_path = data_dir.join("global/pg_control");
    let control =
        fs::read(&control_path).map_err(Error::io(format!("reading {}", control_path.display())))?;
    let bad = |what: &str| Error::Program {
        doing: format!("setting {counter:?} in {}", data_dir.display()),
        output: format!("{what}; was the server stopped in good order?"),
    };
    let lsn = u64_at(&control, CONTROL_CHECKPOINT_LSN).ok_or_else(|| bad("pg_control is too short"))?;
    let timeline = u32_at(&control, CONTROL_CHECKPOINT_COPY + CHECKPOINT_TIMELINE)
        .ok_or_else(|| bad("pg_control is too short"))?;
    let wal = Wal::open(data_dir.join("pg_wal"), timeline)?;
    let mut record = wal.read(lsn, RECORD_HEADER_BYTES)?;
    let total = u32_at(&record, 0).unwrap_or(0) as usize;
    if !(RECORD_HEADER_BYTES + SHORT_DATA_HEADER_BYTES + CHECKPOINT_NEXT_OID + 4..=512).contains(&total)
        || record[RECORD_RMID] != RMGR_XLOG
        || record[RECORD_INFO] & 0xF0 != INFO_CHECKPOINT_SHUTDOWN
    {
        return Err(bad("the last checkpoint is not one of a shutdown"));
    }
    record = wal.read(lsn, total)?;
    let at = RECORD_HEADER_BYTES + SHORT_DATA_HEADER_BYTES + field;
    let in_control = CONTROL_CHECKPOINT_COPY + field;
    let is_as_known = record[RECORD_HEADER_BYTES] == BLOCK_ID_DATA_SHORT
        && usize::from(record[RECORD_HEADER_BYTES + 1])
            == total - RECORD_HEADER_BYTES - SHORT_DATA_HEADER_BYTES
        && u32_at(&record, RECORD_CRC) == Some(record_crc(&record))
        && record.get(at..at + value.len()) == control.get(in_control..in_control + value.len());
    if !is_as_known {
        return Err(bad("the checkpoint record does not look as expected"));
    }
    record[at..at + value.len()].copy_from_slice(&value);
    let crc = record_crc(&record);
    record[RECORD_CRC..RECORD_CRC + 4].copy_from_slice(&crc.to_le_bytes());
    let control = control_with(control, in_control, &value)
        .ok_or_else(|| bad("pg_control's checksum is not where expected"))?;
    wal.write(lsn, &record)?;
    fs::write(&control_path, control).map_err(Error::io(format!("writing {}", control_path.display())))
}

/// `pg_control` with the counter changed. Its checksum comes right after the last field, and the fields differ from
/// major to major: it is where the checksum of all before it is found.
fn control_with(mut control: Vec<u8>, at: usize, value: &[u8]) -> Option<Vec<u8>> {
    let first = CONTROL_CHECKPOINT_COPY + CHECKPOINT_NEXT_OID + 4;
    let crc_at = (first..512).find(|at| u32_at(&control, *at) == Some(!crc32c(!0, &control[..*at])))?;
    control.get_mut(at..at + value.len())?.copy_from_slice(value);
    let crc = !crc32c(!0, &control[..crc_at]);
    control[crc_at..crc_at + 4].copy_from_slice(&crc.to_le_bytes());
    Some(control)
}

/// The checksum covers the data first, then the header up to the checksum itself.
fn record_crc(record: &[u8]) -> u32 {
    let crc = crc32c(!0, &record[RECORD_HEADER_BYTES..]);
    !crc32c(crc, &record[..RECORD_CRC])
}

/// CRC-32C (Castagnoli), bit by bit: a record has about a hundred bytes.
fn crc32c(mut crc: u32, bytes: &[u8]) -> u32 {
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0x82F6_3B78 & (crc & 1).wrapping_neg());
        }
    }
    crc
}

/// The write-ahead log as a stream of bytes: records run across pages and segments, page headers are skipped.
struct Wal {
    directory: PathBuf,
    timeline: u32,
    segment_bytes: u64,
}

impl Wal {
    fn open(directory: PathBuf, timeline: u32) -> Result<Wal> {
        let reading = || format!("reading {}", directory.display());
        let first = fs::read_dir(&directory)
            .map_err(Error::io(reading()))?
            .flatten()
            .map(|e| e.path())
            .find(|p| p.file_name().is_some_and(|n| n.len() == 24));
        let Some(first) = first else {
            return Err(Error::Request(format!("{} has no segment", directory.display())));
        };
        // Every segment has the length that the cluster was made with.
        let segment_bytes = fs::metadata(&first).map_err(Error::io(reading()))?.len();
        let header = read_at(&first, 0, LONG_PAGE_HEADER_BYTES as usize)?;
        match u32_at(&header, LONG_HEADER_SEGMENT_BYTES) {
            // A recycled segment may not have been written yet; then its length is all there is to go by.
            Some(said) if u64::from(said) == segment_bytes || said == 0 => Ok(Wal {
                directory,
                timeline,
                segment_bytes,
            }),
            _ => Err(Error::Request(format!(
                "{} has an unexpected segment size",
                directory.display()
            ))),
        }
    }

    fn read(&self, lsn: u64, bytes: usize) -> Result<Vec<u8>> {
        let mut out = Vec::with_capacity(bytes);
        for (path, offset, length) in self.pieces(lsn, bytes) {
            out.extend(read_at(&path, offset, length)?);
        }
        Ok(out)
    }

    fn write(&self, lsn: u64, mut bytes: &[u8]) -> Result<()> {
        for (path, offset, length) in self.pieces(lsn, bytes.len()) {
            let (piece, rest) = bytes.split_at(length);
            File::options()
                .write(true)
                .open(&path)
                .and_then(|file| file.write_all_at(piece, offset))
                .map_err(Error::io(format!("writing {}", path.display())))?;
            bytes = rest;
        }
        Ok(())
    }

    /// Where `bytes` of the stream lie, beginning at `lsn`: file, offset, length.
    fn pieces(&self, mut lsn: u64, mut bytes: usize) -> Vec<(PathBuf, u64, usize)> {
        let mut pieces = Vec::new();
        while bytes > 0 {
            if lsn.is_multiple_of(WAL_PAGE_BYTES) {
                lsn += match lsn % self.segment_bytes {
                    0 => LONG_PAGE_HEADER_BYTES,
                    _ => SHORT_PAGE_HEADER_BYTES,
                };
            }
            let length = bytes.min((WAL_PAGE_BYTES - lsn % WAL_PAGE_BYTES) as usize);
            let segment = lsn / self.segment_bytes;
            let segments_per_id = 0x1_0000_0000 / self.segment_bytes;
            let name = format!(
                "{:08X}{:08X}{:08X}",
                self.timeline,
                segment / segments_per_id,
                segment % segments_per_id
            );
            pieces.push((self.directory.join(name), lsn % self.segment_bytes, length));
            lsn += length as u64;
            bytes -= length;
        }
        pieces
    }
}

fn read_at(path: &Path, offset: u64, bytes: usize) -> Result<Vec<u8>> {
    let mut out = vec![0; bytes];
    File::open(path)
        .and_then(|file| file.read_exact_at(&mut out, offset))
        .map_err(Error::io(format!("reading {}", path.display())))?;
    Ok(out)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_castagnolis() {
        // The check value of CRC-32C.
        assert_eq!(!crc32c(!0, b"123456789"), 0xE306_9283);
    }

    #[test]
    fn a_record_steps_over_page_and_segment_headers() {
        let wal = Wal {
            directory: PathBuf::from("w"),
            timeline: 1,
            segment_bytes: 16 << 20,
        };
        let segment = 16 << 20;
        let pieces = wal.pieces(segment - 8, 20);
        assert_eq!(
            pieces,
            [
                (PathBuf::from("w/000000010000000000000000"), segment - 8, 8),
                (
                    PathBuf::from("w/000000010000000000000001"),
                    LONG_PAGE_HEADER_BYTES,
                    12
                ),
            ]
        );
        let pieces = wal.pieces(0x1_0000_0000 + 8192 - 4, 8);
        assert_eq!(pieces[0].0, PathBuf::from("w/000000010000000100000000"));
        assert_eq!(pieces[1].1, 8192 + SHORT_PAGE_HEADER_BYTES);
    }
}
