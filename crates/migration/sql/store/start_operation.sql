-- Purpose: an operation begins, or begins again.
-- Locks: row exclusive on corridor.operation; the row is locked already
-- Oldest version: 14
update corridor.operation
set
    state = 'running',
    attempts = attempts + 1,
    started_at = coalesce(started_at, clock_timestamp()),
    finished_at = null,
    error = null
where migration_id = $1
  and name = $2
