//! Sequences behind defaults. Old and new table draw from the same one, so no value comes twice; an owned sequence
//! changes its owner column in the swap.

use corridor_pg::catalog::SequenceLink;

use super::{Carried, Carry};
use crate::plan::Step;

/// Adds `alter sequence … owned by` to the swap and the way back, and frees the retired table from live sequences.
pub fn carry(carry: &Carry<'_>, out: &mut Carried) {
    for sequence in &carry.table.sequences {
        let column = &sequence.column;
        if sequence.link == SequenceLink::Owned {
            // The same words in both directions: the table that has the name at that moment is meant.
            let step = Step::new(
                format!("owner column of sequence {}", sequence.name.name),
                format!(
                    "alter sequence {} owned by {}.{column}",
                    sequence.name, carry.names.source
                ),
            )
            .brief([]);
            out.forward.attach.push(step.clone());
            out.back.attach.push(step);
        }
        let has_default = carry
            .table
            .column(column)
            .is_some_and(|c| c.default_sql.is_some());
        if sequence.link != SequenceLink::Identity && has_default {
            // Else nobody could drop the sequence, or the new table with it, while the retired table exists.
            out.retire.push(Step::new(
                format!("default of {column} in the retired table"),
                format!(
                    "alter table {} alter column {column} drop default",
                    carry.names.parked
                ),
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::carry::sample;

    #[test]
    fn an_owned_sequence_changes_hands_and_a_shared_one_does_not() {
        let mut table = sample::table("persons");
        table.columns[0].default_sql = Some("nextval('public.s'::regclass)".into());
        table
            .sequences
            .push(sample::sequence("s", SequenceLink::Owned, "id"));
        let out = sample::carried(&table, carry);
        assert_eq!(
            out.forward.attach[0].sql,
            "alter sequence public.s owned by public.persons.id"
        );
        assert_eq!(out.forward.attach, out.back.attach);
        assert_eq!(
            out.retire[0].sql,
            "alter table public.persons__c_old_t alter column id drop default"
        );
        table.sequences[0].link = SequenceLink::Default;
        assert_eq!(sample::carried(&table, carry).forward.attach, []);
    }
}
