-- Purpose: who has the lease, and when it was last heard of, by the server's clock.
-- Locks: access share on corridor.migration, corridor.lease, corridor.heartbeat
-- Oldest version: 14
select
    m.name,
    l.epoch,
    l.holder,
    h.ttl_ms,
    (extract(epoch from clock_timestamp() - h.at) * 1000)::float8 as age_ms,
    h.backend_pids,
    h.progress::text as progress
from corridor.migration m
join corridor.lease l on l.migration_id = m.id
join corridor.heartbeat h on h.migration_id = m.id
where m.id = $1
