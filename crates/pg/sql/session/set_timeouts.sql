-- Purpose: set the session's patience, in milliseconds: $1 for locks, $2 for statements.
-- Locks: none
-- Oldest version: 14
select
    set_config('lock_timeout', $1, false),
    set_config('statement_timeout', $2, false)
