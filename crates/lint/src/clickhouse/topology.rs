//! What is known of the cluster: who sends the statements where, which tables belong together, and what a look at it found.

use corridor_pg::{Code, Exit, Fault, Result, Retry};
use serde::Deserialize;

/// The description of a cluster cannot be read.
pub static BAD_TOPOLOGY: Code = Code {
    id: "LNT-391",
    title: "the description of the ClickHouse cluster cannot be read",
    retry: Retry::Never,
    exit: Exit::Usage,
    hint: "See the message for the line; the guide's page on linting ClickHouse lists what may stand there.",
    page: "**Symptom.** A lint of ClickHouse files ends before it has read one of them, and names a line of the description.\n\n\
           **Why.** The description is TOML, and a name in it that is not known is refused: a pair under a name with a slip of \
           the pen would silence a rule without a word.\n\n\
           **Safe way.** Correct the line. Everything in the description may be left out; the smallest one is an empty file.",
};

/// Who carries the statements of a file to the nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Runner {
    /// Statements are sent to one node; what concerns all of them says `ON CLUSTER`.
    OneNode,
    /// Each statement is sent to every node by the runner.
    EveryNode,
    /// Each statement is sent to one replica of each shard by the runner.
    OncePerShard,
}

/// What the nodes of a cluster are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// They hold rows.
    Data,
    /// They hold no rows; queries begin there.
    Coordinator,
    /// They hold Kafka tables and their views.
    Ingestion,
    /// All nodes.
    All,
}

/// A cluster, as `ON CLUSTER` names it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClusterNodes {
    /// Its name.
    pub name: String,
    /// Number of shards.
    pub shards: Option<u32>,
    /// Replicas of each shard.
    pub replicas: Option<u32>,
    /// What its nodes are for.
    pub role: Option<Role>,
}

/// A database.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    /// Its name.
    pub name: String,
    /// The cluster that it lives on.
    pub cluster: Option<String>,
    /// True when its engine is `Replicated`: it carries statements to its replicas itself.
    #[serde(default)]
    pub is_replicated: bool,
}

/// A table that holds the rows of a shard, and the Distributed table over it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pair {
    /// Database of both; any when left out.
    pub database: Option<String>,
    /// The table with the rows.
    pub local: String,
    /// The Distributed table.
    pub distributed: String,
}

/// A table, as it is before the files are carried out.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnownTable {
    /// Its database; the default one when left out.
    pub database: Option<String>,
    /// Its name.
    pub name: String,
    /// Its engine, as `system.tables` says.
    pub engine: Option<String>,
    /// Bytes on disk of one replica.
    pub size_bytes: Option<u64>,
    /// `sorting_key` of `system.tables`.
    pub order_by: Option<String>,
    /// `primary_key` of `system.tables`.
    pub primary_key: Option<String>,
    /// `partition_key` of `system.tables`.
    pub partition_by: Option<String>,
    /// The sharding key of a Distributed table.
    pub sharding_key: Option<String>,
    /// `as_select` of a view.
    pub query: Option<String>,
    /// Type of each column.
    #[serde(default)]
    pub columns: std::collections::BTreeMap<String, String>,
}

/// What a look at a table on one host found.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Observed {
    /// The host.
    pub host: String,
    /// The shard that the host belongs to.
    pub shard: Option<u32>,
    /// Database of the table; the default one when left out.
    pub database: Option<String>,
    /// The table.
    pub table: String,
    /// Digest of its columns: names, types, defaults, in their order.
    pub columns_digest: Option<String>,
    /// Rows of `system.mutations` that are not done.
    #[serde(default)]
    pub unfinished_mutations: u64,
    /// `is_readonly` of `system.replicas`.
    #[serde(default)]
    pub is_readonly: bool,
    /// `queue_size` of `system.replicas`.
    #[serde(default)]
    pub queue_size: u64,
    /// `total_replicas - active_replicas`.
    #[serde(default)]
    pub absent_replicas: u64,
    /// Most active parts of one partition.
    #[serde(default)]
    pub parts_in_partition: u64,
    /// `parts_to_delay_insert` of the table.
    pub parts_limit: Option<u64>,
    /// Bytes on disk.
    pub size_bytes: Option<u64>,
    /// Free bytes of its disks.
    pub free_bytes: Option<u64>,
    /// Entries of `system.distributed_ddl_queue` that are not finished.
    #[serde(default)]
    pub ddl_queue: u64,
}

/// What is known of the cluster. All of it may be missing: then rules judge by the file and by names.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Topology {
    /// Who carries statements to the nodes.
    pub runner: Option<Runner>,
    /// The database of names that are written without one. `default` when left out.
    pub default_database: Option<String>,
    /// `max_table_size_to_drop` of the servers. 50 GB when left out.
    pub max_table_size_to_drop_bytes: Option<u64>,
    /// Clusters.
    #[serde(default, rename = "cluster")]
    pub clusters: Vec<ClusterNodes>,
    /// Databases.
    #[serde(default, rename = "database")]
    pub databases: Vec<Database>,
    /// Pairs that names do not tell.
    #[serde(default, rename = "pair")]
    pub pairs: Vec<Pair>,
    /// Tables as they are.
    #[serde(default, rename = "table")]
    pub tables: Vec<KnownTable>,
    /// What was seen on the hosts.
    #[serde(default)]
    pub observed: Vec<Observed>,
}

/// Which half of a pair a table is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Half {
    /// It holds rows; these may be the names of the Distributed table over it.
    Local(Vec<String>),
    /// It is Distributed; these may be the names of the tables under it.
    Distributed(Vec<String>),
}

impl Topology {
    /// Reads a description in TOML.
    ///
    /// ```
    /// use corridor_lint::clickhouse::Topology;
    /// let topology = Topology::from_toml("runner = 'one-node'\n[[pair]]\nlocal = 'rows'\ndistributed = 'all_rows'").unwrap();
    /// assert_eq!(topology.pairs.len(), 1);
    /// ```
    pub fn from_toml(text: &str) -> Result<Self> {
        toml::from_str(text)
            .map_err(|error| Fault::new(&BAD_TOPOLOGY, error.to_string().trim_end().to_owned()))
    }

    pub(crate) fn default_database(&self) -> &str {
        self.default_database.as_deref().unwrap_or("default")
    }

    pub(crate) fn database(&self, name: &str) -> Option<&Database> {
        self.databases.iter().find(|database| database.name == name)
    }

    pub(crate) fn cluster(&self, name: &str) -> Option<&ClusterNodes> {
        self.clusters.iter().find(|cluster| cluster.name == name)
    }

    /// Which half of which pair a table is: as described, else by its name.
    pub(crate) fn half(&self, database: &str, table: &str) -> Option<Half> {
        let mut described = self
            .pairs
            .iter()
            .filter(|p| p.database.as_deref().is_none_or(|d| d == database));
        let pairs: Vec<&Pair> = described
            .by_ref()
            .filter(|p| p.local == table || p.distributed == table)
            .collect();
        if !pairs.is_empty() {
            let over: Vec<String> = pairs
                .iter()
                .filter(|p| p.local == table)
                .map(|p| p.distributed.clone())
                .collect();
            let under: Vec<String> = pairs
                .iter()
                .filter(|p| p.distributed == table)
                .map(|p| p.local.clone())
                .collect();
            return Some(if over.is_empty() {
                Half::Distributed(under)
            } else {
                Half::Local(over)
            });
        }
        half_by_name(table)
    }
}

fn half_by_name(table: &str) -> Option<Half> {
    let stem = table
        .strip_prefix("sharded_")
        .or_else(|| table.strip_suffix("_local"));
    if let Some(stem) = stem.filter(|stem| !stem.is_empty()) {
        let over = ["", "_distributed", "_dist", "_all"].map(|end| format!("{stem}{end}"));
        let before = ["distributed_", "writable_"].map(|begin| format!("{begin}{stem}"));
        return Some(Half::Local(over.into_iter().chain(before).collect()));
    }
    let stem = table
        .strip_suffix("_distributed")
        .or_else(|| table.strip_suffix("_dist"))
        .or_else(|| table.strip_prefix("distributed_"))
        .or_else(|| table.strip_prefix("writable_"))
        .filter(|stem| !stem.is_empty())?;
    Some(Half::Distributed(vec![
        format!("sharded_{stem}"),
        format!("{stem}_local"),
        stem.to_owned(),
    ]))
}

#[cfg(test)]
mod tests {
    use super::{Half, Topology};

    #[test]
    fn a_name_that_is_not_known_is_refused() {
        let fault = Topology::from_toml("[[pair]]\nlocal = 'a'\ndistibuted = 'b'").unwrap_err();
        assert_eq!(fault.code().id, "LNT-391");
        assert!(fault.detail().contains("distibuted"), "{}", fault.detail());
    }

    #[test]
    fn halves_by_description_come_before_names() {
        let topology = Topology::from_toml("[[pair]]\nlocal='events_dist'\ndistributed='events'").unwrap();
        assert_eq!(
            topology.half("default", "events_dist"),
            Some(Half::Local(vec!["events".into()]))
        );
        assert_eq!(
            topology.half("default", "events"),
            Some(Half::Distributed(vec!["events_dist".into()]))
        );
        assert!(matches!(
            topology.half("default", "sharded_a"),
            Some(Half::Local(_))
        ));
        assert!(matches!(
            topology.half("default", "a_local"),
            Some(Half::Local(_))
        ));
        assert!(matches!(
            topology.half("default", "a_dist"),
            Some(Half::Distributed(_))
        ));
        assert_eq!(topology.half("default", "a"), None);
        assert_eq!(topology.half("default", "sharded_"), None);
    }
}
