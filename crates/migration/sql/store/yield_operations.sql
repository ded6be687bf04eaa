-- Purpose: another operation begins, or a cut-over was given up: whichever runs gives way, and begins anew later.
-- Locks: row exclusive on corridor.operation, the rows that run
-- Oldest version: 14
update corridor.operation
set state = 'pending'
where migration_id = $1
  and name <> $2
  and state = 'running'
