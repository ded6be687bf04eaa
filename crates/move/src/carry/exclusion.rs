//! Exclusion constraints: no two rows for which all of the given operators hold.
//!
//! Like the unique ones they are added after the copy, while the mirror stands still: a target that lags may hold two
//! rows that the source never had together.

use corridor_pg::catalog::{Constraint, ConstraintKind, Index};

use super::unique::with_storage;
use super::{Carried, Carry};
use crate::fault::EXCLUSION_CONSTRAINT;
use crate::plan::{LockMode, Step};
use crate::shape::Shape;

/// The first major in which a partitioned table may have one.
const ON_PARTITIONED: i32 = 17;

/// Adds every exclusion constraint.
pub fn carry(carry: &Carry<'_>, out: &mut Carried) {
    let exclusions = carry.table.constraints.iter();
    for constraint in exclusions.filter(|c| c.kind == ConstraintKind::Exclusion) {
        let index = constraint.index_oid.and_then(|oid| carry.table.index(oid));
        let Some((index, names)) = index.and_then(|i| Some((i, carry.names.index(i.oid)?))) else {
            continue;
        };
        if !index.is_valid {
            // `index` refuses it.
            continue;
        }
        if let Some(why) = obstacle(carry, constraint, index) {
            out.refuse(&EXCLUSION_CONSTRAINT, format!("{}: {why}", constraint.name));
            continue;
        }
        let target = &carry.names.target;
        let step = Step::new(
            format!("exclusion constraint {}", constraint.name),
            format!(
                "alter table {target} add constraint {} {}",
                names.own.new,
                with_storage(&constraint.definition, "", index)
            ),
        );
        out.index
            .push(step.whole_build([(target, LockMode::AccessExclusive)]));
    }
}

fn obstacle(carry: &Carry<'_>, constraint: &Constraint, index: &Index) -> Option<String> {
    if !carry.is_partitioned() {
        return None;
    }
    if carry.is_source_partitioned() && *carry.shape == Shape::Same {
        return Some("those of the partitions would have other names than now".into());
    }
    if carry.major < ON_PARTITIONED {
        return Some("a partitioned table cannot have one before PostgreSQL 17".into());
    }
    // One part for each element: "during WITH &&". PostgreSQL wants equality for each partition column.
    let missing = carry.shape.columns().iter().find(|column| {
        let is_in_key = index.has_key_column(column);
        !is_in_key || !constraint.definition.contains(&format!("{column} WITH ="))
    })?;
    Some(format!(
        "it does not compare the partition column {missing} for equality, and so could not hold across partitions"
    ))
}

#[cfg(test)]
mod tests {
    use corridor_pg::Oid;

    use super::*;
    use crate::carry::sample;

    fn table(definition: &str) -> corridor_pg::catalog::Table {
        let mut table = sample::table("persons");
        let mut index = sample::index(103, "no_overlap", &["team_id", "name"]);
        index.is_exclusion = true;
        index.constraint_oid = Some(Oid(901));
        index.tablespace = Some(sample::id("fast"));
        table.indexes.push(index);
        table.constraints.push(Constraint {
            oid: Oid(901),
            kind: ConstraintKind::Exclusion,
            index_oid: Some(Oid(103)),
            ..sample::check("no_overlap", definition)
        });
        table
    }

    #[test]
    fn its_storage_stands_before_its_predicate() {
        let table = table(
            "EXCLUDE USING gist (team_id WITH =, name WITH &&) WITH (fillfactor='70') WHERE ((id > 0)) DEFERRABLE",
        );
        let out = sample::carried_as(&table, &Shape::Same, 14, carry);
        assert_eq!(
            out.index[0].sql,
            "alter table public.persons__c_new_t add constraint no_overlap__c_new_t EXCLUDE USING gist \
             (team_id WITH =, name WITH &&) WITH (fillfactor='70') USING INDEX TABLESPACE fast WHERE ((id > 0)) DEFERRABLE"
        );
    }

    #[test]
    fn over_partitions_it_must_compare_their_columns_for_equality() {
        let good = table("EXCLUDE USING gist (team_id WITH =, name WITH &&)");
        let bad = table("EXCLUDE USING gist (team_id WITH <>, name WITH &&)");
        let of = |table, major| sample::carried_as(table, &sample::shape(), major, carry);
        assert_eq!(of(&good, 17).refusals, []);
        assert_eq!(of(&good, 16).refusals[0].code, "MOV-038");
        assert_eq!(of(&bad, 17).refusals[0].code, "MOV-038");
    }
}
