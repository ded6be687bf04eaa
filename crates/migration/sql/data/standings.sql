-- Purpose: all migrations of a kind, and how those ended that never ran.
-- Locks: access share on the tables of the schema corridor
-- Oldest version: 14
select
    m.id,
    m.name,
    m.description,
    m.plan::text as plan,
    m.state,
    m.state_detail::text as state_detail,
    m.current_operation,
    to_char(m.started_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as started_at,
    to_char(m.finished_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as finished_at,
    l.holder is not null and h.at > clock_timestamp() - h.ttl_ms * interval '1 ms' as is_worker_alive,
    o.operations,
    o.operations_done,
    j.event as ended_by,
    j.detail ->> 'why' as why
from corridor.migration m
join corridor.lease l on l.migration_id = m.id
join corridor.heartbeat h on h.migration_id = m.id
cross join lateral (
    select count(*) as operations, count(*) filter (where o.state = 'done') as operations_done
    from corridor.operation o
    where o.migration_id = m.id
) o
left join lateral (
    select j.event, j.detail
    from corridor.journal j
    where j.migration_id = m.id
      and m.state = 'finished'
      and j.event in ('skipped', 'not_required')
    order by j.number desc
    limit 1
) j on true
where m.kind = $1
order by m.id
