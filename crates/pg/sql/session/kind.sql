-- Purpose: learn whether the server is a standby, and whether it accepts writes.
-- Locks: none
-- Oldest version: 14
select
    pg_is_in_recovery() as is_standby,
    current_setting('transaction_read_only')::bool as is_read_only
