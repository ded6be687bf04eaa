-- Purpose: functions of people whose text names a table and speaks of an integer: they may hold its key in one.
-- Locks: access share on catalogues
-- Oldest version: 14
select p.oid::regprocedure::text as name
from pg_proc p
join pg_namespace n on n.oid = p.pronamespace
where n.nspname not in ('pg_catalog', 'information_schema', 'corridor')
  and n.nspname not like 'pg\_temp\_%'
  and position(lower($1::text) in lower(p.prosrc)) > 0
  and (p.prosrc ~* '\m(int|integer|int4)\M' or p.prorettype = 'int4'::regtype or 'int4'::regtype = any (p.proargtypes))
order by 1
limit 20
