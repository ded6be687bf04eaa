-- Purpose: the newest tries of a migration's operations.
-- Locks: access share on corridor.attempt
-- Oldest version: 14
select
    operation,
    number,
    is_rollback,
    backend_pid,
    worker,
    tag,
    query_id,
    to_char(began_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as began_at,
    to_char(ended_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as ended_at,
    outcome,
    detail::text as detail
from corridor.attempt a
where migration_id = $1
order by a.began_at desc
limit $2
