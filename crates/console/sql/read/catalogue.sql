-- Purpose: what a list shows of every migration, what has not ended first, the newest first.
-- Locks: access share on tables of the schema corridor
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
    to_char(m.started_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as started_at,
    to_char(m.finished_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as finished_at,
    l.holder is not null and h.at > clock_timestamp() - h.ttl_ms * interval '1 ms' as is_worker_alive,
    case when m.kind = $2 then m.plan #>> '{definition,versions}' end as versions,
    -- One that was taken back and has not made room for another run under its name.
    m.kind = $2 and m.state in ('rolled_back', 'stopped') and m.plan #>> '{definition,name}' = m.name as may_begin_anew,
    -- Another version of Corridor stored it: nobody here knows what it would do.
    m.kind = $2 and m.plan ->> 'version' is distinct from $3 as is_unreadable,
    (h.progress -> 'rows')::text as rows,
    (h.progress -> 'throttle')::text as throttle,
    o.operations,
    o.operations_done,
    o.position,
    o.error,
    o.noted,
    p.rows as pace_rows,
    p.pending,
    a.query_id,
    a.backend_pid,
    a.tag,
    j.event as ended_by,
    j.detail ->> 'why' as why
from (
    select *
    from corridor.migration
    order by finished_at is not null, id desc
    limit $1
) m
join corridor.lease l on l.migration_id = m.id
join corridor.heartbeat h on h.migration_id = m.id
cross join lateral (
    select
        count(*) as operations,
        count(*) filter (where o.state = 'done') as operations_done,
        max(o.position) filter (where o.name = m.current_operation) as position,
        max(o.error) filter (where o.state = 'failed') as error,
        max(o.progress::text) filter (where o.name = m.current_operation) as noted
    from corridor.operation o
    where o.migration_id = m.id
) o
left join lateral (
    select p.rows, p.pending
    from corridor.pace p
    where p.migration_id = m.id
      and m.finished_at is null
    order by p.at desc
    limit 1
) p on true
left join lateral (
    -- The server knows the id of what runs; it is null unless it is computed, and to whoever may not see it.
    select coalesce(s.query_id, a.query_id) as query_id, a.backend_pid, a.tag
    from corridor.attempt a
    left join pg_catalog.pg_stat_activity s on s.pid = a.backend_pid and s.backend_start = a.backend_start
    where a.migration_id = m.id
      and a.operation = m.current_operation
      and a.ended_at is null
      and m.finished_at is null
    order by a.number desc
    limit 1
) a on true
left join lateral (
    -- Nothing of weight comes after the end, so it stands among the newest entries.
    select j.event, j.detail
    from corridor.journal j
    where j.migration_id = m.id
      and m.state = 'finished'
      and j.event in ('skipped', 'not_required')
      and j.number > m.journal_count - 5
    order by j.number desc
    limit 1
) j on true
order by m.finished_at is not null, m.id desc
