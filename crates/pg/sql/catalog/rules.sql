-- Purpose: rewrite rules on a table.
-- Locks: access share on catalogues
-- Oldest version: 14
select coalesce(jsonb_agg(to_jsonb(t) order by t.name), '[]')::text
from (
    select
        r.oid::int8 as oid,
        r.rulename as name,
        rtrim(pg_get_ruledef(r.oid), '; ') as definition,
        r.ev_enabled::text as enabled,
        obj_description(r.oid, 'pg_rewrite') as comment
    from pg_rewrite r
    join pg_class c on c.oid = r.ev_class
    where r.ev_class = $1
      and not (r.rulename = '_RETURN' and c.relkind in ('v', 'm'))
) t
