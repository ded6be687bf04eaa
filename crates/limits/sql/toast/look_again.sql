-- Purpose: the statistics of TOAST relations once more, for what happened in between, and who writes to them now.
-- Locks: none
-- Oldest version: 14
select
    t.oid,
    extract(epoch from clock_timestamp())::float8 as now_s,
    coalesce(pg_stat_get_tuples_inserted(t.oid), 0)::float8 as chunks_inserted,
    coalesce(pg_stat_get_numscans(i.indexrelid), 0)::float8 as index_scans,
    coalesce(pg_stat_get_tuples_fetched(i.indexrelid), 0)::float8 as index_fetches
from unnest($1::oid[]) as t (oid)
join pg_index i on i.indrelid = t.oid
