-- Purpose: the file of each table, below the data directory, and the pages that the planner believes it to have.
-- Locks: access share on catalogues; none on the tables.
-- Oldest version: 14
select pg_catalog.pg_relation_filepath(c.oid) as file, c.relpages as pages
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'm') and c.relpages > 0 and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
    and pg_catalog.pg_relation_size(c.oid) = 0
