-- Purpose: take a request back that no worker has taken.
-- Locks: row exclusive on corridor.request, one row
-- Oldest version: 14
delete from corridor.request
where id = $1
  and taken_at is null
