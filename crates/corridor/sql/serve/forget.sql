-- Purpose: a setting of the service is as its file says again.
-- Locks: row exclusive on corridor.service_setting, one row
-- Oldest version: 14
delete from corridor.service_setting
where key = $1
