-- Purpose: give the lease back; the next worker need not wait. The epoch stays: it only moves on.
-- Locks: row exclusive on corridor.lease, one row
-- Oldest version: 14
update corridor.lease
set holder = null, taken_at = null
where migration_id = $1
  and epoch = $2
  and holder is not null
