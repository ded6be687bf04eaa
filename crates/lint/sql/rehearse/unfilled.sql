-- Purpose: materialized views that were never filled, as a dump without rows leaves them.
-- Locks: access share on catalogues.
-- Oldest version: 14
select pg_catalog.format('%I.%I', n.nspname, c.relname) as name
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where c.relkind = 'm' and not c.relispopulated
order by c.oid
