-- Purpose: learn whether there is a history, and whether this role may read it.
-- Locks: none
-- Oldest version: 14
select
    count(*) = 2 as is_there,
    coalesce(bool_and(
        has_schema_privilege(n.oid, 'usage')
        and has_table_privilege(c.oid, 'select')
    ), false) as is_readable
from pg_catalog.pg_namespace n
join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname in ('series', 'sample') and c.relkind = 'r'
where n.nspname = 'corridor'
