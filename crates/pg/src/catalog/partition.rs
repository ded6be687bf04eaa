//! Partitions of a partitioned table.

use serde::{Deserialize, Serialize};

use super::Table;

/// A partition of a partitioned table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Partition {
    /// What stands after `attach partition NAME`: `FOR VALUES WITH (modulus 8, remainder 0)` or `DEFAULT`.
    pub bounds: String,
    /// `detach … concurrently` has begun and not ended.
    pub is_detach_pending: bool,
    /// The partition itself, with everything that hangs on it; partitions of its own are not read.
    pub table: Table,
}
