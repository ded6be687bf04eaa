//! Every name that a move gives or lends, decided in one place.
//!
//! Relations, indexes, sequences and types of one schema share one namespace. While source and target live side by
//! side, one of each pair needs another name: `persons__c_new_TAG` before the swap, `persons__c_old_TAG` after it. The
//! tag keeps two moves apart; where 63 bytes cut two names to the same text, a number does.

use std::collections::{BTreeMap, BTreeSet};

use corridor_pg::catalog::{SequenceLink, Table};
use corridor_pg::ident::NAME_BYTES_MAX;
use corridor_pg::{Ident, Oid, QualifiedName};

/// The schema of retired tables.
pub const RETIRED_SCHEMA: &str = "corridor_retired";

/// The three names of an object that source and target both have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Triple {
    /// What the application knows.
    pub lasting: Ident,
    /// The target's before the swap.
    pub new: Ident,
    /// The source's after the swap.
    pub old: Ident,
}

/// The names of an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexNames {
    /// On the table itself.
    pub own: Triple,
    /// On each partition of the target, final from the start.
    pub on_partitions: Vec<Ident>,
}

/// All names of one move.
#[derive(Debug, Clone)]
pub struct Names {
    /// What makes them this move's.
    pub tag: String,
    /// The table's name.
    pub source: QualifiedName,
    /// The target's before the swap.
    pub target: QualifiedName,
    /// The old table's after the swap.
    pub parked: QualifiedName,
    /// The old table's after `finish`.
    pub retired: QualifiedName,
    /// The target's partitions, as they are made. Empty where each is carried by itself ([`crate::carry::partition`]).
    pub partitions: Vec<QualifiedName>,
    /// The target's partitions after the swap.
    pub arrived: Vec<QualifiedName>,
    /// The source's partitions, as long as they are not aside.
    pub departed: Vec<QualifiedName>,
    indexes: BTreeMap<Oid, IndexNames>,
    sequences: BTreeMap<Oid, Triple>,
    statistics: BTreeMap<Oid, Triple>,
}

/// Hands out each name of a schema once.
#[derive(Debug, Default)]
struct Book(BTreeSet<Ident>);

/// The names of all schemas that a move touches.
#[derive(Debug, Default)]
pub struct Books(BTreeMap<Ident, Book>);

impl Books {
    /// Names that a schema has already.
    pub fn take(&mut self, schema: &Ident, taken: &[Ident]) {
        let book = self.0.entry(schema.clone()).or_default();
        book.0.extend(taken.iter().cloned());
    }
}

impl Book {
    /// `stem` + `suffix`, or with a number after it when that is taken.
    fn take(&mut self, stem: &str, suffix: &str) -> Ident {
        let mut name = Ident::derived(stem, suffix);
        let mut number = 2;
        while !self.0.insert(name.clone()) {
            name = Ident::derived(stem, &format!("{suffix}_{number}"));
            number += 1;
        }
        name
    }

    fn triple(&mut self, lasting: &Ident, tag: &str) -> Triple {
        Triple {
            lasting: lasting.clone(),
            new: self.take(lasting.as_str(), &format!("__c_new_{tag}")),
            old: self.take(lasting.as_str(), &format!("__c_old_{tag}")),
        }
    }
}

impl Names {
    /// Decides all names. `suffixes` has one entry for each partition (`p0`, `p2026_11`); `taken` are the names that
    /// the schema has already.
    pub fn assign(table: &Table, suffixes: &[String], tag: &str, taken: &[Ident]) -> Self {
        let mut books = Books::default();
        books.take(&table.name.schema, taken);
        Names::assign_in(&mut books, table, suffixes, tag)
    }

    /// The same for one of several tables whose names must not meet.
    pub fn assign_in(books: &mut Books, table: &Table, suffixes: &[String], tag: &str) -> Self {
        let book = books.0.entry(table.name.schema.clone()).or_default();
        let own = book.triple(&table.name.name, tag);
        let stem = table.name.name.as_str();
        let partitions = partition_names(book, stem, suffixes, tag);
        let partitions: Vec<QualifiedName> = partitions
            .into_iter()
            .map(|name| table.name.sibling(name))
            .collect();
        let mut indexes = BTreeMap::new();
        for index in &table.indexes {
            let own = book.triple(&index.name, tag);
            let on_partitions = suffixes
                .iter()
                .map(|suffix| book.take(index.name.as_str(), &format!("_{suffix}")))
                .collect();
            indexes.insert(index.oid, IndexNames { own, on_partitions });
        }
        let mut sequences = BTreeMap::new();
        for sequence in table
            .sequences
            .iter()
            .filter(|s| s.link == SequenceLink::Identity)
        {
            sequences.insert(sequence.oid, book.triple(&sequence.name.name, tag));
        }
        let mut statistics = BTreeMap::new();
        for each in &table.statistics {
            statistics.insert(each.oid, book.triple(&each.name.name, tag));
        }
        Names {
            statistics,
            tag: tag.to_owned(),
            source: table.name.clone(),
            target: table.name.sibling(own.new),
            retired: QualifiedName::new(Ident::derived(RETIRED_SCHEMA, ""), own.old.clone()),
            parked: table.name.sibling(own.old),
            arrived: partitions.clone(),
            departed: table.partitions.iter().map(|p| p.table.name.clone()).collect(),
            partitions,
            indexes,
            sequences,
        }
    }

    /// The names of the index with this id.
    pub fn index(&self, oid: Oid) -> Option<&IndexNames> {
        self.indexes.get(&oid)
    }

    /// The names of the identity sequence with this id.
    pub fn sequence(&self, oid: Oid) -> Option<&Triple> {
        self.sequences.get(&oid)
    }

    /// The names of the extended statistics with this id. Their schema may be another than the table's.
    pub fn statistics(&self, oid: Oid) -> Option<&Triple> {
        self.statistics.get(&oid)
    }

    /// Another object of the table's schema.
    pub fn sibling(&self, name: &Ident) -> QualifiedName {
        self.source.sibling(name.clone())
    }
}

/// `persons_p0`; when one of them is taken, all of them get the tag, so that they read alike: `persons_TAG_p0`.
fn partition_names(book: &mut Book, stem: &str, suffixes: &[String], tag: &str) -> Vec<Ident> {
    let plain = |suffix: &str| Ident::derived(stem, &format!("_{suffix}"));
    let is_any_taken = suffixes.iter().any(|suffix| book.0.contains(&plain(suffix)));
    let infix = if is_any_taken {
        format!("_{tag}")
    } else {
        String::new()
    };
    suffixes
        .iter()
        .map(|suffix| book.take(stem, &format!("{infix}_{suffix}")))
        .collect()
}

/// True when `tag` can stand in names: 1 to 24 lower-case letters, digits and underscores.
pub fn is_tag(tag: &str) -> bool {
    const TAG_BYTES_MAX: usize = 24;
    const { assert!(TAG_BYTES_MAX * 2 < NAME_BYTES_MAX) };
    (1..=TAG_BYTES_MAX).contains(&tag.len())
        && tag
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::carry::sample;

    #[test]
    fn names_of_two_moves_never_meet() {
        let table = sample::table("persons");
        let a = Names::assign(&table, &["p0".into()], "a1", &[]);
        let b = Names::assign(&table, &["p0".into()], "b2", &[]);
        assert_eq!(a.target.to_string(), "public.persons__c_new_a1");
        assert_eq!(a.parked.to_string(), "public.persons__c_old_a1");
        assert_eq!(a.retired.to_string(), "corridor_retired.persons__c_old_a1");
        assert_ne!(a.target, b.target);
        assert_ne!(
            a.index(Oid(101)).unwrap().own.new,
            b.index(Oid(101)).unwrap().own.new
        );
    }

    #[test]
    fn names_of_63_bytes_stay_distinct() {
        let mut table = sample::table("persons");
        let long = "é".repeat(30);
        let mut second = table.indexes[0].clone();
        table.indexes[0].name = Ident::new(format!("{long}aa")).unwrap();
        second.oid = Oid(777);
        second.name = Ident::new(format!("{long}bb")).unwrap();
        table.indexes.push(second);
        let names = Names::assign(&table, &["p0".into(), "p1".into()], "tag", &[]);
        let mut all = BTreeSet::new();
        for oid in [101, 777] {
            let index = names.index(Oid(oid)).unwrap();
            let each = [&index.own.new, &index.own.old]
                .into_iter()
                .chain(&index.on_partitions);
            for name in each {
                assert!(name.as_str().len() <= NAME_BYTES_MAX);
                assert!(all.insert(name.clone()), "{name}");
            }
        }
    }

    #[test]
    fn a_taken_partition_name_moves_all_of_them_aside() {
        let table = sample::table("persons");
        let taken = [Ident::new("persons_p1").unwrap()];
        let names = Names::assign(&table, &["p0".into(), "p1".into()], "t", &taken);
        let shown: Vec<_> = names.partitions.iter().map(|n| n.to_string()).collect();
        assert_eq!(shown, ["public.persons_t_p0", "public.persons_t_p1"]);
    }

    #[test]
    fn tags_are_plain() {
        assert!(
            is_tag("persons_7f") && !is_tag("") && !is_tag("Ä") && !is_tag("a b") && !is_tag(&"x".repeat(25))
        );
    }
}
