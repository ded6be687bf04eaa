-- Purpose: the newest tries of a migration's operations; of what runs, the id that the server computes, where it does.
-- Locks: access share on corridor.attempt
-- Oldest version: 14
select
    a.operation,
    a.number,
    a.is_rollback,
    a.backend_pid,
    a.worker,
    a.tag,
    coalesce(s.query_id, a.query_id) as query_id,
    to_char(a.began_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as began_at,
    to_char(a.ended_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as ended_at,
    a.outcome,
    a.detail::text as detail
from corridor.attempt a
left join pg_catalog.pg_stat_activity s
    on s.pid = a.backend_pid and s.backend_start = a.backend_start and a.ended_at is null
where a.migration_id = $1
order by a.began_at desc
limit $2
