-- Purpose: give it up, so that the next one need not wait.
-- Locks: row exclusive on corridor.collector, one row
-- Oldest version: 14
update corridor.collector
set holder = null
where epoch = $1::bigint
