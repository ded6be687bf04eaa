//! Security labels on the table and its columns, which a module on the server gives a meaning.

use corridor_pg::Literal;

use super::{Carried, Carry};
use crate::plan::Step;

/// Puts every label on the target.
pub fn carry(carry: &Carry<'_>, out: &mut Carried) {
    let target = &carry.names.target;
    for label in &carry.table.security_labels {
        let on = match &label.column {
            Some(column) => format!("column {target}.{column}"),
            None => format!("{} {target}", carry.kind_word()),
        };
        let provider = &label.provider;
        out.create.push(Step::new(
            format!("security label of {provider} on {on}"),
            format!(
                "security label for {provider} on {on} is {}",
                Literal(&label.label)
            ),
        ));
    }
}

#[cfg(test)]
mod tests {
    use corridor_pg::catalog::SecurityLabel;

    use super::*;
    use crate::carry::sample::{self, id};

    #[test]
    fn labels_go_to_table_and_columns() {
        let mut table = sample::table("persons");
        for column in [None, Some(id("name"))] {
            table.security_labels.push(SecurityLabel {
                provider: id("anon"),
                column,
                label: "it's secret".into(),
            });
        }
        let out = sample::carried(&table, carry);
        assert_eq!(
            out.create[0].sql,
            "security label for anon on table public.persons__c_new_t is 'it''s secret'"
        );
        assert_eq!(
            out.create[1].sql,
            "security label for anon on column public.persons__c_new_t.name is 'it''s secret'"
        );
    }
}
