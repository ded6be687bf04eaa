-- Purpose: the domains of the application, and whether each refuses anything.
-- Locks: access share on catalogues.
-- Oldest version: 14
select
    t.typname::text as name,
    pg_catalog.bool_or(t.typnotnull or exists (select from pg_catalog.pg_constraint c where c.contypid = t.oid)) as is_constrained
from pg_catalog.pg_type t
join pg_catalog.pg_namespace n on n.oid = t.typnamespace
where t.typtype = 'd' and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
group by t.typname
