-- Purpose: begin to freeze the list of a backfill.
-- Locks: row exclusive on corridor.backfill
-- Oldest version: 14
insert into corridor.backfill (migration_id, operation, items)
values ($1, $2, 1)
