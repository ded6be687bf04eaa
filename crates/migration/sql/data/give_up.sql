-- Purpose: say that nobody is at the tries of an operation any more; whether they went through, the operation's ledger says.
-- Locks: row exclusive on corridor.attempt
-- Oldest version: 14
update corridor.attempt
set
    ended_at = clock_timestamp(),
    outcome = 'lost'
where migration_id = $1
  and operation = $2
  and outcome is null
