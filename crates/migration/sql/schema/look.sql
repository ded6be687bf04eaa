-- Purpose: learn whether the schema exists, and whether it is ours.
-- Locks: none
-- Oldest version: 14
select
    n.oid is not null as has_schema,
    exists (
        select 1
        from pg_catalog.pg_class c
        where c.relnamespace = n.oid
          and c.relname = 'schema_version'
          and c.relkind = 'r'
    ) as has_version
from (select 1) as one
left join pg_catalog.pg_namespace n on n.nspname = 'corridor'
