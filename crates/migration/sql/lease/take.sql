-- Purpose: move the epoch on. Waits for every transaction that holds the row at the old one.
-- Of two that saw the same epoch the second one updates nothing; claim_heartbeat.sql would refuse it as well.
-- Locks: row exclusive on corridor.lease, one row
-- Oldest version: 14
update corridor.lease
set epoch = epoch + 1, holder = $3, taken_at = clock_timestamp()
where migration_id = $1
  and epoch = $2
returning epoch
