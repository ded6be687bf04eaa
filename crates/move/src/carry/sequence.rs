//! Sequences behind defaults. Old and new table draw from the same one, so no value comes twice; an owned sequence
//! changes its owner column in the swap.

use corridor_pg::catalog::{Sequence, SequenceLink, Table};
use corridor_pg::{Ident, Literal, Oid};

use super::{Carried, Carry};
use crate::plan::Step;

/// Adds `alter sequence … owned by` to the swap and the way back, and frees the retired table from live sequences.
pub fn carry(carry: &Carry<'_>, out: &mut Carried) {
    for sequence in &carry.table.sequences {
        // The column may have another name on the new table.
        let before = carry.source.sequences.iter().find(|s| s.oid == sequence.oid);
        let old_column = before.map_or(&sequence.column, |s| &s.column);
        if sequence.link == SequenceLink::Owned {
            // In both directions the table that has the name at that moment is meant.
            let step = |column: &Ident| {
                let sql = format!(
                    "alter sequence {} owned by {}.{column}",
                    sequence.name, carry.names.source
                );
                Step::new(format!("owner column of sequence {}", sequence.name.name), sql).brief([])
            };
            out.forward.attach.push(step(&sequence.column));
            out.back.attach.push(step(old_column));
            widen(carry, sequence, old_column, out);
        }
        let column = old_column;
        let has_default = carry
            .source
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

/// A sequence of integers whose column takes greater ones follows it. Going back, the server refuses while its value is
/// beyond the old type; then it stays as it is, and the column's own type decides.
fn widen(carry: &Carry<'_>, sequence: &Sequence, old_column: &Ident, out: &mut Carried) {
    let type_of = |table: &Table, column: &Ident| {
        let column = table.column(column)?;
        Some((column.base_type_oid, column.base_type_sql.clone()))
    };
    let (old, new) = (
        type_of(carry.source, old_column),
        type_of(carry.table, &sequence.column),
    );
    let (Some(old), Some(new)) = (old, new) else {
        return;
    };
    let rank = |oid: Oid| [Oid(21), Oid(23), Oid(20)].iter().position(|o| *o == oid);
    let is_wider = matches!((rank(old.0), rank(new.0)), (Some(old), Some(new)) if old < new);
    if !is_wider || sequence.type_sql != old.1 {
        return;
    }
    let name = &sequence.name;
    out.forward.attach.push(
        Step::new(
            format!("sequence {} takes in every {}", name.name, new.1),
            format!("alter sequence {name} as {}", new.1),
        )
        .brief([]),
    );
    let body = format!(
        "begin if (select last_value from {name}) <= {} then alter sequence {name} as {}; end if; end",
        sequence.max, old.1
    );
    out.back.attach.push(
        Step::new(
            format!("sequence {} as before, unless it is beyond that", name.name),
            format!("do {}", Literal(&body)),
        )
        .brief([]),
    );
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
