-- Purpose: whether a view of this schema ($1) and name ($2) could be made by this role.
-- Locks: access share on catalogues
-- Oldest version: 14
select
    n.oid is not null as has_schema,
    coalesce(has_schema_privilege(n.oid, 'usage') and has_schema_privilege(n.oid, 'create'), true) as may_create,
    exists (select from pg_class c where c.relnamespace = n.oid and c.relname = w.relation_name)
        or exists (select from pg_type t where t.typnamespace = n.oid and t.typname = w.relation_name) as is_taken
from (select $1::text as schema_name, $2::text as relation_name) w
left join pg_namespace n on n.nspname = w.schema_name
