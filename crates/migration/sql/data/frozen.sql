-- Purpose: say how long the frozen list is, and of which type its values are.
-- Locks: row exclusive on corridor.backfill
-- Oldest version: 14
update corridor.backfill b
set
    items = (select count(*) from corridor.item i where i.migration_id = $1 and i.operation = $2),
    value_type = $3::text
where b.migration_id = $1
  and b.operation = $2
