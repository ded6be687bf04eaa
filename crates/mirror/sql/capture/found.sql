-- Purpose: where a mirror's capture triggers are, wherever their tables have gone: a partition that was detached or
--          renamed keeps the one that was made on itself. Copies of a parent's go with the parent's.
-- Locks: none beyond the catalogue's
-- Oldest version: 14
select n.nspname as schema, c.relname as name, g.tgname as trigger
from pg_trigger g
join pg_class c on c.oid = g.tgrelid
join pg_namespace n on n.oid = c.relnamespace
where g.tgname = any ($1::text[])
  and g.tgparentid = 0
order by c.oid, g.tgname
