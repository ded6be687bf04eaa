//! Relations as a rehearsal sees them: plain data.

use std::collections::{BTreeMap, BTreeSet};

/// What a relation is to the table that it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// An index.
    Index,
    /// The TOAST table, or the index of it.
    Toast,
    /// The sequence of a column.
    Sequence,
}

/// One relation.
#[derive(Debug, Clone)]
pub struct Relation {
    /// Its schema; of a TOAST table its table's.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// `relkind`
    pub kind: char,
    /// The number of its file; 0 where it has none.
    pub file: u32,
    /// The table that it belongs to.
    pub part: Option<(Part, u32)>,
}

/// How two relations hang together.
#[derive(Debug, Clone)]
pub enum Tie {
    /// A partition, or a child by inheritance.
    Child {
        /// The partition.
        relation: u32,
        /// Its parent.
        parent: u32,
    },
    /// The default partition.
    Default {
        /// The partition.
        relation: u32,
        /// Its parent.
        parent: u32,
    },
    /// A foreign key.
    References {
        /// The table that has it.
        relation: u32,
        /// The table that it points to.
        referenced: u32,
    },
    /// A column of a domain.
    Domain {
        /// The table.
        relation: u32,
        /// The domain, without its schema.
        domain: String,
    },
}

/// All relations at one moment.
#[derive(Debug, Clone, Default)]
pub struct Catalogue {
    /// By id.
    pub relations: BTreeMap<u32, Relation>,
    /// How they hang together.
    pub ties: Vec<Tie>,
}

impl Catalogue {
    /// The table that a relation belongs to, or the relation itself.
    pub fn whole(&self, oid: u32) -> u32 {
        match self.relations.get(&oid).and_then(|relation| relation.part) {
            Some((_, owner)) => owner,
            None => oid,
        }
    }

    /// `schema.name`, as SQL takes it; the schema `public` is left out.
    pub fn called(&self, oid: u32) -> String {
        let quoted = crate::ir::quoted;
        match self.relations.get(&oid) {
            Some(it) if it.schema == "public" => quoted(&it.name),
            Some(it) => format!("{}.{}", quoted(&it.schema), quoted(&it.name)),
            None => oid.to_string(),
        }
    }

    /// Partitions and children, and theirs.
    pub fn descendants(&self, oid: u32) -> BTreeSet<u32> {
        self.reach(oid, |tie| match tie {
            Tie::Child { relation, parent } | Tie::Default { relation, parent } => Some((*parent, *relation)),
            _ => None,
        })
    }

    /// Parents, and theirs.
    pub fn ancestors(&self, oid: u32) -> BTreeSet<u32> {
        self.reach(oid, |tie| match tie {
            Tie::Child { relation, parent } | Tie::Default { relation, parent } => Some((*relation, *parent)),
            _ => None,
        })
    }

    fn reach(&self, oid: u32, step: impl Fn(&Tie) -> Option<(u32, u32)>) -> BTreeSet<u32> {
        let mut found = BTreeSet::new();
        let mut open = vec![oid];
        while let Some(at) = open.pop() {
            for (from, to) in self.ties.iter().filter_map(&step) {
                if from == at && to != oid && found.insert(to) {
                    open.push(to);
                }
            }
        }
        found
    }

    /// Who stands in a role beside a relation, by what the catalogue knows.
    pub fn in_role(&self, role: &str, oid: u32) -> BTreeSet<u32> {
        let ties = self.ties.iter();
        match role {
            // What is done to a table is done to its partitions.
            "table" => self.descendants(oid).into_iter().chain([oid]).collect(),
            "partition" => self.descendants(oid),
            "parent" => self.ancestors(oid),
            "default" => ties
                .filter_map(|tie| match tie {
                    Tie::Default { relation, parent }
                        if *parent == oid || self.ancestors(oid).contains(parent) =>
                    {
                        Some(*relation)
                    }
                    _ => None,
                })
                .collect(),
            "referenced" => ties
                .filter_map(|tie| match tie {
                    Tie::References { relation, referenced } if *relation == oid => Some(*referenced),
                    _ => None,
                })
                .collect(),
            "referencing" => ties
                .filter_map(|tie| match tie {
                    Tie::References { relation, referenced } if *referenced == oid => Some(*relation),
                    _ => None,
                })
                .collect(),
            _ => BTreeSet::new(),
        }
    }

    /// Tables with a column of a domain.
    pub fn users_of_domain(&self, domain: &str) -> BTreeSet<u32> {
        self.ties
            .iter()
            .filter_map(|tie| match tie {
                Tie::Domain { relation, domain: of } if of == domain => Some(*relation),
                _ => None,
            })
            .collect()
    }
}
