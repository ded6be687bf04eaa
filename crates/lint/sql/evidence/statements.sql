-- Purpose: the statements that name one of some tables, the most frequent ones first. $1: names of tables without schemas.
-- Locks: none.
-- Oldest version: 14
select
    s.userid,
    coalesce(pg_catalog.pg_get_userbyid(s.userid)::text, '') as role,
    s.queryid as query_id,
    s.toplevel as is_top_level,
    s.calls,
    s.total_exec_time as total_ms,
    pg_catalog.to_jsonb(s) ->> 'stats_since' as counted_since,
    s.mean_exec_time,
    s.query,
    greatest(extract(epoch from pg_catalog.clock_timestamp() - (select stats_reset from pg_stat_statements_info))::float8, 1) as since_s,
    pg_catalog.count(*) over () as matching
from pg_stat_statements s
where s.dbid = (select d.oid from pg_catalog.pg_database d where d.datname = pg_catalog.current_database())
    and s.queryid is not null
    and pg_catalog.length(s.query) < 20000
    and exists (select from pg_catalog.unnest($1::text[]) n where pg_catalog.strpos(pg_catalog.lower(s.query), n) > 0)
    and s.query !~* '^\s*(alter|create|drop|truncate|vacuum|analyze|reindex|cluster|lock|comment|grant|revoke|refresh)\s'
    and s.query !~ '^/\* corridor'
order by s.calls desc
limit 2000
