-- Purpose: a backfill without a list has one item.
-- Locks: row exclusive on corridor.item
-- Oldest version: 14
insert into corridor.item (migration_id, operation, position)
values ($1, $2, 1)
