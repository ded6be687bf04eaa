-- Purpose: an operation that had failed begins anew: what it waits for is waited for as long as at first.
-- Locks: row exclusive on corridor.operation, one row
-- Oldest version: 14
update corridor.operation
set progress = progress || jsonb_build_object('begun_anew_at', clock_timestamp())
where migration_id = $1
  and name = $2
