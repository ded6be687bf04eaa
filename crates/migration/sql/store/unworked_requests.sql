-- Purpose: the oldest open request of each migration that has no living worker.
-- Locks: access share on corridor.request, corridor.migration, corridor.lease, corridor.heartbeat
-- Oldest version: 14
select distinct on (r.migration_id)
    m.name,
    m.kind,
    r.id,
    r.verb,
    r.argument::text as argument,
    r.asked_by,
    to_char(r.asked_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as asked_at
from corridor.request r
join corridor.migration m on m.id = r.migration_id
join corridor.lease l on l.migration_id = r.migration_id
join corridor.heartbeat h on h.migration_id = r.migration_id
where r.answered_at is null
  and (l.holder is null or h.at <= clock_timestamp() - h.ttl_ms * interval '1 ms')
order by r.migration_id, r.id
