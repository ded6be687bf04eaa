//! How large one thing may be: a relation (32 TB), a table's columns (1,600 numbers, dropped ones included), a tree of
//! partitions (the locks of a query that reads all of it), and the table of locks that all sessions share.
//!
//! Sizes come from the catalogue, as of the last vacuum; only the few largest relations are asked for theirs.

mod judge;
mod read;
pub mod tree;

use corridor_pg::{Oid, Result};
use serde::Serialize;

use crate::finding::Finding;
use crate::metric::{Metric, Unit};
use crate::probe::words::qualified;
use crate::probe::{Judging, Probe, Scope};
use crate::reader::Reader;
use crate::sample::Sample;
use crate::tree::Tree;

/// How large.
pub static RELATION_BYTES: Metric = Metric::gauge(
    "relation_size_bytes",
    Unit::Bytes,
    "Size of a table, a TOAST relation or an index by itself; the largest ones.",
)
.kept();
/// How many columns.
pub static COLUMNS_USED: Metric = Metric::gauge(
    "table_columns_used",
    Unit::Count,
    "Column numbers that a table has used, those of dropped columns included; the limit is 1,600.",
)
.kept();
/// How many relations.
pub static TREE_RELATIONS: Metric = Metric::gauge(
    "partition_tree_relations",
    Unit::Count,
    "Tables and indexes of a tree of partitions: what a query over all of it locks.",
)
.kept();
/// The table of locks.
pub static LOCKS_HELD: Metric = Metric::gauge(
    "lock_table_used_ratio",
    Unit::Ratio,
    "Share of the shared table of locks that is taken, as it is sized by the settings.",
);

/// Blocks that a relation can have: numbers of 32 bits, of which the last one means none.
pub const BLOCKS_MAX: f64 = 4_294_967_295.0;
/// Column numbers that a table can have.
pub const COLUMNS_MAX: f64 = 1_600.0;
/// The server plans room for twice as many holders as there are locks.
const HOLDERS_PER_LOCK: f64 = 2.0;
/// What a session keeps for itself, to PostgreSQL 17.
const FAST_PATH: f64 = 16.0;

/// A relation by itself: one file in the server's eyes.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Relation {
    /// Which.
    pub oid: Oid,
    /// Its own schema.
    pub relation_schema: String,
    /// Its own name.
    pub relation_name: String,
    /// An index.
    pub is_index: bool,
    /// A TOAST relation.
    pub is_toast: bool,
    /// Its table's schema.
    pub schema: String,
    /// Its table.
    pub table: String,
    /// Schema and name of the partitioned table at the top, when its table is a partition.
    pub root: Option<(String, String)>,
    /// Pages: now for the largest, else as of the last vacuum.
    pub pages: f64,
    /// It was asked, and not only looked up in the catalogue.
    pub is_measured: bool,
    /// Bytes of a page.
    pub block_bytes: f64,
    /// Live rows, by the statistics views.
    pub live_rows: f64,
    /// Dead rows.
    pub dead_rows: f64,
    /// First column of the primary key of the whole table.
    pub key_column: Option<String>,
}

impl Relation {
    /// `public.persons`, `TOAST of public.persons`, `public.persons_pkey`.
    pub fn object(&self) -> String {
        if self.is_toast {
            return format!("TOAST of {}.{}", self.schema, self.table);
        }
        format!("{}.{}", self.relation_schema, self.relation_name)
    }

    fn bytes(&self) -> f64 {
        self.pages * self.block_bytes
    }

    fn dead_share(&self) -> f64 {
        self.dead_rows / (self.live_rows + self.dead_rows).max(1.0)
    }
}

/// A table that has used many column numbers.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Wide {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub table: String,
    /// Schema and name of the partitioned table at the top, when it is a partition.
    pub root: Option<(String, String)>,
    /// Numbers that were given out.
    pub used: f64,
    /// Of which dropped.
    pub dropped: f64,
}

/// A tree of partitions.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct PartitionTree {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub table: String,
    /// Tables that hold rows.
    pub partitions: f64,
    /// Tables and indexes: the locks of a query that cannot leave any of them out.
    pub relations: f64,
    /// Size of its tables, as of the last vacuum.
    pub bytes: f64,
    /// `HASH (team_id)`; `None` for plain inheritance.
    pub partition_key: Option<String>,
}

/// The table of locks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Locks {
    /// `max_locks_per_transaction`.
    pub locks_each: f64,
    /// `max_connections`.
    pub max_connections: f64,
    /// `max_prepared_transactions`.
    pub max_prepared: f64,
    /// Objects that are locked.
    pub objects: f64,
    /// Places of holders that are taken: an object that three sessions lock takes three.
    pub holders: f64,
    /// What the one with most of them has.
    pub top_places: f64,
    /// Its session; `None` for a prepared transaction.
    pub top_pid: Option<i32>,
}

impl Locks {
    /// Objects that have room, by the settings. There is somewhat more: background processes count too, and the server
    /// keeps a reserve.
    pub fn objects_max(&self) -> f64 {
        self.locks_each * (self.max_connections + self.max_prepared)
    }

    /// Places of holders.
    pub fn holders_max(&self) -> f64 {
        self.objects_max() * HOLDERS_PER_LOCK
    }

    /// The share that is taken: of the objects or of the holders, whichever is fuller.
    pub fn share(&self) -> f64 {
        let of = |used: f64, all: f64| if all > 0.0 { used / all } else { 0.0 };
        of(self.objects, self.objects_max()).max(of(self.holders, self.holders_max()))
    }

    /// Locks of tables that a session keeps for itself, in no shared table.
    pub fn fast_path(&self, server_version_num: i32) -> f64 {
        if server_version_num < 180_000 {
            return FAST_PATH;
        }
        // Groups of 16, as many as a power of two, until they hold what a transaction is expected to lock.
        let mut slots = FAST_PATH;
        while slots < self.locks_each && slots < FAST_PATH * 1_024.0 {
            slots *= 2.0;
        }
        slots
    }

    /// How many sessions that lock so many relations each fill the table; `None`: none of them reaches it.
    pub fn sessions_to_fill(&self, relations: f64, server_version_num: i32) -> Option<f64> {
        let each = relations - self.fast_path(server_version_num);
        if each <= 0.0 || self.locks_each <= 0.0 {
            return None;
        }
        if each >= self.objects_max() {
            return Some(1.0);
        }
        // The last one need not find room for all of them.
        Some((self.holders_max() / each).ceil())
    }
}

/// What was read.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Size {
    /// For example 150018.
    pub server_version_num: i32,
    /// The largest first.
    pub relations: Vec<Relation>,
    /// Those that have used most columns first.
    pub wide: Vec<Wide>,
    /// The largest first.
    pub trees: Vec<PartitionTree>,
    /// The table of locks.
    pub locks: Option<Locks>,
}

fn plain(schema: &str, name: &str) -> String {
    format!("{schema}.{name}")
}

/// The name for a command: of the whole tree where there is one.
fn whole(root: Option<&(String, String)>, schema: &str, table: &str) -> String {
    root.map_or_else(
        || qualified(schema, table),
        |(schema, name)| qualified(schema, name),
    )
}

impl Probe for Size {
    const NAME: &'static str = "size";
    const METRICS: &'static [&'static Metric] =
        &[&RELATION_BYTES, &COLUMNS_USED, &TREE_RELATIONS, &LOCKS_HELD];
    const TREES: &'static [&'static Tree] =
        &[&tree::RELATION, &tree::COLUMNS, &tree::PARTITIONS, &tree::LOCKS];

    async fn read(reader: &mut Reader, scope: &Scope) -> Result<Self> {
        read::read(reader, scope).await
    }

    fn samples(&self) -> Vec<Sample> {
        let mut samples = Vec::new();
        for relation in &self.relations {
            samples.push(Sample::new(&RELATION_BYTES, relation.object(), relation.bytes()));
        }
        for wide in &self.wide {
            samples.push(Sample::new(
                &COLUMNS_USED,
                plain(&wide.schema, &wide.table),
                wide.used,
            ));
        }
        for tree in &self.trees {
            let object = plain(&tree.schema, &tree.table);
            samples.push(Sample::new(&TREE_RELATIONS, object, tree.relations));
        }
        samples.extend(
            self.locks
                .map(|locks| Sample::new(&LOCKS_HELD, "", locks.share())),
        );
        samples
    }

    fn judge(&self, judging: &Judging<'_>) -> Vec<Finding> {
        let mut findings = Vec::new();
        findings.extend(self.relations.iter().filter_map(|r| judge::relation(r, judging)));
        findings.extend(self.wide.iter().filter_map(|wide| judge::columns(wide, judging)));
        if let Some(locks) = &self.locks {
            let version = self.server_version_num;
            findings.extend(
                self.trees
                    .iter()
                    .filter_map(|tree| judge::partitions(tree, locks, version, judging)),
            );
            findings.extend(judge::locks(locks, judging));
        }
        findings
    }
}

#[cfg(test)]
mod tests;
