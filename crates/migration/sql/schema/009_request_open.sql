-- Purpose: find what is open without reading what was answered.
-- Locks: share on corridor.request
-- Oldest version: 14
create index request_open on corridor.request (migration_id, id) where answered_at is null
