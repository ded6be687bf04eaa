-- Purpose: the heartbeat row.
-- Locks: row exclusive on corridor.heartbeat
-- Oldest version: 14
insert into corridor.heartbeat (migration_id)
values ($1)
