-- Purpose: keep the newest entries only.
-- Locks: row exclusive on corridor.journal
-- Oldest version: 14
delete from corridor.journal
where migration_id = $1
  and number <= $2
