-- Purpose: the slot of a standby, which keeps WAL from now on.
-- Locks: none
-- Oldest version: 14
select pg_create_physical_replication_slot('reporting_standby', true)
