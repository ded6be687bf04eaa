-- Purpose: all migrations without a value of their own have the default of the setting again.
-- Locks: row exclusive on corridor.default_setting, one row
-- Oldest version: 14
delete from corridor.default_setting
where key = $1
