-- Purpose: a slot of logical decoding whose consumer will never come back: it holds the catalogue's horizon.
-- Locks: none
-- Oldest version: 14
select pg_create_logical_replication_slot('old_cdc', 'pgoutput')
