-- Purpose: say how a try ended.
-- Locks: row exclusive on corridor.attempt
-- Oldest version: 14
update corridor.attempt
set
    ended_at = clock_timestamp(),
    outcome = $4,
    detail = detail || $5::text::jsonb
where migration_id = $1
  and operation = $2
  and number = $3
