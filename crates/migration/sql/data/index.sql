-- Purpose: the index of a name in the schema of a table, and whether it can be used.
-- Locks: none beyond the catalogue's
-- Oldest version: 14
select
    n.nspname::text as schema_name,
    i.indisvalid and i.indisready and i.indislive as is_valid,
    i.indrelid = t.oid as is_of_the_table,
    pg_get_indexdef(i.indexrelid) as definition
from pg_class t
join pg_namespace n on n.oid = t.relnamespace
join pg_class c on c.relnamespace = n.oid and c.relname = $2
join pg_index i on i.indexrelid = c.oid
where t.oid = to_regclass($1)
