-- Purpose: the next item of a backfill that is not done.
-- Locks: access share on corridor.item
-- Oldest version: 14
select position, value, last_key
from corridor.item
where migration_id = $1
  and operation = $2
  and not is_done
order by position
limit 1
