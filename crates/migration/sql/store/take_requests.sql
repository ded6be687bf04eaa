-- Purpose: the worker takes what is open (again, when the worker before it took it and died), oldest first.
-- Locks: row exclusive on corridor.request
-- Oldest version: 14
with taken as (
    update corridor.request
    set taken_at = clock_timestamp()
    where migration_id = $1
      and answered_at is null
    returning id, verb, argument, asked_by
)
select id, verb, argument::text as argument, asked_by
from taken
order by id
