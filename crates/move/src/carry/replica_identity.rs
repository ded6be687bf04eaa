//! Replica identity: what logical decoding writes of the old row.

use corridor_pg::catalog::{Index, ReplicaIdentity};
use corridor_pg::{Ident, QualifiedName};

use super::{Carried, Carry};
use crate::fault::REPLICA_IDENTITY;
use crate::plan::Step;

/// Gives the target, and each of its partitions, the source's replica identity.
pub fn carry(carry: &Carry<'_>, out: &mut Carried) {
    let word = match carry.table.replica_identity {
        // The default needs no word.
        ReplicaIdentity::Default => return,
        ReplicaIdentity::Full => "full",
        ReplicaIdentity::Nothing => "nothing",
        ReplicaIdentity::Index => return by_index(carry, out),
    };
    let partitions = carry.names.partitions.iter();
    for relation in std::iter::once(&carry.names.target).chain(partitions) {
        out.create.push(step(relation, word));
    }
}

fn by_index(carry: &Carry<'_>, out: &mut Carried) {
    let index = carry.table.indexes.iter().find(|i| i.is_replica_identity);
    let Some((index, names)) = index.and_then(|i| Some((i, carry.names.index(i.oid)?))) else {
        // The index was dropped: PostgreSQL then writes nothing of the old row.
        out.warnings
            .push("the replica identity was an index that is gone; the new table has the default".into());
        return;
    };
    if let Some(why) = obstacle(carry, index) {
        out.refuse(&REPLICA_IDENTITY, format!("{}: {why}", index.name));
        return;
    }
    // After the copy: the index is there then, and nothing that the copy wrote needed an old row.
    out.index.push(step(&carry.names.target, &using(&names.own.new)));
    if index.oid == carry.key_index {
        // Partitions of a primary key have it as their default.
        return;
    }
    for (partition, name) in carry.names.partitions.iter().zip(&names.on_partitions) {
        out.index.push(step(partition, &using(name)));
    }
}

fn obstacle(carry: &Carry<'_>, index: &Index) -> Option<String> {
    if !carry.is_partitioned() {
        return None;
    }
    if index.oid == carry.key_index && !index.is_primary {
        return Some("the key of the move is made with the table, and has no names on its partitions".into());
    }
    let missing = carry.missing_columns(|c| index.has_key_column(c));
    let is_nullable = |name: &&&Ident| carry.table.column(name).is_none_or(|c| !c.is_not_null);
    let nullable = missing.iter().find(is_nullable)?;
    Some(format!("it has to be widened by {nullable}, which may be null"))
}

fn using(index: &Ident) -> String {
    format!("using index {index}")
}

fn step(relation: &QualifiedName, word: &str) -> Step {
    Step::new(
        format!("replica identity of {}", relation.name),
        format!("alter table {relation} replica identity {word}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::carry::sample;
    use crate::shape::Shape;

    fn sql(steps: &[Step]) -> Vec<&str> {
        steps.iter().map(|s| s.sql.as_str()).collect()
    }

    #[test]
    fn a_word_goes_to_every_relation_before_the_copy() {
        let mut table = sample::table("persons");
        table.replica_identity = ReplicaIdentity::Full;
        let out = sample::carried(&table, carry);
        assert_eq!(
            sql(&out.create),
            [
                "alter table public.persons__c_new_t replica identity full",
                "alter table public.persons_p0 replica identity full",
                "alter table public.persons_p1 replica identity full",
            ]
        );
    }

    #[test]
    fn an_index_is_named_once_it_is_there() {
        let mut table = sample::table("persons");
        table.replica_identity = ReplicaIdentity::Index;
        let mut index = sample::index(102, "persons_team_idx", &["team_id"]);
        index.is_unique = true;
        index.is_replica_identity = true;
        table.indexes.push(index);
        let out = sample::carried(&table, carry);
        assert_eq!(
            sql(&out.index),
            [
                "alter table public.persons__c_new_t replica identity using index persons_team_idx__c_new_t",
                "alter table public.persons_p0 replica identity using index persons_team_idx_p0",
                "alter table public.persons_p1 replica identity using index persons_team_idx_p1",
            ]
        );
        table.indexes[1].columns.clear();
        table.columns[1].is_not_null = false;
        assert_eq!(sample::carried(&table, carry).refusals[0].code, "MOV-046");
        assert_eq!(sample::carried_as(&table, &Shape::Same, 14, carry).refusals, []);
    }
}
