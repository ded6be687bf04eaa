-- Purpose: the relations in the session's temporary schema that can hold rows or show them.
-- Locks: access share on catalogues
-- Oldest version: 14
select c.oid, c.relname::text as name, c.relkind::text as kind
from pg_class c
where c.relnamespace = pg_my_temp_schema()
  and c.relkind in ('r', 'p', 'v', 'm', 'f')
order by c.oid
