-- Purpose: row security policies of a table, by name.
-- Locks: access share on catalogues
-- Oldest version: 14
select coalesce(jsonb_agg(p.polname order by p.polname), '[]')::text
from pg_policy p
where p.polrelid = $1
