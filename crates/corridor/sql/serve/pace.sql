-- Purpose: note how far each migration with a living worker is, unless another service has just done so. $1: moves that are
-- worked; $2: the rows that each has copied. The others are backfills, whose rows stand in their ledger.
-- Locks: row exclusive on corridor.pace; access share on corridor.migration, corridor.lease, corridor.heartbeat, corridor.item
-- Oldest version: 14
insert into corridor.pace (migration_id, rows, pending, is_held)
select
    m.id,
    coalesce(given.rows, (select sum(i.rows)::bigint from corridor.item i where i.migration_id = m.id), 0),
    case when jsonb_typeof(h.progress -> 'pending_changes') = 'number'
        then greatest((h.progress ->> 'pending_changes')::bigint, 0) end,
    coalesce(jsonb_typeof(h.progress -> 'throttle' -> 'reasons') = 'array'
        and jsonb_array_length(h.progress -> 'throttle' -> 'reasons') > 0, false)
from corridor.migration m
join corridor.lease l on l.migration_id = m.id
join corridor.heartbeat h on h.migration_id = m.id
left join unnest($1::bigint[], $2::bigint[]) as given (id, rows) on given.id = m.id
where m.state in ('running', 'waiting', 'cutting_over', 'rolling_back', 'stopping', 'finishing')
  and l.holder is not null
  and h.at > clock_timestamp() - h.ttl_ms * interval '1 ms'
  and not exists (
      select
      from corridor.pace p
      where p.migration_id = m.id
        and p.at > clock_timestamp() - interval '4 s'
  )
on conflict do nothing
