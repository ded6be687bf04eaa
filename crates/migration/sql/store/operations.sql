-- Purpose: the operations of one migration in their order.
-- Locks: access share on corridor.operation
-- Oldest version: 14
select
    position,
    name,
    state,
    progress::text as progress,
    attempts,
    to_char(started_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as started_at,
    to_char(finished_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as finished_at,
    (extract(epoch from coalesce(finished_at, clock_timestamp()) - started_at) * 1000)::float8 as took_ms,
    error
from corridor.operation
where migration_id = $1
order by position
