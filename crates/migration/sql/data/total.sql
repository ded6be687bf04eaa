-- Purpose: what a backfill has done so far.
-- Locks: access share on corridor.item
-- Oldest version: 14
select
    coalesce(sum(rows), 0)::int8 as rows,
    coalesce(sum(batches), 0)::int8 as batches,
    count(*) filter (where is_done) as items_done
from corridor.item
where migration_id = $1
  and operation = $2
