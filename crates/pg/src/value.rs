//! PostgreSQL's own numbers as types of their own, so that none is mistaken for another.

use std::fmt;

use serde::{Deserialize, Serialize};

/// An object id; 0, the default, is none.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Oid(pub u32);

/// A 64-bit transaction id (`xid8`): epoch and xid in one, never wraps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Xid(pub u64);

/// A position in the write-ahead log, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Lsn(pub u64);

impl fmt::Display for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Xid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:X}/{:X}", self.0 >> 32, self.0 & 0xFFFF_FFFF)
    }
}

/// What a snapshot can see: everything below `xmin`, nothing from `xmax` on, and nothing in `in_progress`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The oldest transaction that was still running.
    pub xmin: Xid,
    /// One past the newest transaction that had ended.
    pub xmax: Xid,
    /// Transactions between the two that were still running.
    pub in_progress: Vec<Xid>,
}

impl Snapshot {
    /// True when the changes of `xid` can be seen (as `pg_visible_in_snapshot`; an aborted transaction counts as ended).
    pub fn sees(&self, xid: Xid) -> bool {
        xid < self.xmin || (xid < self.xmax && !self.in_progress.contains(&xid))
    }

    /// Reads the text form of `pg_current_snapshot()`: `811:814:811,812`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(':');
        let xmin = Xid(parts.next()?.parse().ok()?);
        let xmax = Xid(parts.next()?.parse().ok()?);
        let list = parts.next()?;
        let in_progress = match list {
            "" => Vec::new(),
            list => list
                .split(',')
                .map(|x| x.parse().ok().map(Xid))
                .collect::<Option<Vec<_>>>()?,
        };
        parts.next().is_none().then_some(Snapshot {
            xmin,
            xmax,
            in_progress,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_sees_what_had_ended() {
        let s = Snapshot::parse("811:814:811,812").unwrap();
        assert!(s.sees(Xid(810)) && s.sees(Xid(813)));
        assert!(!s.sees(Xid(811)) && !s.sees(Xid(812)) && !s.sees(Xid(814)));
        assert!(Snapshot::parse("5:5:").unwrap().in_progress.is_empty());
        assert_eq!(Snapshot::parse("5:5"), None);
    }

    #[test]
    fn an_lsn_reads_as_postgresql_writes_it() {
        assert_eq!(Lsn(0x16_B374_D848).to_string(), "16/B374D848");
    }
}
