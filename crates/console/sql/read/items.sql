-- Purpose: items of a backfill's ledger that were begun, the last of the list first.
-- Locks: access share on corridor.item
-- Oldest version: 14
select
    position,
    value,
    array_to_string(last_key, ', ') as last_key,
    rows,
    batches,
    is_done
from corridor.item
where migration_id = $1
  and operation = $2
  and position <= $3
order by position desc
limit $4
