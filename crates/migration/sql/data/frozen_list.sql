-- Purpose: the list of a backfill, once it is frozen.
-- Locks: access share on corridor.backfill
-- Oldest version: 14
select items, value_type
from corridor.backfill
where migration_id = $1
  and operation = $2
