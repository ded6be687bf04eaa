-- Purpose: note in the progress of an operation how far its steps are, whether it still runs or what follows it has begun.
-- Locks: row exclusive on corridor.operation, one row
-- Oldest version: 14
update corridor.operation
set progress = progress || $3::text::jsonb
where migration_id = $1
  and name = $2
