-- Purpose: whoever only looks waits for nothing: a time limit for the statements of this transaction that follow.
-- Locks: none
-- Oldest version: 14
select
    set_config('statement_timeout', '500ms', true) as statement_timeout,
    set_config('lock_timeout', '200ms', true) as lock_timeout
