//! The eight table locks, and which of them stand in each other's way.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A table-level lock, weakest first. Displays as SQL writes it: `ACCESS EXCLUSIVE`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum LockMode {
    /// `select`.
    #[serde(rename = "ACCESS SHARE")]
    AccessShare,
    /// `select for update` and its like.
    #[serde(rename = "ROW SHARE")]
    RowShare,
    /// `insert`, `update`, `delete`.
    #[serde(rename = "ROW EXCLUSIVE")]
    RowExclusive,
    /// `vacuum`, `analyze`, `create index concurrently`, `validate constraint`.
    #[serde(rename = "SHARE UPDATE EXCLUSIVE")]
    ShareUpdateExclusive,
    /// `create index`.
    #[serde(rename = "SHARE")]
    Share,
    /// `create trigger`, adding a foreign key.
    #[serde(rename = "SHARE ROW EXCLUSIVE")]
    ShareRowExclusive,
    /// `refresh materialized view concurrently`.
    #[serde(rename = "EXCLUSIVE")]
    Exclusive,
    /// `drop`, `truncate`, most of `alter table`.
    #[serde(rename = "ACCESS EXCLUSIVE")]
    AccessExclusive,
}

use LockMode::{
    AccessExclusive, AccessShare, Exclusive, RowExclusive, RowShare, Share, ShareRowExclusive,
    ShareUpdateExclusive,
};

impl LockMode {
    /// All of them, weakest first.
    pub const ALL: [LockMode; 8] = [
        AccessShare,
        RowShare,
        RowExclusive,
        ShareUpdateExclusive,
        Share,
        ShareRowExclusive,
        Exclusive,
        AccessExclusive,
    ];

    /// True when two sessions cannot hold `self` and `other` on one table at the same time.
    ///
    /// PostgreSQL's table "Conflicting Lock Modes"; a test compares it with a server's behaviour.
    pub fn conflicts_with(self, other: LockMode) -> bool {
        let weaker = self.min(other);
        let stronger = self.max(other);
        match weaker {
            AccessShare => stronger == AccessExclusive,
            RowShare => stronger >= Exclusive,
            RowExclusive => stronger >= Share,
            ShareUpdateExclusive => true,
            // `share` is the one that does not conflict with itself.
            Share => stronger != Share,
            ShareRowExclusive | Exclusive | AccessExclusive => true,
        }
    }

    /// Reads `pg_locks.mode`, for example `RowExclusiveLock`.
    pub fn from_pg_locks(text: &str) -> Option<Self> {
        Some(match text {
            "AccessShareLock" => AccessShare,
            "RowShareLock" => RowShare,
            "RowExclusiveLock" => RowExclusive,
            "ShareUpdateExclusiveLock" => ShareUpdateExclusive,
            "ShareLock" => Share,
            "ShareRowExclusiveLock" => ShareRowExclusive,
            "ExclusiveLock" => Exclusive,
            "AccessExclusiveLock" => AccessExclusive,
            _ => return None,
        })
    }
}

impl fmt::Display for LockMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            AccessShare => "ACCESS SHARE",
            RowShare => "ROW SHARE",
            RowExclusive => "ROW EXCLUSIVE",
            ShareUpdateExclusive => "SHARE UPDATE EXCLUSIVE",
            Share => "SHARE",
            ShareRowExclusive => "SHARE ROW EXCLUSIVE",
            Exclusive => "EXCLUSIVE",
            AccessExclusive => "ACCESS EXCLUSIVE",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_modes_are_sorted_by_strength() {
        assert!(LockMode::ALL.is_sorted());
        assert_eq!(
            serde_json::to_string(&AccessExclusive).unwrap(),
            "\"ACCESS EXCLUSIVE\""
        );
    }
}
