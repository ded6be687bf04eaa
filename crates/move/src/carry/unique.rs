//! Primary keys, unique constraints and unique indexes.
//!
//! The one that carries the mirror's key is made with the empty target; the others after the copy, because lanes that
//! copy side by side must not meet in a unique index. Over a partitioned table a unique key must contain the
//! partition columns: where it lacks some, they are appended, key columns first, so that look-ups by the old key
//! still use the index.

use corridor_pg::Ident;
use corridor_pg::catalog::{Constraint, Index};
use corridor_pg::ident::join;

use super::definition::{find_outside, index_tail, parameters, widen_tail};
use super::index::{attach_step, build};
use super::{Carried, Carry};
use crate::fault::INDEX_NOT_CARRIED;
use crate::names::IndexNames;
use crate::plan::{LockMode, Step, WidenedKey};

/// Builds every unique index and constraint, and says what a widened one no longer guarantees.
pub fn carry(carry: &Carry<'_>, out: &mut Carried) {
    // A key without overlaps (PostgreSQL 18) is unique and an exclusion in one; exclusion constraints are not unique.
    let unique = carry.table.indexes.iter().filter(|i| i.is_unique && i.is_valid);
    for index in unique {
        let Some(names) = carry.names.index(index.oid) else {
            continue;
        };
        if let Some((code, why)) = obstacle(carry, index) {
            out.refuse(code, format!("{}: {why}", index.name));
            continue;
        }
        let missing = carry.missing_columns(|c| index.has_key_column(c));
        if !missing.is_empty() {
            out.widened.push(widened(index, &missing));
        }
        let Some(tail) = index_tail(&index.definition).and_then(|tail| match missing.is_empty() {
            true => Some(tail.to_owned()),
            false => widen_tail(tail, &missing),
        }) else {
            out.refuse(
                &INDEX_NOT_CARRIED,
                format!("{}: {}", index.name, index.definition),
            );
            continue;
        };
        match index.constraint_oid {
            Some(_) => build_constraint(carry, index, names, &missing, &tail, out),
            None if index.oid == carry.key_index => build_key_index(carry, index, names, &tail, out),
            None => build(carry, index, names, &tail, out),
        }
    }
}

fn obstacle(carry: &Carry<'_>, index: &Index) -> Option<(&'static corridor_pg::Code, String)> {
    if carry.is_partitioned() && constraint(carry, index).is_some_and(|c| c.is_temporal) {
        return Some((
            &INDEX_NOT_CARRIED,
            "a key without overlaps is not carried to a partitioned table yet".into(),
        ));
    }
    carry.shape.columns().iter().find_map(|wanted| {
        let is_it = |c: &&corridor_pg::catalog::IndexColumn| c.column.as_ref() == Some(wanted);
        let column = index.columns.iter().find(is_it)?;
        let why = match column.is_included {
            true => format!("it includes the partition column {wanted}, which would have to be in its key"),
            false if !column.is_default_opclass || !column.is_column_collation => {
                format!("it compares the partition column {wanted} in another way than the partitions do")
            }
            false => return None,
        };
        Some((&INDEX_NOT_CARRIED, why))
    })
}

fn constraint<'c>(carry: &'c Carry<'_>, index: &Index) -> Option<&'c Constraint> {
    let mut all = carry.table.constraints.iter();
    all.find(|c| Some(c.oid) == index.constraint_oid)
}

fn widened(index: &Index, missing: &[&Ident]) -> WidenedKey {
    let before: Vec<String> = index.key().map(|c| c.definition.clone()).collect();
    let added: Vec<String> = missing.iter().map(|c| c.to_string()).collect();
    let after: Vec<String> = before.iter().chain(&added).cloned().collect();
    let (old, new, other) = (before.join(", "), after.join(", "), added.join(", "));
    WidenedKey {
        name: index.name.to_string(),
        lost: format!(
            "{} guarantees today that no two rows have the same ({old}); afterwards only that no two have the same \
             ({new}): two rows with the same ({old}) and different ({other}) become possible",
            index.name
        ),
        before,
        after,
    }
}

/// The key of the mirror, when no constraint owns it: made on the empty target, its partitions inherit it.
fn build_key_index(carry: &Carry<'_>, index: &Index, names: &IndexNames, tail: &str, out: &mut Carried) {
    let tail = super::definition::with_tablespace(tail, index.tablespace.as_ref());
    out.create_parent.push(Step::new(
        format!("key {}", index.name),
        format!(
            "create unique index {} on {} {tail}",
            names.own.new, carry.names.target
        ),
    ));
}

fn build_constraint(
    carry: &Carry<'_>,
    index: &Index,
    names: &IndexNames,
    missing: &[&Ident],
    tail: &str,
    out: &mut Carried,
) {
    let kind = if index.is_primary { "primary key" } else { "unique" };
    let constraint = constraint(carry, index);
    let timing = constraint.map_or("", timing);
    let clause = match constraint.filter(|c| c.is_temporal) {
        Some(temporal) => temporal_clause(temporal, index),
        None => format!("{}{timing}", constraint_clause(kind, index, missing)),
    };
    let target = &carry.names.target;
    let add = |only: &str| {
        let sql = format!(
            "alter table {only}{target} add constraint {} {clause}",
            names.own.new
        );
        Step::new(format!("{kind} {}", index.name), sql)
    };
    if index.oid == carry.key_index {
        out.create_parent.push(add(""));
        return;
    }
    if !carry.is_partitioned() {
        out.index
            .push(add("").whole_build([(target, LockMode::AccessExclusive)]));
        return;
    }
    out.index
        .push(add("only ").brief([(target, LockMode::AccessExclusive)]));
    let tail = super::definition::with_tablespace(tail, index.tablespace.as_ref());
    for (partition, name) in carry.names.partitions.iter().zip(&names.on_partitions) {
        let create = Step::new(
            format!("index {} on {}", index.name, partition.name),
            format!("create unique index {name} on {partition} {tail}"),
        );
        out.index.push(create.whole_build([(partition, LockMode::Share)]));
        let own = Step::new(
            format!("{kind} {} on {}", index.name, partition.name),
            format!("alter table {partition} add constraint {name} {kind} using index {name}{timing}"),
        );
        out.index
            .push(own.brief([(partition, LockMode::AccessExclusive)]));
        out.index.push(attach_step(carry, names, name));
    }
}

/// When a constraint is checked.
pub(super) fn timing(constraint: &Constraint) -> &'static str {
    match (constraint.is_deferrable, constraint.is_deferred) {
        (false, _) => "",
        (true, false) => " deferrable",
        (true, true) => " deferrable initially deferred",
    }
}

/// A key `without overlaps` (PostgreSQL 18), as the server writes it: its parts are no column list of an index.
fn temporal_clause(constraint: &Constraint, index: &Index) -> String {
    let options = match index.options.is_empty() {
        true => String::new(),
        false => format!(" WITH ({})", parameters(&index.options, "").join(", ")),
    };
    with_storage(&constraint.definition, &options, index)
}

/// Puts in what the server leaves out of a constraint's definition: storage parameters (of keys, not of exclusion
/// constraints) and tablespace. They stand before a predicate, and before the words on when it is checked.
pub(super) fn with_storage(definition: &str, options: &str, index: &Index) -> String {
    let mut added = options.to_owned();
    if let Some(tablespace) = &index.tablespace {
        added.push_str(&format!(" USING INDEX TABLESPACE {tablespace}"));
    }
    let tails = [" WHERE ", " DEFERRABLE"].into_iter();
    let at = tails.filter_map(|tail| find_outside(definition, tail)).min();
    let (head, tail) = definition.split_at(at.unwrap_or(definition.len()));
    format!("{head}{added}{tail}")
}

/// `primary key (id, team_id) include (name) with (fillfactor = '80') using index tablespace fast`.
fn constraint_clause(kind: &str, index: &Index, missing: &[&Ident]) -> String {
    let key = index.key().map(|c| c.definition.clone());
    let key = join(key.chain(missing.iter().map(|c| c.to_string())), ", ");
    let nulls = if index.is_nulls_not_distinct {
        " nulls not distinct"
    } else {
        ""
    };
    let mut clause = format!("{kind}{nulls} ({key})");
    let included: Vec<_> = index
        .columns
        .iter()
        .filter(|c| c.is_included)
        .map(|c| &c.definition)
        .collect();
    if !included.is_empty() {
        clause.push_str(&format!(" include ({})", join(included, ", ")));
    }
    if !index.options.is_empty() {
        clause.push_str(&format!(" with ({})", parameters(&index.options, "").join(", ")));
    }
    if let Some(tablespace) = &index.tablespace {
        clause.push_str(&format!(" using index tablespace {tablespace}"));
    }
    clause
}

#[cfg(test)]
mod tests {
    use corridor_pg::Oid;

    use super::*;
    use crate::carry::sample;
    use crate::shape::Shape;

    #[test]
    fn a_key_without_the_partition_column_is_widened_and_says_so() {
        let mut table = sample::table("persons");
        table.indexes[0].options = vec!["fillfactor=80".into()];
        let out = sample::carried(&table, carry);
        assert_eq!(
            out.create_parent[0].sql,
            "alter table public.persons__c_new_t add constraint persons_pkey__c_new_t primary key (id, team_id) \
             with (fillfactor = '80')"
        );
        assert_eq!(out.widened[0].after, ["id", "team_id"]);
        assert!(
            out.widened[0].lost.contains("same (id) and different (team_id)"),
            "{}",
            out.widened[0].lost
        );
    }

    #[test]
    fn a_key_with_the_partition_column_stays() {
        let mut table = sample::table("persons");
        table.indexes = vec![sample::primary_key(&["team_id", "id"])];
        let out = sample::carried(&table, carry);
        assert!(out.create_parent[0].sql.ends_with("primary key (team_id, id)"));
        assert_eq!(out.widened, []);
        table.indexes = vec![sample::primary_key(&["id"])];
        assert_eq!(sample::carried_as(&table, &Shape::Same, 15, carry).widened, []);
    }

    #[test]
    fn a_second_unique_constraint_is_built_on_each_partition_after_the_copy() {
        let mut table = sample::table("persons");
        let mut second = sample::primary_key(&["name"]);
        second.oid = Oid(105);
        second.name = sample::id("persons_name_key");
        second.is_primary = false;
        second.definition =
            "CREATE UNIQUE INDEX persons_name_key ON public.persons USING btree (name)".into();
        table.indexes.push(second);
        let out = sample::carried(&table, carry);
        let sql: Vec<_> = out.index.iter().map(|s| s.sql.as_str()).collect();
        assert_eq!(
            sql[..4],
            [
                "alter table only public.persons__c_new_t add constraint persons_name_key__c_new_t unique (name, team_id)",
                "create unique index persons_name_key_p0 on public.persons_p0 USING btree (name, team_id)",
                "alter table public.persons_p0 add constraint persons_name_key_p0 unique using index persons_name_key_p0",
                "alter index public.persons_name_key__c_new_t attach partition public.persons_name_key_p0",
            ]
        );
    }

    #[test]
    fn a_deferrable_constraint_stays_deferrable() {
        let mut table = sample::table("persons");
        let mut second = sample::primary_key(&["name"]);
        second.oid = Oid(105);
        second.name = sample::id("persons_name_key");
        second.is_primary = false;
        second.constraint_oid = Some(Oid(902));
        second.definition =
            "CREATE UNIQUE INDEX persons_name_key ON public.persons USING btree (name)".into();
        table.indexes.push(second);
        table.constraints.push(Constraint {
            oid: Oid(902),
            is_deferrable: true,
            is_deferred: true,
            ..sample::check("persons_name_key", "UNIQUE (name) DEFERRABLE INITIALLY DEFERRED")
        });
        let out = sample::carried_as(&table, &Shape::Same, 15, carry);
        assert!(
            out.index[0]
                .sql
                .ends_with("unique (name) deferrable initially deferred")
        );
        let out = sample::carried(&table, carry);
        assert!(
            out.index[2]
                .sql
                .ends_with("using index persons_name_key_p0 deferrable initially deferred")
        );
    }

    #[test]
    fn what_cannot_be_unique_over_partitions_refuses() {
        let mut table = sample::table("persons");
        table.indexes = vec![sample::primary_key(&["id", "team_id"])];
        table.indexes[0].columns[1].is_included = true;
        assert_eq!(sample::carried(&table, carry).refusals[0].code, "MOV-045");
    }
}
