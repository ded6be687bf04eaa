-- Purpose: extended statistics on a table, by name.
-- Locks: access share on catalogues
-- Oldest version: 14
select coalesce(jsonb_agg(
    jsonb_build_object('schema', n.nspname, 'name', s.stxname) order by n.nspname, s.stxname
), '[]')::text
from pg_statistic_ext s
join pg_namespace n on n.oid = s.stxnamespace
where s.stxrelid = $1
