-- Purpose: which of the worker's sessions wait for a lock right now.
-- Locks: none
-- Oldest version: 14
select pid
from pg_stat_activity
where pid = any ($1)
  and wait_event_type = 'Lock'
order by pid
