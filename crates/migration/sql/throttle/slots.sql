/* corridor */
-- Purpose: the most WAL that one replication slot retains. Everybody may see the slots.
-- Locks: none
-- Oldest version: 14
select coalesce(max(pg_wal_lsn_diff(pg_current_wal_insert_lsn(), restart_lsn)), 0)::float8 as figure
from pg_replication_slots
where restart_lsn is not null
