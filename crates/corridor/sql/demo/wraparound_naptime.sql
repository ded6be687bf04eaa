-- Purpose: automatic vacuums come each second: a demo does not wait a minute.
-- Locks: none
-- Oldest version: 14
alter system set autovacuum_naptime = '1s'
