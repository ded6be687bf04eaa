-- Purpose: keep one setting of the service.
-- Locks: row exclusive on corridor.service_setting, one row
-- Oldest version: 14
insert into corridor.service_setting (key, value, set_by)
values ($1, $2, $3)
on conflict (key) do update
set value = excluded.value, set_by = excluded.set_by, set_at = clock_timestamp()
