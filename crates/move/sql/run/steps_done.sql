-- Purpose: how many steps of an operation are done, as noted in the transaction of the last one.
-- Locks: none
-- Oldest version: 14
select coalesce(max((o.progress ->> 'steps_done')::bigint), 0) as steps_done
from corridor.operation o
where o.migration_id = $1
  and o.name = $2
