-- Purpose: rewrite rules on a table, by name.
-- Locks: access share on catalogues
-- Oldest version: 14
select coalesce(jsonb_agg(r.rulename order by r.rulename), '[]')::text
from pg_rewrite r
join pg_class c on c.oid = r.ev_class
where r.ev_class = $1
  and not (r.rulename = '_RETURN' and c.relkind in ('v', 'm'))
