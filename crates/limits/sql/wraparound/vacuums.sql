-- Purpose: the vacuums that run, how far they are, and which of them run to stop a wraparound.
-- Locks: none
-- Oldest version: 14
select
    v.pid,
    v.datname::text as database,
    v.relid as oid,
    v.phase,
    v.heap_blks_total::float8 as pages,
    v.heap_blks_scanned::float8 as scanned_pages,
    v.index_vacuum_count::float8 as index_passes,
    a.backend_type = 'autovacuum worker' as is_automatic,
    a.query like '%to prevent wraparound%' as is_against_wraparound,
    extract(epoch from clock_timestamp() - a.xact_start)::float8 as running_s
from pg_stat_progress_vacuum v
left join pg_stat_activity a on a.pid = v.pid
order by a.xact_start
limit 50
