-- Purpose: learn the timeouts that are in force, to put them back later.
-- Locks: none
-- Oldest version: 14
select
    current_setting('lock_timeout') as lock_timeout,
    current_setting('statement_timeout') as statement_timeout
