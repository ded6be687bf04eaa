-- Purpose: the triggers of a table that a person made (not those that carry out foreign keys).
-- Locks: access share on catalogues
-- Oldest version: 14
select coalesce(jsonb_agg(to_jsonb(t) order by t.name), '[]')::text
from (
    select
        g.oid::int8 as oid,
        g.tgname as name,
        pg_get_triggerdef(g.oid) as definition,
        g.tgenabled::text as enabled,
        g.tgparentid <> 0 as is_inherited,
        p.oid::int8 as function_oid,
        jsonb_build_object('schema', n.nspname, 'name', p.proname) as function,
        (g.tgtype & 1) = 1 as is_for_each_row,
        (g.tgtype & 2) = 2 as is_before,
        g.tgconstraint <> 0 as is_constraint,
        g.tgoldtable is not null or g.tgnewtable is not null as has_transition_tables,
        obj_description(g.oid, 'pg_trigger') as comment
    from pg_trigger g
    join pg_proc p on p.oid = g.tgfoid
    join pg_namespace n on n.oid = p.pronamespace
    where g.tgrelid = $1
      and not g.tgisinternal
) t
