-- Purpose: the statements that name one of some tables, the most frequent ones first. $1: names of tables without schemas.
-- Locks: none.
-- Oldest version: 14
select
    s.calls,
    s.mean_exec_time,
    s.query,
    greatest(extract(epoch from pg_catalog.clock_timestamp() - (select stats_reset from pg_stat_statements_info))::float8, 1) as since_s
from pg_stat_statements s
where s.dbid = (select d.oid from pg_catalog.pg_database d where d.datname = pg_catalog.current_database())
    and pg_catalog.length(s.query) < 20000
    and exists (select from pg_catalog.unnest($1::text[]) n where pg_catalog.strpos(pg_catalog.lower(s.query), n) > 0)
    and s.query !~* '^\s*(alter|create|drop|truncate|vacuum|analyze|reindex|cluster|lock|comment|grant|revoke|refresh)\s'
order by s.calls desc
limit 500
