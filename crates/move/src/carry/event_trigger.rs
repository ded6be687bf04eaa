//! What event triggers of the database add to each table that is made: triggers, policies, rules, privileges. The source
//! got the same once, and what it has is carried; so on the target it goes away again, before anything else is given to it.

use corridor_pg::{Ident, Literal};

use super::{Carried, Carry};
use crate::plan::Step;

/// Takes off the fresh target whatever nobody asked for.
pub fn carry(carry: &Carry<'_>, out: &mut Carried) {
    let triggers = &carry.table.event_triggers;
    if triggers.is_empty() {
        return;
    }
    out.warnings.push(format!(
        "event triggers ({}) will see the statements of the move; what they add to the new table is taken off again",
        corridor_pg::ident::join(triggers, ", ")
    ));
    out.create.push(Step::new(
        "what event triggers added to the new table goes",
        take_off(&Literal(&carry.names.target.to_string()), &carry.table.owner),
    ));
}

fn take_off(target: &Literal<'_>, owner: &Ident) -> String {
    let owner = Literal(owner.as_str());
    format!(
        "do $corridor$
declare
    relation regclass;
    words text;
begin
    for relation in
        select {target}::regclass union select relid from pg_partition_tree({target}::regclass)
    loop
        for words in
            select format('drop trigger %I on %s', tgname, tgrelid::regclass)
            from pg_trigger where tgrelid = relation and not tgisinternal and tgparentid = 0
            union all
            select format('drop policy %I on %s', polname, polrelid::regclass) from pg_policy where polrelid = relation
            union all
            select format('drop rule %I on %s', rulename, ev_class::regclass) from pg_rewrite where ev_class = relation
            union all
            select format('alter table %s disable row level security, no force row level security', oid::regclass)
            from pg_class where oid = relation and (relrowsecurity or relforcerowsecurity)
            union all
            select distinct format('revoke all on table %s from %s cascade', relation,
                case when x.grantee = 0 then 'public' else quote_ident(pg_get_userbyid(x.grantee)) end)
            from pg_class c cross join lateral aclexplode(c.relacl) x
            where c.oid = relation and x.grantee <> c.relowner
              and pg_get_userbyid(x.grantee)::text <> {owner}
        loop
            execute words;
        end loop;
    end loop;
end
$corridor$"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::carry::sample::{self, id};

    #[test]
    fn only_a_database_with_event_triggers_needs_it() {
        let mut table = sample::table("persons");
        assert_eq!(sample::carried(&table, carry).create, []);
        table.event_triggers.push(id("audit"));
        let out = sample::carried(&table, carry);
        assert!(out.create[0].sql.contains("'public.persons__c_new_t'::regclass"));
        assert!(out.warnings[0].contains("(audit)"));
    }
}
