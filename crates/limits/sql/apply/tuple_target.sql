-- Purpose: the storage parameter toast_tuple_target of a table; null when it is not set.
-- Locks: none
-- Oldest version: 14
select (
    select split_part(o, '=', 2)
    from unnest(c.reloptions) o
    where o like 'toast_tuple_target=%'
)
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
where n.nspname = $1 and c.relname = $2
