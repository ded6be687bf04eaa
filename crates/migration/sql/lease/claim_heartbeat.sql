-- Purpose: the second half of taking: no row when the old holder has come back to life meanwhile.
-- Locks: row exclusive on corridor.heartbeat, one row
-- Oldest version: 14
update corridor.heartbeat
set epoch = $3, at = clock_timestamp(), ttl_ms = $4, backend_pids = '{}', progress = '{}'
where migration_id = $1
  and epoch = $2
  and ($5::bool or at <= clock_timestamp() - ttl_ms * interval '1 ms')
