-- Purpose: which server and database it is, and since when pg_stat_statements counts without a gap: head of a moment of usage.
-- Locks: none.
-- Oldest version: 14
select
    (select c.system_identifier::text from pg_catalog.pg_control_system() c) as server,
    pg_catalog.current_database()::text as database,
    pg_catalog.to_char(n.at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS') || ' UTC' as taken_at,
    extract(epoch from n.at)::float8 as taken_at_s,
    i.stats_reset::text as stats_reset,
    i.dealloc as deallocations,
    pg_catalog.current_setting('pg_stat_statements.track') as track
from pg_stat_statements_info i, (select pg_catalog.clock_timestamp() as at) n
