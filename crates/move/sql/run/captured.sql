-- Purpose: the capture triggers as `prepare` made them; null when it did not come so far.
-- Locks: none
-- Oldest version: 14
select o.progress ->> 'capture' as capture
from corridor.operation o
where o.migration_id = $1
  and o.name = 'prepare'
