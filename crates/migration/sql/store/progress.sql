-- Purpose: write the progress of the operation that runs.
-- Locks: row exclusive on corridor.operation, one row
-- Oldest version: 14
update corridor.operation
set progress = $3::text::jsonb
where migration_id = $1
  and name = $2
  and state = 'running'
