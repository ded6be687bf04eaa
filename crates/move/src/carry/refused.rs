//! Everything that hangs on a table and is not carried yet: found, named, refused. Nothing is overlooked, because what
//! the catalogue knows and no list explains is refused too.

use corridor_pg::Code;
use corridor_pg::catalog::{ConstraintKind, DependentReason, PublicationReach, ReplicaIdentity};
use corridor_pg::ident::join;

use super::definition::uses_whole_row;
use super::{Carried, Carry};
use crate::fault;

/// Names what stands in the way.
pub fn carry(carry: &Carry<'_>, out: &mut Carried) {
    let table = carry.table;
    if table.has_row_security || table.is_row_security_forced || !table.policies.is_empty() {
        let names = match table.policies.is_empty() {
            true => "row security is on".to_owned(),
            false => join(&table.policies, ", "),
        };
        out.refuse(&fault::ROW_SECURITY, names);
    }
    for publication in &table.publications {
        let by = match publication.reach {
            PublicationReach::Table => "by its name",
            PublicationReach::Schema => "by its schema",
            PublicationReach::AllTables => "with all tables",
        };
        out.refuse(
            &fault::PUBLICATION,
            format!("publication {} contains it {by}", publication.name),
        );
    }
    refuse_all(&fault::RULES, "rule", &table.rules, out);
    refuse_all(&fault::EXTENDED_STATISTICS, "statistics", &table.statistics, out);
    refuse_all(&fault::SECURITY_LABEL, "label", &table.security_labels, out);
    for constraint in &table.constraints {
        if constraint.kind == ConstraintKind::Exclusion {
            out.refuse(&fault::EXCLUSION_CONSTRAINT, constraint.name.to_string());
        }
    }
    if table.replica_identity == ReplicaIdentity::Index {
        let index = table.indexes.iter().find(|i| i.is_replica_identity);
        let name = index.map_or_else(|| "an index".to_owned(), |i| i.name.to_string());
        out.refuse(&fault::REPLICA_IDENTITY, name);
    }
    for dependent in &table.dependents {
        let code = match dependent.why {
            DependentReason::RowType => &fault::ROW_TYPE_USED,
            DependentReason::SqlBody => &fault::SQL_BODY,
            DependentReason::Subscription => &fault::SUBSCRIPTION,
            DependentReason::Other => &fault::UNKNOWN_DEPENDENT,
        };
        out.refuse(code, dependent.what.clone());
    }
    refuse_whole_rows(carry, out);
    if !table.event_triggers.is_empty() {
        out.warnings.push(format!(
            "event triggers ({}) will see the statements of the move",
            join(&table.event_triggers, ", ")
        ));
    }
}

fn refuse_whole_rows(carry: &Carry<'_>, out: &mut Carried) {
    let table = carry.table;
    let checks = table
        .constraints
        .iter()
        .filter(|c| c.kind == ConstraintKind::Check);
    let checks = checks.map(|c| (c.name.to_string(), c.definition.as_str()));
    let indexes = table
        .indexes
        .iter()
        .map(|i| (i.name.to_string(), i.definition.as_str()));
    let columns = table.columns.iter();
    let columns = columns.filter_map(|c| Some((c.name.to_string(), c.generated_sql.as_deref()?)));
    for (name, definition) in checks.chain(indexes).chain(columns) {
        if uses_whole_row(definition, &table.name.name) {
            let why = format!("{name} uses the whole row of the table: {definition}");
            out.refuse(&fault::DEFINITION_NOT_CARRIED, why);
        }
    }
}

fn refuse_all<T: std::fmt::Display>(code: &'static Code, kind: &str, names: &[T], out: &mut Carried) {
    if !names.is_empty() {
        out.refuse(code, format!("{kind} {}", join(names, ", ")));
    }
}

#[cfg(test)]
mod tests {
    use corridor_pg::catalog::{OtherDependent, Publication, Table};

    use super::*;
    use crate::carry::sample::{self, id};

    fn codes(change: impl FnOnce(&mut Table)) -> Vec<String> {
        let mut table = sample::table("persons");
        change(&mut table);
        let out = sample::carried(&table, carry);
        out.refusals.into_iter().map(|r| r.code).collect()
    }

    #[test]
    fn a_plain_table_is_not_refused() {
        assert_eq!(codes(|_| {}), Vec::<String>::new());
    }

    #[test]
    fn each_kind_has_its_code() {
        let dependent = |why| OtherDependent {
            why,
            what: "function f()".into(),
        };
        assert_eq!(codes(|t| t.policies.push(id("p"))), ["MOV-030"]);
        assert_eq!(codes(|t| t.has_row_security = true), ["MOV-030"]);
        let publication = Publication {
            name: id("pub"),
            reach: PublicationReach::AllTables,
        };
        assert_eq!(codes(|t| t.publications.push(publication)), ["MOV-031"]);
        assert_eq!(codes(|t| t.rules.push(id("r"))), ["MOV-032"]);
        assert_eq!(codes(|t| t.statistics.push(sample::public("s"))), ["MOV-033"]);
        assert_eq!(
            codes(|t| t.dependents.push(dependent(DependentReason::RowType))),
            ["MOV-035"]
        );
        assert_eq!(
            codes(|t| t.dependents.push(dependent(DependentReason::SqlBody))),
            ["MOV-036"]
        );
        assert_eq!(codes(|t| t.security_labels.push("dummy".into())), ["MOV-037"]);
        let exclusion = |t: &mut Table| {
            t.constraints.push(sample::check("x", "EXCLUDE"));
            t.constraints[0].kind = ConstraintKind::Exclusion;
        };
        assert_eq!(codes(exclusion), ["MOV-038"]);
        let whole_row = |t: &mut Table| {
            t.constraints
                .push(sample::check("x", "CHECK ((persons.* IS NOT NULL))"))
        };
        assert_eq!(codes(whole_row), ["MOV-048"]);
        assert_eq!(
            codes(|t| t.dependents.push(dependent(DependentReason::Other))),
            ["MOV-040"]
        );
        assert_eq!(
            codes(|t| t.replica_identity = ReplicaIdentity::Index),
            ["MOV-046"]
        );
    }
}
