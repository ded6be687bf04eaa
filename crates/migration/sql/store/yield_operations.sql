-- Purpose: another operation begins: whichever runs gives way to it, and begins anew later.
-- Locks: row exclusive on corridor.operation, the rows that run
-- Oldest version: 14
update corridor.operation
set state = 'pending'
where migration_id = $1
  and name <> $2
  and state = 'running'
