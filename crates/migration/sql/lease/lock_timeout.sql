-- Purpose: how long this transaction waits for a lock.
-- Locks: none
-- Oldest version: 14
select set_config('lock_timeout', $1, true)
