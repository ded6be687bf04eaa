-- Purpose: at most one operation of a migration runs.
-- Locks: share on corridor.operation
-- Oldest version: 14
create unique index operation_running on corridor.operation (migration_id) where state = 'running'
