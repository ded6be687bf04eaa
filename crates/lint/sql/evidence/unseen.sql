-- Purpose: statements whose text this role may not see, and such as name one of some tables and are too long to be read. $1: names
--   of tables without schemas.
-- Locks: none.
-- Oldest version: 14
select
    pg_catalog.count(*) filter (where s.queryid is null) as hidden,
    pg_catalog.count(*) filter (
        where pg_catalog.length(s.query) >= 20000
            and exists (select from pg_catalog.unnest($1::text[]) n where pg_catalog.strpos(pg_catalog.lower(s.query), n) > 0)
    ) as long
from pg_stat_statements s
where s.dbid = (select d.oid from pg_catalog.pg_database d where d.datname = pg_catalog.current_database())
