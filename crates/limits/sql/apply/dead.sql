-- Purpose: dead rows of a relation, as the statistics have them.
-- Locks: none
-- Oldest version: 14
select pg_stat_get_dead_tuples(c.oid)::float8
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
where n.nspname = $1 and c.relname = $2
