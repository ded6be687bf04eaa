-- Purpose: the lease row, free.
-- Locks: row exclusive on corridor.lease
-- Oldest version: 14
insert into corridor.lease (migration_id)
values ($1)
