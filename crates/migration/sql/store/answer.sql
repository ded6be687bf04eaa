-- Purpose: the worker says what became of a request.
-- Locks: row exclusive on corridor.request, one row
-- Oldest version: 14
update corridor.request
set
    taken_at = coalesce(taken_at, clock_timestamp()),
    answered_at = clock_timestamp(),
    outcome = $3::text::jsonb
where id = $1
  and migration_id = $2
  and answered_at is null
