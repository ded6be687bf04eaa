//! Identity columns. The sequence of an identity column is a part of it and cannot be handed over, so the new table
//! has one of its own, which takes over name and value in the swap.
//!
//! **No value comes twice**, also for a session that has already looked up the old sequence and waits for our lock on
//! it: the new sequence begins a gap above the old one's last value, as wide as sessions can be waiting; and the old
//! one ends there, so that whoever goes on drawing from it (by an id looked up before) gets an error, never a value that
//! the new one gives too. Swapping back gives it its end back.

use corridor_pg::catalog::{IdentityKind, Sequence, SequenceLink};
use corridor_pg::{Literal, QualifiedName};

use super::{Carried, Carry};
use crate::names::Triple;
use crate::plan::Step;

/// Adds `generated … as identity (…)` behind identity columns, and carries names and values in the swap.
pub fn carry(carry: &Carry<'_>, out: &mut Carried) {
    for sequence in carry
        .table
        .sequences
        .iter()
        .filter(|s| s.link == SequenceLink::Identity)
    {
        let column = carry.table.column(&sequence.column);
        let (Some(names), Some(kind)) = (
            carry.names.sequence(sequence.oid),
            column.and_then(|c| c.identity),
        ) else {
            continue;
        };
        let new = carry.names.sibling(&names.new);
        out.column(&sequence.column, clause(kind, &new, sequence));
        rename_steps(carry, names, out);
        let lasting = carry.names.sibling(&names.lasting);
        let old = carry.names.sibling(&names.old);
        // Where the column is widened, the two sequences end at different places.
        let before = carry.source.sequences.iter().find(|s| s.oid == sequence.oid);
        let before = before.unwrap_or(sequence);
        let forward = [
            value_step(carry, sequence, &old, &lasting, false),
            end_step(carry, before, &old),
        ];
        let back = [
            whole_step(before, &lasting),
            value_step(
                carry,
                before,
                &new,
                &lasting,
                before.max != sequence.max || before.min != sequence.min,
            ),
            end_step(carry, sequence, &new),
        ];
        out.forward.attach.extend(forward);
        out.back.attach.extend(back);
    }
}

fn clause(kind: IdentityKind, name: &QualifiedName, s: &Sequence) -> String {
    let kind = match kind {
        IdentityKind::Always => "always",
        IdentityKind::ByDefault => "by default",
    };
    let cycle = if s.is_cycling { "cycle" } else { "no cycle" };
    format!(
        "generated {kind} as identity (sequence name {name} start {} increment {} minvalue {} maxvalue {} cache {} {cycle})",
        s.start, s.increment, s.min, s.max, s.cache
    )
}

fn rename_steps(carry: &Carry<'_>, names: &Triple, out: &mut Carried) {
    let rename = |from: &corridor_pg::Ident, to: &corridor_pg::Ident| {
        Step::new(
            format!("sequence {from} becomes {to}"),
            format!("alter sequence {} rename to {to}", carry.names.sibling(from)),
        )
        .brief([])
    };
    out.forward.aside.push(rename(&names.lasting, &names.old));
    out.forward.arrive.push(rename(&names.new, &names.lasting));
    out.back.aside.push(rename(&names.lasting, &names.new));
    out.back.arrive.push(rename(&names.old, &names.lasting));
}

/// Sets the arriving sequence beyond the leaving one. Where the gap would pass the end, there is none: an exhausted
/// sequence stays as exhausted as it was. A cycling sequence repeats values by intent.
///
/// `is_narrower`: the arriving one ends before the leaving one does; where that one is beyond it, it arrives exhausted.
fn value_step(
    carry: &Carry<'_>,
    s: &Sequence,
    from: &QualifiedName,
    to: &QualifiedName,
    is_narrower: bool,
) -> Step {
    let (gap, is_inside) = gap(carry, s);
    let last = match is_narrower {
        true => format!("least(greatest(last_value, {}), {})", s.min, s.max),
        false => "last_value".to_owned(),
    };
    let value = if s.is_cycling {
        last
    } else {
        format!("case when {is_inside} then (last_value + {gap})::int8 else {last} end")
    };
    Step::new(
        format!("value of sequence {}", to.name),
        format!(
            "select setval({}::regclass, {value}, is_called) from {from}",
            Literal(&to.to_string())
        ),
    )
    .brief([])
}

/// The gap, and the condition that it lies inside the sequence's bounds.
fn gap(carry: &Carry<'_>, s: &Sequence) -> (i128, String) {
    let gap = i128::from(carry.sequence_gap) * i128::from(s.cache.max(1)) * i128::from(s.increment);
    let is_inside = match s.increment > 0 {
        true => format!("last_value::numeric + {gap} <= {}", s.max),
        false => format!("last_value::numeric + {gap} >= {}", s.min),
    };
    (gap, is_inside)
}

/// The word for the end that a sequence runs towards.
fn end_word(s: &Sequence) -> &'static str {
    if s.increment > 0 { "maxvalue" } else { "minvalue" }
}

/// Lets the leaving sequence end where the arriving one begins.
fn end_step(carry: &Carry<'_>, s: &Sequence, leaving: &QualifiedName) -> Step {
    let (gap, is_inside) = gap(carry, s);
    let is_bound = if s.is_cycling { "false" } else { is_inside.as_str() };
    let alter = format!("alter sequence {leaving} {} ", end_word(s));
    let body = format!(
        "begin if (select {is_bound} from {leaving}) then \
         execute {} || (select (last_value + {gap})::text from {leaving}); end if; end",
        Literal(&alter)
    );
    Step::new(
        format!("end of sequence {}", leaving.name),
        format!("do {}", Literal(&body)),
    )
    .brief([])
}

/// Gives the sequence that comes back the end that it had.
fn whole_step(s: &Sequence, name: &QualifiedName) -> Step {
    let end = if s.increment > 0 { s.max } else { s.min };
    Step::new(
        format!("end of sequence {}", name.name),
        format!("alter sequence {name} {} {end}", end_word(s)),
    )
    .brief([])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::carry::sample;

    #[test]
    fn the_sequence_is_made_anew_and_takes_over_name_and_value() {
        let mut table = sample::table("persons");
        table.columns[0].identity = Some(IdentityKind::Always);
        table
            .sequences
            .push(sample::sequence("persons_id_seq", SequenceLink::Identity, "id"));
        let out = sample::carried(&table, carry);
        assert_eq!(
            out.column_clauses[0].1,
            "generated always as identity (sequence name public.persons_id_seq__c_new_t start 1 increment 1 \
             minvalue 1 maxvalue 9223372036854775807 cache 1 no cycle)"
        );
        assert_eq!(
            out.forward.attach[0].sql,
            "select setval('public.persons_id_seq'::regclass, case when last_value::numeric + 100 <= \
             9223372036854775807 then (last_value + 100)::int8 else last_value end, is_called) \
             from public.persons_id_seq__c_old_t"
        );
        assert_eq!(
            out.forward.attach[1].sql,
            "do 'begin if (select last_value::numeric + 100 <= 9223372036854775807 from public.persons_id_seq__c_old_t) \
             then execute ''alter sequence public.persons_id_seq__c_old_t maxvalue '' || \
             (select (last_value + 100)::text from public.persons_id_seq__c_old_t); end if; end'"
        );
        assert_eq!(
            out.back.attach[0].sql,
            "alter sequence public.persons_id_seq maxvalue 9223372036854775807"
        );
        assert!(
            out.back.attach[1]
                .sql
                .ends_with("from public.persons_id_seq__c_new_t")
        );
        assert_eq!(
            out.back.arrive[0].sql,
            "alter sequence public.persons_id_seq__c_old_t rename to persons_id_seq"
        );
    }

    #[test]
    fn a_falling_sequence_goes_down_and_a_cycling_one_stays() {
        let mut table = sample::table("persons");
        table.columns[0].identity = Some(IdentityKind::ByDefault);
        let mut s = sample::sequence("s", SequenceLink::Identity, "id");
        s.increment = -2;
        s.min = -500;
        table.sequences.push(s);
        let out = sample::carried(&table, carry);
        assert!(
            out.forward.attach[0]
                .sql
                .contains("last_value::numeric + -200 >= -500")
        );
        table.sequences[0].is_cycling = true;
        let out = sample::carried(&table, carry);
        assert!(
            out.forward.attach[0]
                .sql
                .contains("regclass, last_value, is_called")
        );
    }
}
