-- Purpose: the standby has got everything up to now.
-- Locks: none
-- Oldest version: 14
select pg_replication_slot_advance('reporting_standby', pg_current_wal_lsn())
