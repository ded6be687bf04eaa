-- Purpose: write down what a person has found out about a try whose end is not known.
-- Locks: row exclusive on corridor.attempt
-- Oldest version: 14
update corridor.attempt
set
    ended_at = clock_timestamp(),
    outcome = $3
where migration_id = $1
  and operation = $2
  and outcome is null
