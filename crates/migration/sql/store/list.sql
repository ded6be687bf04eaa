-- Purpose: all migrations, the newest first, without their plans.
-- Locks: access share on corridor.migration, corridor.lease, corridor.heartbeat
-- Oldest version: 14
select
    m.id,
    m.name,
    m.kind,
    m.description,
    m.state,
    m.state_detail::text as state_detail,
    m.current_operation,
    to_char(m.created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as created_at,
    to_char(m.finished_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as finished_at,
    l.holder is not null and h.at > clock_timestamp() - h.ttl_ms * interval '1 ms' as is_worker_alive
from corridor.migration m
join corridor.lease l on l.migration_id = m.id
join corridor.heartbeat h on h.migration_id = m.id
order by m.id desc
limit $1
