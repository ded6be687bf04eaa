-- Purpose: set one setting of all migrations that have no value of their own.
-- Locks: row exclusive on corridor.default_setting, one row
-- Oldest version: 14
insert into corridor.default_setting (key, value, set_by)
values ($1, $2, $3)
on conflict (key) do update
set value = excluded.value, set_by = excluded.set_by, set_at = clock_timestamp()
