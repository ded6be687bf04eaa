-- Purpose: set one setting.
-- Locks: row exclusive on corridor.setting, one row
-- Oldest version: 14
insert into corridor.setting (migration_id, key, value, set_by)
values ($1, $2, $3, $4)
on conflict (migration_id, key) do update
set value = excluded.value, set_by = excluded.set_by, set_at = clock_timestamp()
