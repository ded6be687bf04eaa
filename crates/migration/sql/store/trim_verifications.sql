-- Purpose: keep the newest reports only.
-- Locks: row exclusive on corridor.verification
-- Oldest version: 14
delete from corridor.verification
where migration_id = $1
  and number <= $2
