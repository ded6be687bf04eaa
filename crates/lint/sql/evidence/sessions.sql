-- Purpose: sessions whose statement, the one that runs or else the last one, names one of some tables: which application it is.
--   $1: names of tables without schemas.
-- Locks: none.
-- Oldest version: 14
select
    a.application_name as application,
    coalesce(a.usename::text, '') as role,
    a.query,
    a.state = 'active' as is_active,
    coalesce(extract(epoch from a.query_start), 0)::float8 as begun_s
from pg_catalog.pg_stat_activity a
where a.datname = pg_catalog.current_database() and a.backend_type = 'client backend' and a.pid <> pg_catalog.pg_backend_pid()
    and a.application_name not like 'corridor:%'
    and exists (select from pg_catalog.unnest($1::text[]) n where pg_catalog.strpos(pg_catalog.lower(a.query), n) > 0)
order by a.query_start desc
limit 200
