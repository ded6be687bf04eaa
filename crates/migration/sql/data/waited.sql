-- Purpose: since when an operation has been at work, whoever carried it out; after a failure, since it was taken up again.
-- Locks: access share on corridor.operation
-- Oldest version: 14
select
    extract(epoch from clock_timestamp() - coalesce(
        (progress ->> 'begun_anew_at')::timestamptz,
        started_at,
        clock_timestamp()
    ))::float8 as waited_s
from corridor.operation
where migration_id = $1
  and name = $2
