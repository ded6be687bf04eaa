-- Purpose: a sign of life. No row when the epoch has moved on.
-- Locks: row exclusive on corridor.heartbeat, one row; never waits for the worker's own chunks
-- Oldest version: 14
update corridor.heartbeat
set at = clock_timestamp(), backend_pids = $3, progress = $4::text::jsonb
where migration_id = $1
  and epoch = $2
