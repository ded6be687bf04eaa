-- Purpose: the relation of this schema and name.
-- Locks: access share on catalogues
-- Oldest version: 14
select c.oid, n.nspname::text as schema, c.relname::text as name
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
where n.nspname = $1
  and c.relname = $2
