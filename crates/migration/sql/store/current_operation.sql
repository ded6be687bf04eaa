-- Purpose: say which operation is at work.
-- Locks: row exclusive on corridor.migration, one row
-- Oldest version: 14
update corridor.migration
set current_operation = $2
where id = $1
