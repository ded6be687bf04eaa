-- Purpose: how large the planner believes each table and index to be.
-- Locks: access share on catalogues; none on the relations.
-- Oldest version: 14
select
    pg_catalog.format('%I.%I', n.nspname, c.relname) as name,
    n.nspname::text as schema,
    c.relname::text as relation,
    c.relkind::text as kind,
    c.relpages as pages,
    c.reltuples as tuples,
    c.relallvisible as visible
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p', 'm', 'i', 'I') and n.nspname !~ '^pg_' and n.nspname <> 'information_schema' and c.reltuples >= 0
order by c.oid
