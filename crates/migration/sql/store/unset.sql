-- Purpose: give one setting its default back.
-- Locks: row exclusive on corridor.setting, one row
-- Oldest version: 14
delete from corridor.setting
where migration_id = $1
  and key = $2
