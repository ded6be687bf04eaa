-- Purpose: the schema of an extension, when it is installed in this database.
-- Locks: none
-- Oldest version: 14
select n.nspname::text as schema_name
from pg_extension e
join pg_namespace n on n.oid = e.extnamespace
where e.extname = $1
