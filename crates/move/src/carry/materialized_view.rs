//! Materialised views. One holds on to the table itself, and it cannot be replaced in place: it is made again on the new
//! table, beside the old one, filled, given its indexes, and takes the name in the swap.
//!
//! **How its query comes to mean the new table.** The server writes relations of the schemas in the search path by their
//! bare names. In one short transaction the target (which nobody but Corridor uses yet) goes into a schema of its own
//! under the lasting name, the view is created with that schema first in the search path, and the target goes back. Its
//! name in a query is not kept by the server: after the swap the definition reads as it did.
//!
//! **Its data** are those of the new table at the last moment before the swap, and of the old one before the way back: it
//! is refreshed then. Nobody reads it meanwhile, so nobody waits.
//!
//! What hangs on the view itself (indexes, privileges, owner, options, statistics, views that read it) is carried by the
//! same functions that carry what hangs on the table.

use corridor_pg::catalog::{MaterializedView, Table};
use corridor_pg::{Ident, Oid, QualifiedName};

use super::{
    Carried, Carry, comment, foreign_user, grant, index, owner, refused, reloption, security_label,
    statistics, storage, unique, view,
};
use crate::fault::MATERIALIZED_VIEW;
use crate::names::Names;
use crate::plan::{LockMode, Step};
use crate::shape::Shape;

/// Makes each of them anew, in the order in which they read one another.
pub fn carry(carry: &Carry<'_>, out: &mut Carried) {
    let views = &carry.table.materialized_views;
    let mut made: Vec<(QualifiedName, Ident)> = vec![];
    let mut replaced: Vec<Oid> = carry.table.views.iter().map(|v| v.oid).collect();
    for each in views {
        let table = &each.relation;
        if each.definition.contains(&carry.names.source.to_string()) {
            out.refuse(
                &MATERIALIZED_VIEW,
                format!(
                    "{}: its query names {} in a way that cannot be turned to the new table",
                    table.name, carry.names.source
                ),
            );
            continue;
        }
        if each.is_narrowed {
            // The policies come with the swap; filled before it, the view would hold rows that they hide.
            out.refuse(
                &MATERIALIZED_VIEW,
                format!(
                    "{}: row security hides rows of {} from its owner, {}",
                    table.name, carry.names.source, table.owner
                ),
            );
            continue;
        }
        let names = Names::assign(table, &[], &carry.names.tag, &[]);
        let nested = nested(carry, table, &names, &mut replaced);
        one(carry, each, &names, &made, nested, out);
        made.push((names.target.clone(), table.name.name.clone()));
    }
    // What reads another goes before it.
    out.drop_new.reverse();
    out.drop_old.reverse();
}

/// What hangs on the view, carried by those who carry it for a table.
fn nested(carry: &Carry<'_>, table: &Table, names: &Names, replaced: &mut Vec<Oid>) -> Carried {
    let mut table = table.clone();
    // A view that reads two of them is replaced once.
    table.views.retain(|v| !replaced.contains(&v.oid));
    replaced.extend(table.views.iter().map(|v| v.oid));
    let own = Carry {
        table: &table,
        source: &table,
        names,
        shape: &Shape::Same,
        key_index: Oid(0),
        ..*carry
    };
    let mut out = Carried::default();
    refused::carry(&own, &mut out);
    storage::carry(&own, &mut out);
    reloption::carry(&own, &mut out);
    unique::carry(&own, &mut out);
    index::carry(&own, &mut out);
    owner::carry(&own, &mut out);
    grant::carry(&own, &mut out);
    security_label::carry(&own, &mut out);
    statistics::carry(&own, &mut out);
    view::carry(&own, &mut out);
    foreign_user::carry(&own, &mut out);
    comment::carry(&own, &mut out);
    // A query gives no clauses to its columns; the collation comes from the query itself.
    for (column, clause) in std::mem::take(&mut out.column_clauses) {
        if let Some(method) = clause.strip_prefix("compression ") {
            out.create.push(Step::new(
                format!("compression of {column}"),
                format!(
                    "alter table {} alter column {column} set compression {method}",
                    names.target
                ),
            ));
        }
    }
    out
}

fn one(
    carry: &Carry<'_>,
    view: &MaterializedView,
    names: &Names,
    made: &[(QualifiedName, Ident)],
    nested: Carried,
    out: &mut Carried,
) {
    let (name, new, old) = (&names.source, &names.target, &names.parked);
    let create = create(carry, view, names, made, &nested.storage_clause);
    out.index
        .push(Step::new(format!("materialized view {name}"), create));
    out.index.extend(nested.create_parent);
    out.index.extend(nested.create);
    let refresh = |relation: &QualifiedName| {
        Step::new(
            format!("materialized view {name} is filled"),
            // It runs as the view's owner, who may be under the row security of other tables.
            format!("set local row_security to on; refresh materialized view {relation}"),
        )
    };
    if view.is_populated {
        out.index.push(refresh(new));
        out.before_swap.push(refresh(new));
        out.before_swap_back.push(refresh(old));
    }
    out.index.extend(nested.index);
    out.index.push(Step::new(
        format!("statistics of {name}"),
        format!("analyze {new}"),
    ));

    let lock = format!("alter materialized view {name} owner to {}", view.relation.owner);
    // As for a view: nothing changes, and it alone is locked.
    out.swap_first
        .push(Step::new(format!("lock on materialized view {name}"), lock).brief(alone(name)));
    out.swap_first.extend(nested.swap_first);
    let rename = |from: &QualifiedName, to: &Ident| {
        Step::new(
            format!("materialized view {} becomes {to}", from.name),
            format!("alter materialized view {from} rename to {to}"),
        )
        .brief(alone(from))
    };
    out.forward.aside.push(rename(name, &old.name));
    out.forward.arrive.push(rename(new, &name.name));
    out.back.aside.push(rename(name, &new.name));
    out.back.arrive.push(rename(old, &name.name));
    for (phases, own) in [(&mut out.forward, nested.forward), (&mut out.back, nested.back)] {
        phases.detach.extend(own.detach);
        phases.aside.extend(own.aside);
        phases.arrive.extend(own.arrive);
        phases.attach.extend(own.attach);
        phases.finish.extend(own.finish);
    }
    for lock in nested.locks {
        out.lock(&lock.relation, lock.mode);
    }
    out.warnings.extend(nested.warnings);
    out.refusals.extend(nested.refusals);
    let drop = |relation: &QualifiedName| {
        Step::new(
            format!("materialized view {} goes", relation.name),
            format!("drop materialized view if exists {relation}"),
        )
        .brief(alone(relation))
    };
    out.drop_new.push(drop(new));
    out.drop_old.push(drop(old));
}

fn alone(relation: &QualifiedName) -> [(&QualifiedName, LockMode); 1] {
    [(relation, LockMode::AccessExclusive)]
}

/// One message, and so one transaction.
fn create(
    carry: &Carry<'_>,
    view: &MaterializedView,
    names: &Names,
    made: &[(QualifiedName, Ident)],
    storage_clause: &str,
) -> String {
    let stage = Ident::derived("corridor_stage", &format!("_{}", carry.names.tag));
    let target = &carry.names.target;
    let mut there = vec![format!("create schema {stage}")];
    let mut back = vec![];
    let lasting = &carry.names.source.name;
    let pairs = std::iter::once(("table", target, lasting));
    let views = made.iter().map(|(new, name)| ("materialized view", new, name));
    for (kind, relation, name) in pairs.chain(views) {
        let staged = QualifiedName::new(stage.clone(), relation.name.clone());
        let renamed = QualifiedName::new(stage.clone(), name.clone());
        there.push(format!("alter {kind} {relation} set schema {stage}"));
        there.push(format!("alter {kind} {staged} rename to {name}"));
        back.push(format!("alter {kind} {renamed} rename to {}", relation.name));
        back.push(format!("alter {kind} {staged} set schema {}", relation.schema));
    }
    there.push(format!("set local search_path to {stage}, {}", view.search_path));
    there.push(format!(
        "create materialized view {}{storage_clause} as {} with no data",
        names.target, view.definition
    ));
    there.push("set local search_path to pg_catalog, pg_temp".to_owned());
    there.extend(back);
    there.push(format!("drop schema {stage}"));
    there.join(";\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::carry::sample;

    #[test]
    fn it_is_made_while_the_target_has_the_lasting_name_in_a_schema_of_its_own() {
        let mut table = sample::table("persons");
        let mut relation = sample::table("per_team");
        relation.indexes.clear();
        table.materialized_views.push(MaterializedView {
            relation,
            definition: "SELECT team_id FROM persons".into(),
            search_path: "public".into(),
            is_populated: true,
            is_narrowed: false,
        });
        let out = sample::carried(&table, carry);
        assert_eq!(
            out.index[0].sql,
            "create schema corridor_stage_t;\n\
             alter table public.persons__c_new_t set schema corridor_stage_t;\n\
             alter table corridor_stage_t.persons__c_new_t rename to persons;\n\
             set local search_path to corridor_stage_t, public;\n\
             create materialized view public.per_team__c_new_t using heap as SELECT team_id FROM persons with no data;\n\
             set local search_path to pg_catalog, pg_temp;\n\
             alter table corridor_stage_t.persons rename to persons__c_new_t;\n\
             alter table corridor_stage_t.persons__c_new_t set schema public;\n\
             drop schema corridor_stage_t"
        );
        assert_eq!(
            out.before_swap_back[0].sql,
            "set local row_security to on; refresh materialized view public.per_team__c_old_t"
        );
        assert_eq!(
            out.forward.arrive[0].sql,
            "alter materialized view public.per_team__c_new_t rename to per_team"
        );
        assert_eq!(
            out.drop_old[0].sql,
            "drop materialized view if exists public.per_team__c_old_t"
        );
    }

    #[test]
    fn a_query_that_names_the_table_with_its_schema_refuses() {
        let mut table = sample::table("persons");
        table.materialized_views.push(MaterializedView {
            relation: sample::table("per_team"),
            definition: "SELECT 1 FROM public.persons".into(),
            search_path: "public".into(),
            is_populated: true,
            is_narrowed: false,
        });
        assert_eq!(sample::carried(&table, carry).refusals[0].code, "MOV-034");
    }
}
