//! Everything that hangs on a table and is not carried yet: found, named, refused. Nothing is overlooked, because what
//! the catalogue knows and no list explains is refused too.

use corridor_pg::catalog::{ConstraintKind, DependentReason};

use super::definition::uses_whole_row;
use super::{Carried, Carry};
use crate::fault;

/// Names what stands in the way.
pub fn carry(carry: &Carry<'_>, out: &mut Carried) {
    let table = carry.table;
    for dependent in &table.dependents {
        let code = match dependent.why {
            DependentReason::RowType => &fault::ROW_TYPE_USED,
            DependentReason::Subscription => &fault::SUBSCRIPTION,
            DependentReason::Other => &fault::UNKNOWN_DEPENDENT,
        };
        out.refuse(code, dependent.what.clone());
    }
    refuse_whole_rows(carry, out);
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

#[cfg(test)]
mod tests {
    use corridor_pg::catalog::{OtherDependent, Table};

    use super::*;
    use crate::carry::sample;

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
        assert_eq!(
            codes(|t| t.dependents.push(dependent(DependentReason::RowType))),
            ["MOV-035"]
        );
        let whole_row = |t: &mut Table| {
            t.constraints
                .push(sample::check("x", "CHECK ((persons.* IS NOT NULL))"))
        };
        assert_eq!(codes(whole_row), ["MOV-048"]);
        assert_eq!(
            codes(|t| t.dependents.push(dependent(DependentReason::Other))),
            ["MOV-040"]
        );
    }
}
