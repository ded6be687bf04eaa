-- Purpose: a wish to start a planned migration that somebody has left to a service.
-- Locks: access share on corridor.request
-- Oldest version: 14
select
    id,
    argument::text as argument
from corridor.request
where migration_id = $1
  and verb = 'start'
  and taken_at is null
  and answered_at is null
order by id
limit 1
