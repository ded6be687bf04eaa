-- Purpose: an operation is done, has failed or was taken back. One that had ended keeps the time of its own end when it
-- is taken back: how long it took is not how long ago it began.
-- Locks: row exclusive on corridor.operation; the row is locked already
-- Oldest version: 14
update corridor.operation
set
    state = $3,
    finished_at = coalesce(finished_at, clock_timestamp()),
    error = $4
where migration_id = $1
  and name = $2
